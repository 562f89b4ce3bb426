#include "poe/annealing_start.h"

#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "poe/annealed_importance.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/gaussian_mixture.h"
#include "poe/experts/hidden_markov.h"
#include "poe/experts/hidden_markov_partition.h"
#include "poe/experts/linear_dynamical.h"
#include "poe/experts/linear_dynamical_partition.h"
#include "poe/gibbs.h"
#include "poe/incomplete_scoring.h"
#include "poe/numerics/constants.h"
#include "poe/numerics/elementwise.h"
#include "tests/core/expert_oracles.h"
#include "tests/core/linear_dense.h"

namespace poe {
namespace {

constexpr Index kChains = 400;
constexpr int kTemperatures = 100;

// Beside a base of that deviation.
Product<double> Beside(double deviation,
                       std::unique_ptr<ExpertGroup<double>> group) {
  const Index dimension = group->dimension();
  return ProductOf(
      *StructuredGaussianBase<double>::Create(
          Vector<double>::Constant(dimension, 0.5),
          Vector<double>::Constant(dimension, 2 * std::log(deviation))),
      std::move(group));
}

std::unique_ptr<ExpertGroup<double>> Markov() {
  HiddenMarkov<double>::Settings settings;
  settings.initial_logit = RandomMatrix(1, 3, 1, 80);
  settings.transition_logit = RandomMatrix(3, 3, 1, 81);
  settings.mean = RandomMatrix(3, 2, 1, 82);
  settings.log_variance = RandomMatrix(3, 2, 0.3, 83);
  return *HiddenMarkov<double>::Create(std::move(settings));
}

std::unique_ptr<ExpertGroup<double>> Dynamical() {
  return *LinearDynamical<double>::Create(RandomSystems<double>(1, 2, 2));
}

std::unique_ptr<ExpertGroup<double>> Mixture() {
  GaussianMixture<double>::Settings settings;
  settings.mean = RandomMatrix(3, 4, 1, 84);
  settings.log_variance = RandomMatrix(3, 4, 0.3, 85);
  settings.mixing_logit = RandomMatrix(1, 3, 1, 86);
  return *GaussianMixture<double>::Create(std::move(settings));
}

// log of the integral of base and mixture over the values of `x` that are not
// clamped, component by component.
double ExactOfMixture(const Product<double>& product,
                      const Observations<double>& x) {
  const ExpertGroup<double>& mixture = product.group(0);
  const Index components = mixture.block(2).cols();
  std::vector<double> terms, logits;
  for (Index k = 0; k < components; ++k) {
    logits.push_back(mixture.block(2)(0, k));
    double sum = logits.back();
    for (Index i = 0; i < product.dimension(); ++i) {
      const double mean = product.base().block(0)(0, i);
      const double wide = std::exp(product.base().block(1)(0, i));
      const double own = std::exp(mixture.block(1)(k, i));
      if (x.IsClamped(0, i)) {
        sum -= (kLog2Pi + std::log(own) +
                std::pow(x.values(0, i) - mixture.block(0)(k, i), 2) / own +
                std::pow(x.values(0, i) - mean, 2) / wide) /
               2;
      } else {
        sum += (std::log(wide) - std::log(wide + own) -
                std::pow(mixture.block(0)(k, i) - mean, 2) / (wide + own)) /
               2;
      }
    }
    terms.push_back(sum);
  }
  return LogSumExp(terms) - LogSumExp(logits);
}

void ExpectNear(const AnnealedEstimate& estimate, double exact) {
  const double error = estimate.standard_error;
  EXPECT_NEAR(estimate.value, exact, 6 * error + error * error + 1e-6);
  // The bound means something.
  EXPECT_LT(error, 0.2);
  EXPECT_GT(estimate.effective_sample_size, kChains / 10.0);
}

// Both directions, the reverse one from chains that have forgotten their start.
void ExpectBothWays(const Product<double>& product, Index length,
                    double exact) {
  const std::optional<Product<double>> nearer = NearerStart(product);
  ASSERT_TRUE(nearer.has_value());
  ProductSamples<double> samples;
  samples.x = MakeAlike<double>(product.sequential(), kChains, length,
                                product.dimension());
  nearer->base().SampleStart({5, Purpose::kStart, 0, 0}, samples.x);
  GibbsOptions steps;
  steps.seed = 5;
  steps.inverse_temperatures = AnnealingSchedule(300, 100);
  ASSERT_TRUE(
      RunGibbs(product, steps, Workers::Inline(), NeverInterrupt, samples.x)
          .ok());
  AnnealedImportanceOptions options;
  options.chains = kChains;
  options.inverse_temperatures = EvenInverseTemperatures(kTemperatures);
  options.seed = 6;
  options.length = length;
  const auto estimates =
      EstimateLogPartitionBothWays(product, samples, options, Workers::Inline(),
                                   NeverInterrupt, IgnoreProgress);
  ASSERT_TRUE(estimates.ok()) << estimates.status();
  ExpectNear(estimates->forward, exact);
  ExpectNear(estimates->reverse, exact);
}

TEST(AnnealingStartTest, LogZBesideAVeryWideBaseIsFoundInBothDirections) {
  const Product<double> markov = Beside(1e4, Markov());
  ExpectBothWays(markov, 4, *HiddenMarkovLogPartition(markov, 4));
  const Product<double> dynamical = Beside(1e4, Dynamical());
  ExpectBothWays(dynamical, 4, *LinearDynamicalLogPartition(dynamical, 4));
  const Product<double> mixture = Beside(1e4, Mixture());
  ExpectBothWays(mixture, 1, ExactOfMixture(mixture, MakeDense<double>(1, 4)));
}

TEST(AnnealingStartTest, MissingValuesBesideAVeryWideBaseAreIntegratedOver) {
  const Product<double> product = Beside(1e4, Mixture());
  Observations<double> x = MakeDense<double>(1, 4);
  x.values.row(0) << 0.3, -0.8, 0, 0;
  x.clamped = {1, 1, 0, 0};
  IncompleteScoreOptions options;
  options.chains = kChains;
  options.inverse_temperatures = EvenInverseTemperatures(kTemperatures);
  options.seed = 7;
  const auto estimates = EstimateIncompleteLogScores(
      product, x, options, Workers::Inline(), NeverInterrupt, IgnoreProgress);
  ASSERT_TRUE(estimates.ok()) << estimates.status();
  ExpectNear((*estimates)[0], ExactOfMixture(product, x));
}

TEST(AnnealingStartTest, IsTheSameProduct) {
  const Product<double> product = Beside(1e4, Mixture());
  const std::optional<Product<double>> nearer = NearerStart(product);
  ASSERT_TRUE(nearer.has_value());
  const Observations<double> x = UniformRows(20, 4, -9, 9, 87);
  const std::vector<double> expected = product.LogScores(x, Workers::Inline());
  const std::vector<double> found = nearer->LogScores(x, Workers::Inline());
  for (Index n = 0; n < x.size; ++n) EXPECT_NEAR(found[n], expected[n], 1e-9);
  // As wide as the mixture, but for a factor.
  for (Index i = 0; i < 4; ++i) {
    EXPECT_LT(nearer->base().block(1)(0, i), 2 * std::log(30));
    EXPECT_GT(nearer->base().block(1)(0, i), 2 * std::log(0.3));
  }
}

// The centre of many opinions hardly varies, where they may agree far from it.
TEST(AnnealingStartTest, ExpertsThatMayAgreeFarOutKeepTheirBase) {
  constexpr Index kExperts = 50;
  GaussianMixture<double>::Settings settings;
  settings.mean.resize(2 * kExperts, 2);
  for (Index m = 0; m < kExperts; ++m) {
    settings.mean.row(2 * m).setConstant(10);
    settings.mean.row(2 * m + 1).setConstant(-10);
  }
  settings.log_variance = RowMatrix<double>::Zero(2 * kExperts, 2);
  settings.mixing_logit = RowMatrix<double>::Zero(kExperts, 2);
  EXPECT_FALSE(
      NearerStart(Beside(30, *GaussianMixture<double>::Create(settings)))
          .has_value());
  EXPECT_TRUE(
      NearerStart(Beside(1e4, *GaussianMixture<double>::Create(settings)))
          .has_value());
}

TEST(AnnealingStartTest, ABaseThatIsNotVeryWideStaysWhatItIs) {
  EXPECT_FALSE(NearerStart(Beside(3, Mixture())).has_value());
  for (const OracleKind& kind : {BernoulliUnitsOnBinaryData(),
                                 HiddenMarkovOnSymbols(), CircularUnigauss()})
    EXPECT_FALSE(NearerStart(ProductOf(kind)).has_value()) << kind.name;
}

}  // namespace
}  // namespace poe
