#include "poe/exact_incomplete_scoring.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/gaussian_tree_partition.h"
#include "poe/experts/hidden_markov_partition.h"
#include "poe/experts/linear_dynamical_partition.h"
#include "poe/incomplete_scoring.h"
#include "poe/numerics/elementwise.h"
#include "tests/core/core_models.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

constexpr Index kMany = 4096;
constexpr double kNotRead = std::numeric_limits<double>::quiet_NaN();

// One group of two experts and another of one at another power.
template <typename Scalar, typename Make>
Product<Scalar> ThreeExperts(std::unique_ptr<Base<Scalar>> base, Make make) {
  std::vector<std::unique_ptr<ExpertGroup<Scalar>>> groups;
  groups.push_back(make(2, 1));
  groups.push_back(make(1, 0.6));
  return *Product<Scalar>::Create(std::move(base), std::move(groups));
}

Product<double> ThreeExperts(const OracleKind& kind) {
  return ThreeExperts<double>(kind.make_base(), kind.make);
}

std::vector<double> Exact(const Product<double>& product,
                          const Observations<double>& x,
                          const Workers& workers = Workers::Inline()) {
  auto scores =
      ExactIncompleteLogScores(product, x, kMany, workers, NeverInterrupt);
  EXPECT_TRUE(scores.ok()) << scores.status();
  return *std::move(scores);
}

// Two of every five values missing, NaN in their place: one of an observation,
// several that follow each other, or none.
Observations<double> WithGaps(const OracleKind& kind, Index size) {
  Observations<double> x =
      kind.ragged ? kind.ragged(size, 51) : kind.rows(size, 51);
  const Index values = x.frames() * kind.dimension / kind.columns;
  for (Index i = 0; i < values; ++i)
    x.clamped.insert(x.clamped.end(), kind.columns, i % 5 > 1);
  for (std::size_t i = 0; i < x.clamped.size(); ++i)
    if (x.clamped[i] == 0) x.values.data()[i] = kNotRead;
  return x;
}

// log of the sum, or the trapezoid rule, over the missing value that begins
// with entry `first` of the one observation, of what is said of it and the
// others that are observed.
double SumOver(const Product<double>& product, const OracleKind& kind,
               const Observations<double>& x, Index first) {
  const Family family = product.base().family();
  const bool symbols = family == Family::kCategorical;
  const bool bounded = family == Family::kGaussian;
  const double lower = bounded ? kBoxLower : -60;
  const double upper = bounded ? kBoxUpper : 60;
  const Index points = symbols ? kind.columns : 3001;
  const double step =
      symbols ? 1 : (upper - lower) / static_cast<double>(points - 1);
  Observations<double> filled = Repeat(x, 0, points);
  std::vector<std::uint8_t> mask = x.clamped;
  std::fill_n(mask.begin() + first, kind.columns, std::uint8_t{1});
  for (Index k = 0; k < points; ++k) {
    filled.clamped.insert(filled.clamped.end(), mask.begin(), mask.end());
    double* value =
        filled.values.data() + k * static_cast<Index>(mask.size()) + first;
    if (symbols) {
      std::fill_n(value, kind.columns, 0.0);
      value[k] = 1;
    } else {
      *value = std::min(upper, lower + static_cast<double>(k) * step);
    }
  }
  std::vector<double> scores = Exact(product, filled);
  if (!symbols) scores.front() -= std::log(2), scores.back() -= std::log(2);
  return LogSumExp(scores) + std::log(step);
}

double LogZ(const Product<double>& product, Index length) {
  if (!product.sequential()) return *GaussianTreeLogPartition(product);
  const auto markov = HiddenMarkovLogPartition(product, length);
  return markov.ok() ? *markov : *LinearDynamicalLogPartition(product, length);
}

class ExactIncompleteScoringOfKind : public testing::TestWithParam<OracleKind> {
};

// So by induction every score is the integral over all that is missing.
TEST_P(ExactIncompleteScoringOfKind, IsTheIntegralOverAnyMissingValue) {
  const OracleKind& kind = GetParam();
  const Product<double> product = ThreeExperts(kind);
  const Observations<double> x = WithGaps(kind, 7);
  const std::vector<double> scores = Exact(product, x);
  int gaps = 0;
  for (Index n = 0; n < x.size; ++n) {
    const Observations<double> one = Slice(x, n, 1);
    const auto missing = std::find(one.clamped.begin(), one.clamped.end(), 0);
    if (missing == one.clamped.end()) continue;
    ++gaps;
    EXPECT_NEAR(scores[n],
                SumOver(product, kind, one, missing - one.clamped.begin()),
                3e-5);
  }
  EXPECT_GE(gaps, 4);
}

TEST_P(ExactIncompleteScoringOfKind, WithNothingMissingItIsTheLogScore) {
  const OracleKind& kind = GetParam();
  const Product<double> product = ThreeExperts(kind);
  Observations<double> x = kind.ragged ? kind.ragged(7, 53) : kind.rows(7, 53);
  x.clamped.assign(x.frames() * kind.dimension, 1);
  const std::vector<double> scores = Exact(product, x);
  const std::vector<double> complete = product.LogScores(x, Workers::Inline());
  for (Index n = 0; n < x.size; ++n) EXPECT_NEAR(scores[n], complete[n], 1e-9);
}

TEST_P(ExactIncompleteScoringOfKind, WithEverythingMissingItIsLogZ) {
  const OracleKind& kind = GetParam();
  const Product<double> product = ThreeExperts(kind);
  Observations<double> x = kind.ragged ? kind.ragged(3, 54) : kind.rows(3, 54);
  x.values.setConstant(kNotRead);
  const std::vector<double> scores = Exact(product, x);
  for (Index n = 0; n < x.size; ++n)
    EXPECT_NEAR(scores[n], LogZ(product, x.length(n)), 1e-9);
}

TEST_P(ExactIncompleteScoringOfKind, AnObservationHasTheSameBitsInAnyBatch) {
  const OracleKind& kind = GetParam();
  const Product<double> product = ThreeExperts(kind);
  const Observations<double> x = WithGaps(kind, 40);
  const std::vector<double> all = Exact(product, x, Workers(3));
  for (Index n = 0; n < x.size; ++n)
    EXPECT_EQ(Exact(product, Slice(x, n, 1))[0], all[n]);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, ExactIncompleteScoringOfKind,
    testing::Values(HiddenMarkovOnRealSequences(),
                    HiddenMarkovOnUnboundedSequences(), HiddenMarkovOnSymbols(),
                    LinearDynamicalWithoutABox(), LinearDynamicalOfWideFrames(),
                    GaussianTrees(), GaussianTreeMixturesWithUniform(),
                    GaussianTreeMixturesInFourDimensions()),
    [](const testing::TestParamInfo<OracleKind>& info) {
      return info.param.name;
    });

TEST(ExactIncompleteScoringTest, ObservedValuesOutOfSupportAreImpossible) {
  const OracleKind kind = HiddenMarkovOnRealSequences();
  Observations<double> x = MakeSequences<double>({2, 2}, 1);
  x.clamped = {1, 0, 0, 1};
  x.values(0, 0) = kBoxUpper + 1;  // observed
  x.values(2, 0) = kBoxUpper + 1;  // missing
  const std::vector<double> scores = Exact(ThreeExperts(kind), x);
  EXPECT_EQ(scores[0], -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isfinite(scores[1]));
}

TEST(ExactIncompleteScoringTest, SaysWhereItDoesNotApply) {
  const auto refusal = [](const OracleKind& kind, Index most) {
    const absl::Status status =
        ExactIncompleteLogScores(ThreeExperts(kind), WithGaps(kind, 2), most,
                                 Workers::Inline(), NeverInterrupt)
            .status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(refusal(CircularUnigauss(), kMany),
              HasSubstr("not a structured Gaussian"));
  EXPECT_THAT(refusal(HiddenMarkovOnSymbols(), 7),
              HasSubstr("more than 7 joint states"));
  EXPECT_THAT(refusal(LinearDynamicalWithoutABox(), 23),
              HasSubstr("6 latent dimensions"));
  EXPECT_THAT(refusal(LinearDynamicalOnABox(), kMany), HasSubstr("on a box"));
  EXPECT_THAT(refusal(GaussianTreeMixturesWithUniform(), 7),
              HasSubstr("more than 7 combinations"));
  EXPECT_THAT(refusal(GaussianTrees(), 0), HasSubstr("more than 0"));
}

TEST(ExactIncompleteScoringTest, StopsWhenInterrupted) {
  const OracleKind kind = GaussianTrees();
  const auto scores = ExactIncompleteLogScores(
      ThreeExperts(kind), WithGaps(kind, 2), kMany, Workers::Inline(),
      [] { return absl::CancelledError("enough"); });
  EXPECT_TRUE(absl::IsCancelled(scores.status()));
}

Model MarkovModel() {
  const OracleKind kind = HiddenMarkovOnUnboundedSequences();
  const auto base = kind.make_base();
  Model model;
  model.data_spec.family = Family::kStructuredGaussian;
  model.data_spec.dimension = kind.dimension;
  model.data_spec.sequential = true;
  model.data_spec.preprocessing.kind = Preprocessing::Kind::kStandardize;
  model.data_spec.preprocessing.shift.assign(kind.dimension, 1);
  model.data_spec.preprocessing.scale.assign(kind.dimension, 2);
  model.classes.emplace_back().name = "data";
  model.classes[0].layers.push_back(
      ThreeExperts<float>(*StructuredGaussianBase<float>::Create(
                              base->block(0).transpose().cast<float>(),
                              base->block(1).transpose().cast<float>()),
                          kind.make_float));
  return model;
}

// Where there are too few chains and temperatures for the joint states, the
// estimate is asked for after all.
TEST(ScoreIncompleteTest, IsExactWhereThatTakesNoLongerThanTheEstimate) {
  const Model model = MarkovModel();
  const RowMatrix<float> values = NormalMatrix(6, 1, 55);
  const std::vector<std::uint8_t> observed = {1, 0, 1, 0, 1, 1};
  const std::vector<Index> starts = {0, 2, 6};
  RawRows rows = RowsOf(values);
  rows.observed = observed;
  rows.starts = starts;
  ASSERT_TRUE(ValidateRows(model.data_spec, rows).ok());
  const auto ask = [&](Index chains, std::uint64_t seed) {
    IncompleteScoreOptions options;
    options.chains = chains;
    options.inverse_temperatures = EvenInverseTemperatures(2);
    options.seed = seed;
    return *ScoreIncomplete(model, rows, options, Workers::Inline(),
                            NeverInterrupt, IgnoreProgress);
  };
  const IncompleteScores exact = ask(100, 1), estimated = ask(2, 1);
  Observations<float> x = Preprocess(model.data_spec, rows, 0, 2);
  KeepObserved(model.data_spec, rows, 0, x);
  const auto twin = ExactIncompleteLogScores(
      model.classes[0].layers[0], x, kMany, Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(twin.ok()) << twin.status();
  for (Index n = 0; n < 2; ++n) {
    const int seen = n == 0 ? 1 : 3;
    EXPECT_NEAR(exact.log_scores(n, 0), (*twin)[n] - seen * std::log(2), 1e-12);
    EXPECT_EQ(exact.standard_errors(n, 0), 0);
    EXPECT_EQ(exact.effective_sample_sizes(n, 0), 100);
    EXPECT_NE(estimated.standard_errors(n, 0), 0);
  }
  EXPECT_EQ(exact.log_scores, ask(100, 2).log_scores);
}

}  // namespace
}  // namespace poe
