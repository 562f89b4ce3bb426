#include "poe/incomplete_scoring.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/annealed_importance.h"
#include "poe/bases/bernoulli.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/numerics/elementwise.h"
#include "poe/scoring.h"
#include "tests/core/core_models.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"
#include "tests/core/standard_errors.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

IncompleteScoreOptions Options(Index chains, int intervals) {
  IncompleteScoreOptions options;
  options.chains = chains;
  options.inverse_temperatures = EvenInverseTemperatures(intervals);
  options.seed = 23;
  return options;
}

std::vector<AnnealedEstimate> Estimate(
    const Product<double>& product, const Observations<double>& x,
    const IncompleteScoreOptions& options,
    const Workers& workers = Workers::Inline()) {
  auto estimates = EstimateIncompleteLogScores(product, x, options, workers,
                                               NeverInterrupt, IgnoreProgress);
  EXPECT_TRUE(estimates.ok()) << estimates.status();
  return *std::move(estimates);
}

// Observations of a kind with a value missing, the first in one observation,
// the second in the next, and so on; `columns` is the width of a value.
Observations<double> WithOneMissing(const OracleKind& kind, Index size) {
  Observations<double> x = kind.rows(size, 31);
  x.clamped.assign(x.frames() * kind.dimension, 1);
  const Index values = kind.dimension * kind.length / kind.columns;
  for (Index n = 0; n < size; ++n) {
    const Index first =
        n * kind.dimension * kind.length + n % values * kind.columns;
    std::fill_n(x.clamped.begin() + first, kind.columns, std::uint8_t{0});
  }
  return x;
}

// log of the integral of p* over the one missing value of observation n: the
// sum over its states, or the trapezoid rule.
double ExactLogScore(const Product<double>& product, const OracleKind& kind,
                     const Observations<double>& x, Index n) {
  const Index width = kind.dimension * kind.length, start = n * width;
  const Index missing =
      std::find(x.clamped.begin() + start, x.clamped.end(), 0) -
      x.clamped.begin() - start;
  const Family family = product.base().family();
  const bool discrete =
      family == Family::kBernoulli || family == Family::kCategorical;
  double lower = kBoxLower, upper = kBoxUpper;
  if (family == Family::kStructuredGaussian) {
    lower = -60;
    upper = 60;
  }
  const Index points = family == Family::kBernoulli ? 2
                       : discrete                   ? kind.columns
                                                    : 60001;
  const double step = discrete ? 1 : (upper - lower) / (points - 1);
  Observations<double> filled = Repeat(x, n, points);
  for (Index k = 0; k < points; ++k) {
    double* row = filled.values.data() + k * width;
    if (family == Family::kCategorical) {
      std::fill_n(row + missing, kind.columns, 0.0);
      row[missing + k] = 1;
    } else {
      row[missing] = discrete ? k : lower + k * step;
    }
  }
  std::vector<double> scores = product.LogScores(filled, Workers::Inline());
  if (!discrete) scores.front() -= std::log(2), scores.back() -= std::log(2);
  return LogSumExp(scores) + std::log(step);
}

class IncompleteScoringOfKind : public testing::TestWithParam<OracleKind> {};

TEST_P(IncompleteScoringOfKind, AgreesWithTheIntegralOverWhatIsMissing) {
  const OracleKind& kind = GetParam();
  const Product<double> product = ProductOf(kind);
  const Observations<double> x = WithOneMissing(kind, 6);
  const std::vector<AnnealedEstimate> estimates =
      Estimate(product, x, Options(1000, 20));
  for (Index n = 0; n < x.size; ++n) {
    const double error = estimates[n].standard_error;
    EXPECT_NEAR(estimates[n].value, ExactLogScore(product, kind, x, n),
                6 * error + error * error + 1e-6);
    // The bound means something.
    EXPECT_LT(error, 0.2);
    EXPECT_GT(error, 0);
  }
}

TEST_P(IncompleteScoringOfKind, WithNothingMissingItIsTheLogScore) {
  const OracleKind& kind = GetParam();
  const Product<double> product = ProductOf(kind);
  Observations<double> x = kind.rows(5, 32);
  x.clamped.assign(x.frames() * kind.dimension, 1);
  const std::vector<AnnealedEstimate> estimates =
      Estimate(product, x, Options(10, 5));
  const std::vector<double> scores = product.LogScores(x, Workers::Inline());
  for (Index n = 0; n < x.size; ++n) {
    EXPECT_EQ(estimates[n].value, scores[n]);
    EXPECT_EQ(estimates[n].standard_error, 0);
  }
}

TEST_P(IncompleteScoringOfKind, WithEverythingMissingItIsLogZ) {
  const OracleKind& kind = GetParam();
  const Product<double> product = ProductOf(kind);
  Observations<double> x = kind.rows(1, 33);
  x.values.setConstant(std::numeric_limits<double>::quiet_NaN());
  const AnnealedEstimate estimate = Estimate(product, x, Options(2000, 40))[0];
  const double error = estimate.standard_error;
  EXPECT_NEAR(estimate.value,
              ExactDistribution(product, 1, kind.length).log_normalizer(),
              6 * error + error * error + 1e-8);
  EXPECT_LT(error, 0.07);
}

INSTANTIATE_TEST_SUITE_P(AllKinds, IncompleteScoringOfKind,
                         testing::ValuesIn(KindsWithExactDistribution()),
                         [](const testing::TestParamInfo<OracleKind>& info) {
                           return info.param.name;
                         });

// Beside rows with other masks, complete ones and sequences of other lengths.
TEST(IncompleteScoringTest, AnObservationHasTheSameBitsInAnyBatch) {
  for (const OracleKind& kind :
       {BernoulliUnitsOnBinaryData(), HiddenMarkovOnRealSequences()}) {
    const Product<double> product = ProductOf(kind);
    Observations<double> x =
        kind.ragged ? kind.ragged(40, 34) : kind.rows(40, 34);
    std::vector<std::uint32_t> bits(x.frames() * kind.dimension);
    FillBits({35, Purpose::kTest}, 0, absl::MakeSpan(bits));
    for (std::uint32_t bit : bits) x.clamped.push_back(bit % 2);
    const IncompleteScoreOptions options = Options(9, 5);
    const std::vector<AnnealedEstimate> all =
        Estimate(product, x, options, Workers(3));
    const std::vector<Index> starts = x.FrameStarts();
    for (Index n : {0, 1, 2, 17, 39}) {
      Observations<double> alone = Repeat(x, n, 1);
      alone.row_ids = {x.row_ids[n]};
      alone.clamped.assign(x.clamped.begin() + starts[n] * kind.dimension,
                           x.clamped.begin() + starts[n + 1] * kind.dimension);
      const AnnealedEstimate estimate = Estimate(product, alone, options)[0];
      EXPECT_EQ(estimate.value, all[n].value);
      EXPECT_EQ(estimate.standard_error, all[n].standard_error);
    }
  }
}

TEST(IncompleteScoringTest, TheStandardErrorIsTheSpreadOfEstimates) {
  const OracleKind kind = UnigaussWithVariancePerCoordinate();
  const Product<double> product = ProductOf(kind);
  // Row ids name the chains, so copies of one row are independent estimates.
  constexpr Index kCopies = 60;
  const Observations<double> one = WithOneMissing(kind, 1);
  Observations<double> x = Repeat(one, 0, kCopies);
  for (Index n = 0; n < kCopies; ++n)
    x.clamped.insert(x.clamped.end(), one.clamped.begin(), one.clamped.end());
  const double exact = ExactLogScore(product, kind, one, 0);
  std::vector<double> misses;
  for (const AnnealedEstimate& estimate : Estimate(product, x, Options(300, 8)))
    misses.push_back((estimate.value - exact) / estimate.standard_error);
  ExpectHonestStandardErrors(misses);
}

TEST(IncompleteScoringTest, ObservedValuesOutOfSupportAreImpossible) {
  const OracleKind kind = CircularUnigauss();
  Observations<double> x = WithOneMissing(kind, 2);
  x.values(0, 1) = kBoxUpper + 1;  // observed
  x.values(1, 1) = kBoxUpper + 1;  // missing
  const std::vector<AnnealedEstimate> estimates =
      Estimate(ProductOf(kind), x, Options(10, 5));
  EXPECT_EQ(estimates[0].value, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(estimates[0].standard_error, 0);
  EXPECT_TRUE(std::isfinite(estimates[1].value));
}

TEST(IncompleteScoringTest, RefusesWhatIsOutOfRange) {
  const OracleKind kind = CircularUnigauss();
  const Product<double> product = ProductOf(kind);
  const auto refused = [&](const Observations<double>& x,
                           const IncompleteScoreOptions& options) {
    const auto estimates = EstimateIncompleteLogScores(
        product, x, options, Workers::Inline(), NeverInterrupt, IgnoreProgress);
    EXPECT_TRUE(absl::IsInvalidArgument(estimates.status()));
    return std::string(estimates.status().message());
  };
  const Observations<double> x = WithOneMissing(kind, 2);
  EXPECT_THAT(refused(x, Options(1, 5)), HasSubstr("at least 2"));
  IncompleteScoreOptions descending = Options(10, 5);
  descending.inverse_temperatures = {1, 0};
  EXPECT_THAT(refused(x, descending), HasSubstr("begin with 0"));
  EXPECT_THAT(refused(MakeDense<double>(2, 1), Options(10, 5)),
              HasSubstr("rows of 1 columns"));
  Observations<double> half = x;
  half.clamped.pop_back();
  EXPECT_THAT(refused(half, Options(10, 5)), HasSubstr("3 entries"));
}

TEST(IncompleteScoringTest, StopsWhenInterruptedAndTellsProgress) {
  const OracleKind kind = CircularUnigauss();
  const Product<double> product = ProductOf(kind);
  const Observations<double> x = WithOneMissing(kind, 2);
  std::vector<double> shares;
  int asked = 0;
  const auto estimates = EstimateIncompleteLogScores(
      product, x, Options(10, 5), Workers::Inline(),
      [&] {
        return ++asked == 4 ? absl::CancelledError("enough") : absl::OkStatus();
      },
      [&](double share) { shares.push_back(share); });
  EXPECT_TRUE(absl::IsCancelled(estimates.status()));
  EXPECT_EQ(shares, (std::vector<double>{0.2, 0.4, 0.6}));
}

// Raw units count those observed alone; the twin works in preprocessed ones.
TEST(IncompleteScoringTest, RawRowsAreScoredInUnitsOfWhatIsObserved) {
  const Model model = UnigaussModel(3, 4, 2);
  const RowMatrix<float> values = UniformMatrix(3, 3, -0.5f, 4.5f, 36);
  const std::vector<std::uint8_t> observed = {1, 0, 1, 1, 1, 1, 0, 0, 0};
  RawRows rows = RowsOf(values);
  rows.observed = observed;
  ASSERT_TRUE(ValidateRows(model.data_spec, rows).ok());
  const IncompleteScoreOptions options = Options(200, 10);
  const auto scores = ScoreIncomplete(model, rows, options, Workers::Inline(),
                                      NeverInterrupt, IgnoreProgress);
  ASSERT_TRUE(scores.ok()) << scores.status();
  Observations<float> x = Preprocess(model.data_spec, rows, 0, 3);
  KeepObserved(model.data_spec, rows, 0, x);
  const std::vector<double>& scale = model.data_spec.preprocessing.scale;
  for (Index c = 0; c < 2; ++c) {
    IncompleteScoreOptions of_class = options;
    of_class.seed = DeriveSeed(options.seed, c);
    const auto twin = EstimateIncompleteLogScores(
        model.classes[c].layers[0], x, of_class, Workers::Inline(),
        NeverInterrupt, IgnoreProgress);
    ASSERT_TRUE(twin.ok());
    for (Index n = 0; n < 3; ++n) {
      double jacobian = 0;
      for (Index i = 0; i < 3; ++i)
        if (observed[n * 3 + i]) jacobian -= std::log(scale[i]);
      EXPECT_NEAR(scores->log_scores(n, c), (*twin)[n].value + jacobian, 1e-12);
      EXPECT_EQ(scores->standard_errors(n, c), (*twin)[n].standard_error);
      EXPECT_EQ(scores->effective_sample_sizes(n, c),
                (*twin)[n].effective_sample_size);
    }
  }
  // The complete row as Score has it.
  const auto complete = Score(model, RowsOf(values), ScoreOptions{},
                              Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(complete.ok());
  for (Index c = 0; c < 2; ++c)
    EXPECT_EQ(scores->log_scores(1, c), complete->log_scores(1, c));
}

// Of a conditional model the inputs stay and only outputs are summed over.
TEST(IncompleteScoringTest, InputsAreGivenAndMayNotBeMissing) {
  Model model = BernoulliModel(6, 4, 1);
  model.data_spec.input_coordinates = {0, 1, 2};
  const RowMatrix<float> values = RowMatrix<float>::Ones(2, 6);
  std::vector<std::uint8_t> observed = {1, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0};
  RawRows rows = RowsOf(values);
  rows.observed = observed;
  ASSERT_TRUE(ValidateRows(model.data_spec, rows).ok());
  const auto scores =
      ScoreIncomplete(model, rows, Options(2000, 20), Workers::Inline(),
                      NeverInterrupt, IgnoreProgress);
  ASSERT_TRUE(scores.ok()) << scores.status();
  for (Index n = 0; n < 2; ++n) {
    const Index missing = n == 0 ? 2 : 3;
    RowMatrix<float> filled = RowMatrix<float>::Ones(1 << missing, 6);
    for (Index k = 0; k < filled.rows(); ++k)
      for (Index i = 0; i < missing; ++i)
        filled(k, 5 - i) = static_cast<float>(k >> i & 1);
    const auto each = Score(model, RowsOf(filled), ScoreOptions{},
                            Workers::Inline(), NeverInterrupt);
    ASSERT_TRUE(each.ok());
    const Vector<double> column = each->log_scores.col(0);
    const double error = scores->standard_errors(n, 0);
    EXPECT_NEAR(scores->log_scores(n, 0),
                LogSumExp(absl::MakeConstSpan(column.data(), column.size())),
                6 * error + error * error + 1e-5);
    EXPECT_LT(error, 0.1);
  }
  observed[1] = 0;
  const absl::Status refused = ValidateRows(model.data_spec, rows);
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("input"));
}

TEST(IncompleteScoringTest, RealInputsAreGivenAndMayNotBeMissing) {
  const Product<double> product = ProductOf(
      *BernoulliBase<double>::Create(Vector<double>::LinSpaced(3, -1, 1), 2),
      *BernoulliUnits<double>::Create(RandomMatrix(5, 4, 1, 40),
                                      Vector<double>::Ones(4)));
  Observations<double> x = MakeDense<double>(1, 5);
  x.values.row(0) << 1, 0, 0, -0.7, 1.9;
  x.clamped = {1, 0, 0, 1, 1};
  Observations<double> filled = Repeat(x, 0, 4);
  for (Index k = 0; k < 4; ++k) {
    filled.values(k, 1) = k % 2;
    filled.values(k, 2) = k / 2;
  }
  const AnnealedEstimate estimate = Estimate(product, x, Options(2000, 20))[0];
  EXPECT_NEAR(estimate.value,
              LogSumExp(product.LogScores(filled, Workers::Inline())),
              6 * estimate.standard_error + 1e-4);
  EXPECT_LT(estimate.standard_error, 0.1);

  x.clamped[4] = 0;
  const auto refused =
      EstimateIncompleteLogScores(product, x, Options(10, 5), Workers::Inline(),
                                  NeverInterrupt, IgnoreProgress);
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status()));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("column 4"));
  AnnealedImportanceOptions options;
  options.inverse_temperatures = EvenInverseTemperatures(5);
  EXPECT_TRUE(absl::IsFailedPrecondition(
      EstimateLogPartition(product, options, Workers::Inline(), NeverInterrupt,
                           IgnoreProgress)
          .status()));
}

absl::StatusOr<Scores> ScoreWith(const Model& model, const RawRows& rows,
                                 const IncompleteScoreOptions& missing) {
  return Score(model, rows, {.per_expert = true, .missing = missing},
               Workers::Inline(), NeverInterrupt);
}

// By enumeration: the label is that of the sums over what is missing.
TEST(ScoreTest, RowsWithMissingValuesAreJudgedByWhatWasObserved) {
  const Model model = BernoulliModel(6, 4, 3);
  const RowMatrix<float> values =
      (NormalMatrix(40, 6, 41).array() > 0).cast<float>();
  std::vector<std::uint8_t> observed(40 * 6, 1);
  for (Index n = 0; n < 40; n += 2)
    for (Index i = n % 3; i < 6; i += 2) observed[n * 6 + i] = 0;
  RawRows rows = RowsOf(values);
  rows.observed = observed;
  const auto scores = ScoreWith(model, rows, Options(4000, 20));
  ASSERT_TRUE(scores.ok()) << scores.status();
  const auto complete = Score(model, RowsOf(values), {.per_expert = true},
                              Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(complete.ok());
  EXPECT_EQ(complete->standard_errors.size(), 0);
  for (Index n = 0; n < 40; ++n) {
    if (n % 2 == 1) {
      EXPECT_TRUE(scores->standard_errors.row(n).isZero(0));
      EXPECT_EQ(scores->log_scores.row(n), complete->log_scores.row(n));
      EXPECT_EQ(scores->percentiles.row(n), complete->percentiles.row(n));
      EXPECT_EQ(scores->labels[n], complete->labels[n]);
      continue;
    }
    std::vector<Index> missing;
    for (Index i = 0; i < 6; ++i)
      if (!observed[n * 6 + i]) missing.push_back(i);
    const Index combinations = Index{1} << missing.size();
    RowMatrix<float> filled = values.row(n).replicate(combinations, 1);
    for (Index k = 0; k < combinations; ++k)
      for (std::size_t j = 0; j < missing.size(); ++j)
        filled(k, missing[j]) = static_cast<float>(k >> j & 1);
    const auto each =
        Score(model, RowsOf(filled), {}, Workers::Inline(), NeverInterrupt);
    ASSERT_TRUE(each.ok());
    RowMatrix<double> sums(1, 3);
    for (Index c = 0; c < 3; ++c) {
      const Vector<double> column = each->log_scores.col(c);
      sums(0, c) = LogSumExp(absl::MakeConstSpan(column.data(), column.size()));
      const double error = scores->standard_errors(n, c);
      EXPECT_NEAR(scores->log_scores(n, c), sums(0, c),
                  6 * error + error * error + 1e-5);
      EXPECT_TRUE(std::isnan(scores->percentiles(n, c)));
      EXPECT_TRUE(scores->expert_log_scores[c].row(n).array().isNaN().all());
    }
    const Classification judged = model.separator->Classify(sums);
    if (judged.margins[0] > 0.1) {
      EXPECT_EQ(scores->labels[n], judged.labels[0]);
    }
    EXPECT_NEAR(scores->probabilities.row(n).sum(), 1, 1e-6);
  }
  EXPECT_TRUE(scores->out_of_support.empty());
}

// One step from the base to experts this sharp.
TEST(ScoreTest, WhereChainsHaveCollapsedARowHasNeitherScoreNorLabel) {
  Model model = BernoulliModel(20, 10, 2);
  for (ClassModel& one : model.classes)
    one.layers[0].mutable_group(0).UpdateParameters(
        Workers::Inline(),
        [](Eigen::Ref<Vector<float>> parameters) { parameters *= 50; });
  const RowMatrix<float> values = RowMatrix<float>::Ones(2, 20);
  std::vector<std::uint8_t> observed(40, 1);
  std::fill_n(observed.begin(), 19, std::uint8_t{0});
  RawRows rows = RowsOf(values);
  rows.observed = observed;
  const auto scores = ScoreWith(model, rows, Options(50, 1));
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_TRUE(scores->log_scores.row(0).array().isNaN().all());
  EXPECT_TRUE(scores->standard_errors.row(0).array().isNaN().all());
  EXPECT_EQ(scores->labels[0], -1);
  EXPECT_TRUE(scores->log_scores.row(1).allFinite());
  EXPECT_TRUE(scores->out_of_support.empty());
}

TEST(ScoreTest, LogProbabilitiesOfWhatWasObservedAreNormalized) {
  Model model = BernoulliModel(2, 3, 1);
  RowMatrix<float> values(2, 2);
  values << 0, 0, 1, 0;
  const std::vector<std::uint8_t> observed = {1, 0, 1, 0};
  const RowMatrix<float> all{{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  const auto each =
      Score(model, RowsOf(all), {}, Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(each.ok());
  const Vector<double> column = each->log_scores.col(0);
  LogPartition partition;
  partition.value = LogSumExp(absl::MakeConstSpan(column.data(), 4));
  model.classes[0].log_partitions.push_back(partition);
  RawRows rows = RowsOf(values);
  rows.observed = observed;
  const auto scores = ScoreWith(model, rows, Options(20000, 30));
  ASSERT_TRUE(scores.ok()) << scores.status();
  const double sum = scores->log_probabilities.col(0).array().exp().sum();
  EXPECT_NEAR(sum, 1, 6 * scores->standard_errors.maxCoeff() + 1e-5);
  EXPECT_LT(scores->standard_errors.maxCoeff(), 0.01);
}

TEST(ScoreTest, HigherLayersSayNothingOfRowsWithMissingValues) {
  const Model model = LayeredModel({5, 4, 3}, 2);
  const RowMatrix<float> values = RowMatrix<float>::Ones(2, 5);
  const std::vector<std::uint8_t> observed = {1, 1, 1, 1, 0, 1, 1, 1, 1, 1};
  RawRows rows = RowsOf(values);
  rows.observed = observed;
  const auto scores = ScoreWith(model, rows, Options(10, 5));
  ASSERT_TRUE(scores.ok()) << scores.status();
  for (Index c = 0; c < 2; ++c) {
    EXPECT_TRUE(std::isfinite(scores->log_scores(0, c * 2)));
    EXPECT_TRUE(std::isnan(scores->log_scores(0, c * 2 + 1)));
  }
  EXPECT_TRUE(scores->log_scores.row(1).allFinite());
  EXPECT_EQ(scores->labels[0], -1);
  EXPECT_TRUE(scores->probabilities.row(0).isZero(0));
  EXPECT_GE(scores->labels[1], 0);
}

TEST(ScoreTest, ObservedValuesOutOfSupportAreSo) {
  const Model model = UnigaussModel(3, 4, 2);
  RowMatrix<float> values = RowMatrix<float>::Zero(2, 3);
  values(0, 0) = 100;
  values(1, 0) = 100;
  const std::vector<std::uint8_t> observed = {1, 0, 1, 0, 1, 1};
  RawRows rows = RowsOf(values);
  rows.observed = observed;
  const auto scores = ScoreWith(model, rows, Options(10, 5));
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_EQ(scores->out_of_support, (std::vector<bool>{true, false}));
  EXPECT_EQ(scores->log_scores(0, 1), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(scores->labels[0], -1);
  EXPECT_TRUE(std::isfinite(scores->log_scores(1, 0)));
}

TEST(ScoreTest, ConditionalModelsDoNotJudgeRowsWithMissingOutputs) {
  Model model = BernoulliModel(6, 4, 2);
  model.data_spec.input_coordinates = {0, 1, 2};
  const RowMatrix<float> values = RowMatrix<float>::Ones(2, 6);
  const std::vector<std::uint8_t> observed = {1, 1, 1, 1, 0, 0,
                                              1, 1, 1, 1, 1, 1};
  RawRows rows = RowsOf(values);
  rows.observed = observed;
  const auto scores = ScoreWith(model, rows, Options(10, 5));
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_TRUE(std::isnan(scores->log_probabilities(0, 0)));
  EXPECT_EQ(scores->labels[0], -1);
  EXPECT_TRUE(std::isfinite(scores->log_probabilities(1, 0)));
  EXPECT_GE(scores->labels[1], 0);
}

}  // namespace
}  // namespace poe
