#include "poe/annealed_importance.h"

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/bases/bernoulli.h"
#include "poe/bases/linear.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/incomplete_scoring.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

Product<double> ProductOf(std::unique_ptr<Base<double>> base,
                          std::unique_ptr<ExpertGroup<double>> group) {
  std::vector<std::unique_ptr<ExpertGroup<double>>> groups;
  groups.push_back(std::move(group));
  return *Product<double>::Create(std::move(base), std::move(groups));
}

Product<double> ProductOf(const OracleKind& kind, double power = 1) {
  return ProductOf(kind.make_base(), kind.make(kind.experts, power));
}

AnnealedImportanceOptions Options(Index chains, int intervals) {
  AnnealedImportanceOptions options;
  options.chains = chains;
  options.inverse_temperatures = EvenInverseTemperatures(intervals);
  options.seed = 17;
  return options;
}

AnnealedEstimate Estimate(const Product<double>& product,
                          const AnnealedImportanceOptions& options,
                          const Workers& workers = Workers::Inline()) {
  auto estimate = EstimateLogPartition(product, options, workers,
                                       NeverInterrupt, IgnoreProgress);
  EXPECT_TRUE(estimate.ok()) << estimate.status();
  return *estimate;
}

AnnealedEstimate Reverse(const Product<double>& product,
                         const ProductSamples<double>& samples,
                         const AnnealedImportanceOptions& options,
                         const Workers& workers = Workers::Inline()) {
  auto estimate = EstimateLogPartitionInReverse(
      product, samples, options, workers, NeverInterrupt, IgnoreProgress);
  EXPECT_TRUE(estimate.ok()) << estimate.status();
  return *estimate;
}

// The weights' mean is unbiased, so that of its logarithm is off by half the
// relative variance of the mean, error^2 / 2; twice that covers the error's own
// error. 5.5 errors are passed by chance less than once in ten million.
double Bound(const AnnealedEstimate& estimate) {
  return 5.5 * estimate.standard_error +
         estimate.standard_error * estimate.standard_error;
}

void ExpectSameBits(const AnnealedEstimate& a, const AnnealedEstimate& b) {
  EXPECT_EQ(a.value, b.value);
  EXPECT_EQ(a.standard_error, b.standard_error);
  EXPECT_EQ(a.effective_sample_size, b.effective_sample_size);
}

class AnnealedImportanceOfKind : public testing::TestWithParam<OracleKind> {};

TEST_P(AnnealedImportanceOfKind, AgreesWithTheExactNormalizer) {
  const OracleKind& kind = GetParam();
  for (double power : {1.0, 0.5}) {
    const Product<double> product = ProductOf(kind, power);
    const ExactDistribution exact(product, 1, kind.length);
    AnnealedImportanceOptions options = Options(2000, 40);
    options.length = kind.length;
    const auto estimates = EstimateLogPartitionBothWays(
        product, {exact.Sample(2000, 5), true}, options, Workers::Inline(),
        NeverInterrupt, IgnoreProgress);
    ASSERT_TRUE(estimates.ok()) << estimates.status();
    for (const AnnealedEstimate& estimate :
         {estimates->forward, estimates->reverse}) {
      EXPECT_NEAR(estimate.value, exact.log_normalizer(),
                  Bound(estimate) + 1e-9);
      EXPECT_TRUE(estimate.is_bound);
      // The bound means something.
      EXPECT_LT(estimate.standard_error, 0.07);
      EXPECT_GT(estimate.effective_sample_size, 200);
      EXPECT_LE(estimate.effective_sample_size, 2000 * (1 + 1e-12));
    }
    ExpectSameBits(estimates->forward, Estimate(product, options));
  }
}

// The same weights as the formula says, a step at a time.
TEST_P(AnnealedImportanceOfKind, WeightsAreThoseOfAPlainWalk) {
  const OracleKind& kind = GetParam();
  const Product<double> product = ProductOf(kind, 0.8);
  AnnealedImportanceOptions options = Options(21, 7);
  options.length = kind.length;
  const std::vector<double>& ladder = options.inverse_temperatures;
  Observations<double> x =
      product.sequential()
          ? MakeSequences<double>(std::vector<Index>(21, kind.length),
                                  kind.dimension)
          : MakeDense<double>(21, kind.dimension);
  product.base().SampleStart({17, Purpose::kStart, 0, 0}, x);
  std::vector<double> log_weights(x.size, 0);
  for (std::size_t k = 1; k < ladder.size(); ++k) {
    std::vector<double> low(x.size, 0);
    if (k == 1)
      product.base().AddLogScores(x, absl::MakeSpan(low));
    else
      low = TemperedLogScores(product, ladder[k - 1], x);
    const std::vector<double> high = TemperedLogScores(product, ladder[k], x);
    for (Index n = 0; n < x.size; ++n) log_weights[n] += high[n] - low[n];
    GibbsOptions step;
    step.seed = 17;
    step.inverse_temperatures = {ladder[k]};
    step.first_step = static_cast<std::uint32_t>(k);
    ASSERT_TRUE(
        RunGibbs(product, step, Workers::Inline(), NeverInterrupt, x).ok());
  }
  const double log_base =
      *product.base().LogNormalizer() * static_cast<double>(kind.length);
  EXPECT_NEAR(Estimate(product, options).value,
              LogMeanWeight(log_weights).value + log_base, 1e-9);
}

INSTANTIATE_TEST_SUITE_P(AllKinds, AnnealedImportanceOfKind,
                         testing::ValuesIn(KindsWithExactDistribution()),
                         [](const testing::TestParamInfo<OracleKind>& info) {
                           return info.param.name;
                         });

// Errors in units of the claimed one have variance 1: over 60 seeds the mean
// of their squares is within 6 sqrt(2 / 60) of it, save for the bias.
TEST(AnnealedImportanceTest, TheStandardErrorIsTheSpreadOfEstimates) {
  const Product<double> product =
      ProductOf(UnigaussWithVariancePerCoordinate());
  const ExactDistribution exact(product, 1);
  constexpr int kSeeds = 60;
  for (bool reverse : {false, true}) {
    double squares = 0, sum = 0;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      AnnealedImportanceOptions options = Options(300, 8);
      options.seed = seed;
      const AnnealedEstimate estimate =
          reverse ? Reverse(product, {exact.Sample(300, seed), true}, options)
                  : Estimate(product, options);
      const double miss =
          (estimate.value - exact.log_normalizer()) / estimate.standard_error;
      sum += miss;
      squares += miss * miss;
    }
    EXPECT_NEAR(squares / kSeeds, 1, 6 * std::sqrt(2.0 / kSeeds));
    EXPECT_GT(squares / kSeeds, 0.3);
    EXPECT_NEAR(sum / kSeeds, 0, 6 / std::sqrt(1.0 * kSeeds));
  }
}

// With few chains on a short ladder the bias shows: means over 400 seeds are
// beyond 5.5 of their standard errors from the truth, on either side of it.
TEST(AnnealedImportanceTest, ForwardIsTooLowAndReverseTooHighOnAverage) {
  const Product<double> product = ProductOf(BernoulliUnitsOnBinaryData());
  const ExactDistribution exact(product, 1);
  constexpr int kSeeds = 400;
  for (bool reverse : {false, true}) {
    double sum = 0, squares = 0;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      AnnealedImportanceOptions options = Options(2, 1);
      options.seed = seed;
      const AnnealedEstimate estimate =
          reverse ? Reverse(product, {exact.Sample(2, seed), true}, options)
                  : Estimate(product, options);
      const double miss = estimate.value - exact.log_normalizer();
      sum += miss;
      squares += miss * miss;
    }
    const double mean = sum / kSeeds;
    const double error = std::sqrt((squares / kSeeds - mean * mean) / kSeeds);
    EXPECT_GT((reverse ? mean : -mean) / error, 5.5);
  }
}

TEST(AnnealedImportanceTest, ReverseFromGibbsChainsIsNoBound) {
  const OracleKind kind = BernoulliUnitsOnBinaryData();
  const Product<double> product = ProductOf(kind);
  ProductSamples<double> samples;
  samples.x = MakeDense<double>(2000, kind.dimension);
  product.base().SampleStart({17, Purpose::kStart, 0, 0}, samples.x);
  GibbsOptions steps;
  steps.seed = 17;  // that of the reverse chains too
  steps.inverse_temperatures = AnnealingSchedule(200, 100);
  ASSERT_TRUE(
      RunGibbs(product, steps, Workers::Inline(), NeverInterrupt, samples.x)
          .ok());
  const AnnealedEstimate estimate = Reverse(product, samples, Options(2, 60));
  EXPECT_FALSE(estimate.is_bound);
  EXPECT_NEAR(estimate.value, ExactDistribution(product, 1).log_normalizer(),
              Bound(estimate));
}

TEST(AnnealedImportanceTest, OneIntervalIsImportanceSamplingFromTheBase) {
  const OracleKind kind = BernoulliUnitsOnBinaryData();
  const Product<double> product = ProductOf(kind);
  const AnnealedEstimate estimate = Estimate(product, Options(1000, 1));
  Observations<double> x = MakeDense<double>(1000, kind.dimension);
  product.base().SampleStart({17, Purpose::kStart, 0, 0}, x);
  const RowMatrix<double> each = product.ExpertLogScores(x, Workers::Inline());
  double sum = 0;
  for (Index n = 0; n < x.size; ++n) sum += std::exp(each.row(n).sum());
  EXPECT_NEAR(estimate.value,
              *product.base().LogNormalizer() + std::log(sum / 1000), 1e-10);
}

TEST(AnnealedImportanceTest, OneIntervalInReverseIsImportanceSamplingToo) {
  const Product<double> product = ProductOf(BernoulliUnitsOnBinaryData());
  const Observations<double> x = ExactDistribution(product, 1).Sample(1000, 3);
  const AnnealedEstimate estimate = Reverse(product, {x, true}, Options(2, 1));
  const RowMatrix<double> each = product.ExpertLogScores(x, Workers::Inline());
  double sum = 0;
  for (Index n = 0; n < x.size; ++n) sum += std::exp(-each.row(n).sum());
  EXPECT_NEAR(estimate.value,
              *product.base().LogNormalizer() - std::log(sum / 1000), 1e-10);
}

TEST(AnnealedImportanceTest, LongerLaddersHaveLessError) {
  const Product<double> product = ProductOf(CircularUnigauss());
  const AnnealedEstimate few = Estimate(product, Options(1000, 2));
  const AnnealedEstimate many = Estimate(product, Options(1000, 100));
  EXPECT_LT(many.standard_error, few.standard_error / 2);
  EXPECT_GT(many.effective_sample_size, few.effective_sample_size);
}

TEST(AnnealedImportanceTest, ConstantExpertsLeaveNoError) {
  const Product<double> product = ProductOf(
      *BernoulliBase<double>::Create(Vector<double>::LinSpaced(4, -1, 1)),
      *BernoulliUnits<double>::Create(RowMatrix<double>::Zero(4, 3),
                                      Vector<double>::Constant(3, 0.7)));
  const AnnealedEstimate estimate = Estimate(product, Options(20, 5));
  EXPECT_NEAR(estimate.value,
              *product.base().LogNormalizer() + 3 * std::log1p(std::exp(0.7)),
              1e-12);
  EXPECT_NEAR(estimate.standard_error, 0, 1e-12);
  EXPECT_NEAR(estimate.effective_sample_size, 20, 1e-9);
}

// More chains than go at a time.
TEST(AnnealedImportanceTest, WorkersDoNotChangeABit) {
  const Product<double> product =
      ProductOf(UnigaussWithVariancePerCoordinate());
  const ProductSamples<double> samples = {
      ExactDistribution(product, 1).Sample(333, 1), true};
  const AnnealedImportanceOptions options = Options(333, 10);
  const AnnealedEstimate forward = Estimate(product, options);
  const AnnealedEstimate reverse = Reverse(product, samples, options);
  for (int threads : {2, 3, 30}) {
    const Workers workers(threads);
    ExpectSameBits(forward, Estimate(product, options, workers));
    ExpectSameBits(reverse, Reverse(product, samples, options, workers));
  }
}

TEST(AnnealedImportanceTest, FloatAgreesWithDouble) {
  const OracleKind kind = BernoulliUnitsOnBinaryData();
  std::vector<std::unique_ptr<ExpertGroup<float>>> groups;
  groups.push_back(kind.make_float(kind.experts, 1));
  const auto product = *Product<float>::Create(
      *BernoulliBase<float>::Create(Vector<float>::LinSpaced(5, -0.8f, 0.7f)),
      std::move(groups));
  const auto estimate =
      EstimateLogPartition(product, Options(4000, 60), Workers::Inline(),
                           NeverInterrupt, IgnoreProgress);
  ASSERT_TRUE(estimate.ok());
  const double exact = ExactDistribution(ProductOf(kind), 1).log_normalizer();
  EXPECT_NEAR(estimate->value, exact, Bound(*estimate) + 1e-4);
}

std::string Refused(const AnnealedImportanceOptions& options) {
  const auto estimate =
      EstimateLogPartition(ProductOf(CircularUnigauss()), options,
                           Workers::Inline(), NeverInterrupt, IgnoreProgress);
  EXPECT_TRUE(absl::IsInvalidArgument(estimate.status()));
  return std::string(estimate.status().message());
}

TEST(AnnealedImportanceTest, RefusesOptionsOutOfRange) {
  auto with_ladder = [](std::vector<double> ladder) {
    AnnealedImportanceOptions options = Options(10, 1);
    options.inverse_temperatures = std::move(ladder);
    return options;
  };
  EXPECT_THAT(Refused(with_ladder({})), HasSubstr("begin with 0"));
  EXPECT_THAT(Refused(with_ladder({0})), HasSubstr("end with 1"));
  EXPECT_THAT(Refused(with_ladder({0.1, 1})), HasSubstr("begin with 0"));
  EXPECT_THAT(Refused(with_ladder({0, 0.9})), HasSubstr("end with 1"));
  EXPECT_THAT(Refused(with_ladder({0, 0.6, 0.4, 1})),
              HasSubstr("inverse_temperatures[2] is 0.4 after 0.6"));
  EXPECT_THAT(Refused(with_ladder({0, 0.5, 0.5, 1})), HasSubstr("strictly"));
  EXPECT_THAT(Refused(with_ladder({0, std::nan(""), 1})),
              HasSubstr("inverse_temperatures[1]"));
  EXPECT_THAT(Refused(Options(1, 5)), HasSubstr("at least 2"));
  AnnealedImportanceOptions long_rows = Options(10, 5);
  long_rows.length = 3;
  EXPECT_THAT(Refused(long_rows), HasSubstr("no sequences"));
  long_rows.length = 0;
  EXPECT_THAT(Refused(long_rows), HasSubstr("length is 0"));
}

TEST(AnnealedImportanceTest, RefusesSamplesThatAreNotTheProducts) {
  const OracleKind kind = CircularUnigauss();
  const Product<double> product = ProductOf(kind);
  const Observations<double> rows = kind.rows(4, 1);
  const auto refused = [](const Product<double>& asked,
                          const Observations<double>& x, Index length) {
    AnnealedImportanceOptions options = Options(4, 5);
    options.length = length;
    const auto estimates = EstimateLogPartitionBothWays(
        asked, {x, true}, options, Workers::Inline(), NeverInterrupt,
        IgnoreProgress);
    EXPECT_TRUE(absl::IsInvalidArgument(estimates.status()));
    return std::string(estimates.status().message());
  };
  EXPECT_THAT(refused(product, kind.rows(1, 1), 1), HasSubstr("1 samples"));
  EXPECT_THAT(refused(product, MakeDense<double>(4, 1), 1),
              HasSubstr("rows of 1 columns"));
  EXPECT_THAT(refused(product, AsSequences(rows, 2), 1),
              HasSubstr("are sequences"));
  Observations<double> clamped = rows;
  clamped.clamped.assign(rows.values.size(), 0);
  EXPECT_THAT(refused(product, clamped, 1), HasSubstr("clamped"));
  Observations<double> outside = rows;
  outside.values(2, 0) = kBoxUpper + 1;
  EXPECT_THAT(refused(product, outside, 1), HasSubstr("frame 2"));

  const OracleKind sequences = HiddenMarkovOnSymbols();
  const Product<double> markov = ProductOf(sequences);
  EXPECT_THAT(refused(markov, sequences.ragged(3, 1), 1),
              HasSubstr("that of one length"));
  EXPECT_THAT(refused(markov, sequences.rows(3, 1), sequences.length + 1),
              HasSubstr("forward chains"));
}

TEST(AnnealedImportanceTest, StopsWhenInterrupted) {
  int asked = 0;
  const auto check = [&] {
    return ++asked == 3 ? absl::CancelledError("enough") : absl::OkStatus();
  };
  const Product<double> product = ProductOf(CircularUnigauss());
  EXPECT_TRUE(absl::IsCancelled(EstimateLogPartition(product, Options(10, 50),
                                                     Workers::Inline(), check,
                                                     IgnoreProgress)
                                    .status()));
  EXPECT_EQ(asked, 3);
  asked = 0;
  EXPECT_TRUE(absl::IsCancelled(
      EstimateLogPartitionInReverse(
          product, {CircularUnigauss().rows(10, 1), false}, Options(10, 50),
          Workers::Inline(), check, IgnoreProgress)
          .status()));
  EXPECT_EQ(asked, 3);
}

TEST(AnnealedImportanceTest, ProgressAscendsToOne) {
  const Product<double> product = ProductOf(CircularUnigauss());
  std::vector<double> shares = {0};
  // The chains go in several batches.
  const auto estimates = EstimateLogPartitionBothWays(
      product, {CircularUnigauss().rows(300, 1), false}, Options(600, 5),
      Workers::Inline(), NeverInterrupt, [&](double share) {
        EXPECT_GT(share, shares.back());
        shares.push_back(share);
      });
  ASSERT_TRUE(estimates.ok());
  EXPECT_EQ(shares.size(), 1u + 5 * (3 + 2));
  EXPECT_DOUBLE_EQ(shares.back(), 1);
}

// A base whose normalizer nobody knows.
class UnknownBase final : public LinearBase<double> {
 public:
  UnknownBase() { SetBias(Vector<double>::Zero(5), 0).IgnoreError(); }
  Family family() const override { return Family::kBernoulli; }
  std::unique_ptr<Base<double>> Clone() const override {
    return std::make_unique<UnknownBase>();
  }
  bool InSupport(absl::Span<const double>) const override { return true; }
  std::optional<double> LogNormalizer() const override { return std::nullopt; }
  void AddLogNormalizers(const Observations<double>&,
                         absl::Span<double>) const override {}
  void Reconstruct(const Messages<double>&, Reconstruction, const Draws&,
                   const Workers&, Observations<double>&) const override {}
};

TEST(AnnealedImportanceTest, NeedsABaseWithAKnownNormalizer) {
  const Product<double> product = ProductOf(
      std::make_unique<UnknownBase>(), BernoulliUnitsOnBinaryData().make(2, 1));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      EstimateLogPartition(product, Options(10, 5), Workers::Inline(),
                           NeverInterrupt, IgnoreProgress)
          .status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      EstimateLogPartitionInReverse(
          product, {BernoulliUnitsOnBinaryData().rows(4, 1), true},
          Options(10, 5), Workers::Inline(), NeverInterrupt, IgnoreProgress)
          .status()));
  IncompleteScoreOptions options;
  options.inverse_temperatures = EvenInverseTemperatures(5);
  EXPECT_TRUE(absl::IsFailedPrecondition(
      EstimateIncompleteLogScores(
          product, BernoulliUnitsOnBinaryData().rows(4, 1), options,
          Workers::Inline(), NeverInterrupt, IgnoreProgress)
          .status()));
}

}  // namespace
}  // namespace poe
