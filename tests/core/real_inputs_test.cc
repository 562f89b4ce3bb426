// Real inputs beside outputs that are symbols or bits.
#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/exact_gradient.h"
#include "poe/reconstruction.h"
#include "poe/sampling.h"
#include "poe/scoring.h"
#include "tests/core/core_models.h"
#include "tests/core/real_inputs_models.h"
#include "tests/core/special_values.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

class RealInputsTest : public testing::TestWithParam<Family> {
 protected:
  const Family family_ = GetParam();
  const DataSpec spec_ = MixedSpec(family_);
  const Model model_ = MixedModel(family_);
  const Vector<double> parameters_ = ParametersOf(model_.classes[0].layers[0]);

  // Rows of the same inputs, and the probabilities of all outputs beside them.
  const RowMatrix<float> all_ = AllOutputs(family_, 3.4f, -61.7f);
  std::vector<double> PlainProbabilities() const {
    std::vector<double> probabilities;
    for (const auto& row : all_.rowwise())
      probabilities.push_back(
          std::exp(PlainLogProbability(family_, parameters_, row)));
    return probabilities;
  }

  // How many rows have the outputs of each row of all_; all must have its
  // inputs, to the bit.
  std::vector<int> CountOutputs(const RowMatrix<float>& rows) const {
    std::vector<int> counts(all_.rows(), 0);
    for (const auto& row : rows.rowwise())
      for (Index k = 0; k < all_.rows(); ++k) counts[k] += row == all_.row(k);
    return counts;
  }

  // Within six standard deviations of what independent draws give.
  void ExpectPlainProbabilities(const RowMatrix<float>& rows) const {
    const std::vector<int> counts = CountOutputs(rows);
    const std::vector<double> probabilities = PlainProbabilities();
    const auto size = static_cast<double>(rows.rows());
    int total = 0;
    for (std::size_t k = 0; k < counts.size(); ++k) {
      const double p = probabilities[k];
      EXPECT_NEAR(counts[k] / size, p, 6 * std::sqrt(p * (1 - p) / size)) << k;
      total += counts[k];
    }
    EXPECT_EQ(total, rows.rows());
  }
};

TEST_P(RealInputsTest, ColumnsOfInputsStandBehindThoseOfOutputs) {
  const std::vector<Columns> columns = ColumnsOf(spec_);
  const Index each = family_ == Family::kCategorical ? 3 : 1;
  ASSERT_EQ(columns.size(), 4u);
  EXPECT_EQ(spec_.width(), 2 * each + 2);
  EXPECT_EQ(columns[1].first, 0);
  EXPECT_EQ(columns[3].first, each);
  EXPECT_EQ(columns[0].first, 2 * each);
  EXPECT_EQ(columns[2].first, 2 * each + 1);
  for (Index i = 0; i < 4; ++i) {
    EXPECT_EQ(columns[i].count, i % 2 == 1 ? each : 1);
    EXPECT_EQ(columns[i].is_real_input, i % 2 == 0);
  }
}

TEST_P(RealInputsTest, RowsBecomeColumnsAndComeBack) {
  const RowMatrix<float> raw = MixedRows(family_, 9, 610);
  ASSERT_TRUE(ValidateRows(spec_, RowsOf(raw)).ok());
  const Observations<float> x = Preprocess(spec_, RowsOf(raw), 2, 9);
  const Index outputs = spec_.width() - 2;
  for (Index n = 0; n < 7; ++n) {
    EXPECT_FLOAT_EQ(x.values(n, outputs), (raw(n + 2, 0) - 3) / 0.5f);
    EXPECT_FLOAT_EQ(x.values(n, outputs + 1), (raw(n + 2, 2) + 50) / 20);
    if (family_ == Family::kCategorical) {
      EXPECT_EQ(x.values(n, static_cast<Index>(raw(n + 2, 1))), 1);
      EXPECT_EQ(x.values(n, 3 + static_cast<Index>(raw(n + 2, 3))), 1);
      EXPECT_EQ(x.values.row(n).head(6).sum(), 2);
    } else {
      EXPECT_EQ(x.values(n, 0), raw(n + 2, 1));
      EXPECT_EQ(x.values(n, 1), raw(n + 2, 3));
    }
    for (Index i = 0; i < spec_.width(); ++i)
      EXPECT_EQ(x.IsClamped(n, i), i >= outputs);
  }
  EXPECT_TRUE(
      Unprocess(spec_, x.values.topRows(7)).isApprox(raw.bottomRows(7), 1e-6f));
}

TEST_P(RealInputsTest, LogProbabilitiesAreThePlainOnes) {
  const RowMatrix<float> raw = MixedRows(family_, 30, 620);
  const auto scores =
      Score(model_, RowsOf(raw), {}, Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(scores.ok());
  ASSERT_EQ(scores->log_probabilities.rows(), 30);
  EXPECT_TRUE(scores->out_of_support.empty());
  for (Index n = 0; n < 30; ++n)
    EXPECT_NEAR(scores->log_probabilities(n, 0),
                PlainLogProbability(family_, parameters_, raw.row(n)), 2e-5);
  const auto of_all =
      Score(model_, RowsOf(all_), {}, Workers::Inline(), NeverInterrupt);
  EXPECT_NEAR(of_all->log_probabilities.array().exp().sum(), 1, 1e-5);
}

TEST_P(RealInputsTest, ExactGradientMatchesDifferencesOfThePlainProbability) {
  const Product<double> product = MixedProduct<double>(family_);
  const Vector<double> parameters = ParametersOf(product);
  const RowMatrix<float> raw = MixedRows(family_, 5, 630);
  const Observations<float> seen = Preprocess(spec_, RowsOf(raw), 0, 5);
  Observations<double> data = MakeDense<double>(5, spec_.width());
  // In double precision, so that the plain sum sees the same numbers.
  data.values = seen.values.cast<double>();
  data.values.col(spec_.width() - 2).head(5) =
      (raw.col(0).cast<double>().array() - 3) / 0.5;
  data.values.col(spec_.width() - 1).head(5) =
      (raw.col(2).cast<double>().array() + 50) / 20;
  data.clamped = seen.clamped;
  const std::vector<double> weights = {1, 2, 0, 0.5, 3};
  auto exact = ExactGradient<double>::Create(product, spec_.num_symbols,
                                             InputMask(spec_));
  ASSERT_TRUE(exact.ok()) << exact.status();
  EXPECT_EQ(exact->combinations(), all_.rows());
  exact->ComputeGradient(data, weights, Workers::Inline());
  Vector<double> gradient(parameters.size());
  gradient << exact->base_gradient(), exact->group_gradient(0);
  const auto objective = [&](const Vector<double>& at) {
    double sum = 0;
    for (Index n = 0; n < 5; ++n)
      sum += weights[n] * PlainLogProbability(family_, at, raw.row(n)) / 6.5;
    return sum;
  };
  for (Index p = 0; p < parameters.size(); ++p) {
    Vector<double> above = parameters, below = parameters;
    above(p) += 1e-5;
    below(p) -= 1e-5;
    EXPECT_NEAR(gradient(p), (objective(above) - objective(below)) / 2e-5, 1e-8)
        << "parameter " << p;
  }
  EXPECT_NEAR(exact->mean_log_probability(), objective(parameters), 1e-12);
}

TEST_P(RealInputsTest, ChainsKeepInputsAndDrawOutputsByTheirProbability) {
  const RowMatrix<float> start = all_.row(0).replicate(20000, 1);
  const RawRows rows = RowsOf(start);
  SampleOptions options;
  options.chains = 20000;
  options.steps = 60;
  options.seed = 640;
  RowMatrix<float> drawn;
  ASSERT_TRUE(Sample(
                  model_, options, &rows, /*clamp=*/false, Workers::Inline(),
                  [&](const SampledChains& chains) {
                    drawn = chains.values;
                    return absl::OkStatus();
                  },
                  NeverInterrupt)
                  .ok());
  ExpectPlainProbabilities(drawn);
}

TEST_P(RealInputsTest, MissingOutputsAreFilledInByTheirProbability) {
  const RowMatrix<float> raw = all_.row(0).replicate(20000, 1);
  RawRows rows = RowsOf(raw);
  std::vector<std::uint8_t> observed;
  for (Index n = 0; n < 20000; ++n)
    observed.insert(observed.end(), {1, 0, 1, 0});
  rows.observed = observed;
  ReconstructOptions options;
  options.output = Reconstruction::kSample;
  options.steps = 60;
  options.seed = 641;
  const auto filled =
      Reconstruct(model_, rows, options, Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(filled.ok());
  ExpectPlainProbabilities(filled->values);
}

TEST_P(RealInputsTest, InputsMayBeAnyNumberAndOutputsMayNot) {
  RowMatrix<float> raw = MixedRows(family_, 2, 650);
  raw(1, 0) = -1e6f;
  raw(1, 2) = 0.5f;
  RawRows rows = RowsOf(raw);
  EXPECT_TRUE(ValidateRows(spec_, rows).ok());
  const auto refused = [&](Index i, float value) {
    RowMatrix<float> bad = raw;
    bad(1, i) = value;
    const absl::Status status = ValidateRows(spec_, RowsOf(bad));
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  const char* wanted = family_ == Family::kCategorical
                           ? "values[1][3] is 3; symbols must be whole"
                           : "values[1][3] is 3; grey levels must be";
  EXPECT_THAT(refused(3, 3), HasSubstr(wanted));
  EXPECT_THAT(refused(1, -1), HasSubstr("values[1][1] is -1"));
  EXPECT_THAT(refused(2, kNan), HasSubstr("values[1][2] is NaN"));
  const std::vector<std::uint8_t> observed = {1, 1, 1, 1, 1, 0, 0, 1};
  rows.observed = observed;
  EXPECT_THAT(std::string(ValidateRows(spec_, rows).message()),
              HasSubstr("values[1][2] is marked missing; coordinate 2 is an "
                        "input"));
}

TEST_P(RealInputsTest, SpecsThatContradictThemselvesAreRefused) {
  ASSERT_TRUE(Validate(spec_).ok()) << Validate(spec_);
  ASSERT_TRUE(Validate(model_).ok()) << Validate(model_);
  const auto refused = [&](auto change) {
    DataSpec spec = spec_;
    change(spec);
    const absl::Status status = Validate(spec);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(refused([](DataSpec& s) { s.input_coordinates.clear(); }),
              HasSubstr("real_inputs is given without input_coordinates"));
  EXPECT_THAT(refused([](DataSpec& s) {
                s.family = Family::kStructuredGaussian;
                s.num_symbols = 0;
              }),
              HasSubstr("real_inputs is given for real-valued data"));
  EXPECT_THAT(refused([](DataSpec& s) { s.preprocessing.shift[1] = 1; }),
              HasSubstr("coordinate 1 has shift 1 and scale 1; beside real"));
  EXPECT_THAT(refused([](DataSpec& s) { s.preprocessing.scale[3] = 2; }),
              HasSubstr("coordinate 3 has shift 0 and scale 2"));
  EXPECT_THAT(refused([](DataSpec& s) { s.real_inputs = false; }),
              HasSubstr("preprocessing is"));
}

TEST_P(RealInputsTest, ABaseWithoutTheInputsDoesNotFitTheModel) {
  Model model = model_;
  model.data_spec.real_inputs = false;
  model.data_spec.preprocessing = {};
  EXPECT_TRUE(absl::IsInvalidArgument(Validate(model)));
}

INSTANTIATE_TEST_SUITE_P(SymbolsAndBits, RealInputsTest,
                         testing::Values(Family::kCategorical,
                                         Family::kBernoulli),
                         [](const testing::TestParamInfo<Family>& info) {
                           return info.param == Family::kCategorical ? "Symbols"
                                                                     : "Bits";
                         });

}  // namespace
}  // namespace poe
