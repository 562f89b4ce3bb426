#include "poe/annealed_importance.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "poe/bases/bernoulli.h"
#include "poe/experts/bernoulli_units.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"
#include "tests/core/standard_errors.h"

namespace poe {
namespace {

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

TEST(AnnealedImportanceTest, TheStandardErrorIsTheSpreadOfEstimates) {
  const Product<double> product =
      ProductOf(UnigaussWithVariancePerCoordinate());
  const ExactDistribution exact(product, 1);
  for (bool reverse : {false, true}) {
    std::vector<double> misses;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      AnnealedImportanceOptions options = Options(300, 8);
      options.seed = seed;
      const AnnealedEstimate estimate =
          reverse ? Reverse(product, {exact.Sample(300, seed), true}, options)
                  : Estimate(product, options);
      misses.push_back((estimate.value - exact.log_normalizer()) /
                       estimate.standard_error);
    }
    ExpectHonestStandardErrors(misses);
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

TEST(AnnealedImportanceTest, WeightsOfOneOrTwoChainsAreACollapse) {
  std::vector<double> log_weights(16, -50);
  log_weights[3] = 0;
  EXPECT_TRUE(HasCollapsed(LogMeanWeight(log_weights), 16));
  log_weights[4] = 0;
  EXPECT_TRUE(HasCollapsed(LogMeanWeight(log_weights), 16));
  log_weights[5] = log_weights[6] = 0;
  EXPECT_FALSE(HasCollapsed(LogMeanWeight(log_weights), 16));
  EXPECT_FALSE(HasCollapsed(LogMeanWeight({0, 0, -50}), 3));
  EXPECT_TRUE(HasCollapsed(LogMeanWeight({0, -50, -50}), 3));
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

}  // namespace
}  // namespace poe
