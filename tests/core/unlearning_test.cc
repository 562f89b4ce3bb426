#include "poe/unlearning.h"

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/bases/gaussian.h"
#include "poe/experts/unigauss.h"
#include "poe/scoring.h"
#include "poe/training.h"
#include "tests/core/core_models.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

Product<double> Units() { return ProductOf(BernoulliUnitsOnBinaryData()); }

// The mean over long chains is that over the product, so that the estimate is
// the gradient of the log likelihood.
TEST(UnlearningTest, EstimatesTheGradientOfTheLogLikelihood) {
  const Product<double> product = Units();
  const ExactDistribution exact(product, 1);
  const ExactDistribution::Gradient of_model = exact.LogScoreGradient();
  const Observations<double> data = BernoulliUnitsOnBinaryData().rows(50, 3);
  const std::vector<double> weights(50, 0.02);
  const Vector<double> expected =
      LogScoreGradientOf(product, data, weights) - of_model.mean;

  constexpr Index kChains = 20000;
  Unlearning<double> unlearning(product, {.chains = kChains, .steps = 200}, 5);
  ASSERT_TRUE(
      unlearning.ComputeGradient(data, {}, 1, Workers::Inline(), NeverInterrupt)
          .ok());
  Vector<double> found(expected.size());
  found << unlearning.base_gradient(), unlearning.group_gradient(0);
  for (Index i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(found(i), expected(i),
                6 * of_model.deviation(i) / std::sqrt(kChains) + 1e-12)
        << i;
  EXPECT_GT(exact.PValue(unlearning.chains()), 1e-6);
}

TEST(UnlearningTest, ChainsGoOnFromWhereTheyWereAndStartAnew) {
  const Product<double> product = Units();
  const LongChainSettings settings = {.chains = 50, .steps = 10};
  const Observations<double> data = BernoulliUnitsOnBinaryData().rows(5, 3);
  const auto after = [&](const std::vector<int>& steps) {
    Unlearning<double> unlearning(product, settings, 5);
    for (int gibbs_steps : steps)
      EXPECT_TRUE(unlearning
                      .ComputeGradient(data, {}, gibbs_steps, Workers::Inline(),
                                       NeverInterrupt)
                      .ok());
    return unlearning.chains().values;
  };
  EXPECT_NE(after({3, 3}), after({3}));
  EXPECT_EQ(after({3, 3}), after({6}));
  // Chains are no older than 10 steps.
  EXPECT_EQ(after({3, 4, 3}), after({10}));
  EXPECT_NE(after({8, 3}), after({11}));
  EXPECT_EQ(after({8, 3}), after({9, 3}));
}

TEST(UnlearningTest, StartEndsWhenInterrupted) {
  const Product<double> product = Units();
  Unlearning<double> unlearning(product, {.chains = 5, .steps = 100}, 5);
  int asked = 0;
  const absl::Status status = unlearning.ComputeGradient(
      BernoulliUnitsOnBinaryData().rows(5, 3), {}, 1, Workers::Inline(), [&] {
        return ++asked == 3 ? absl::CancelledError("enough") : absl::OkStatus();
      });
  EXPECT_TRUE(absl::IsCancelled(status));
  EXPECT_EQ(asked, 3);
}

// Two values that occur, and weights that believe in a third.
TEST(UnlearningTest, TrainingLowersWhatNoDataExplain) {
  TrainingSettings settings;
  settings.class_names = {"all"};
  settings.data_spec.family = Family::kGaussian;
  settings.data_spec.dimension = 1;
  settings.data_spec.box = Box{{-1}, {5}};
  UnigaussSettings unigauss;
  unigauss.initial_standard_deviation = 0.2;
  unigauss.initial_log_volume_odds = 6;
  unigauss.centres = UnigaussSettings::Centres::kUniform;
  settings.products = {
      ProductSettings{{{.num_experts = 12, .kind = unigauss}}}};
  settings.contrastive_divergence.epochs = 0;
  settings.contrastive_divergence.updates = 300;
  settings.contrastive_divergence.reconstruction = Reconstruction::kSample;
  settings.contrastive_divergence.optimizer.kind =
      OptimizerSettings::Kind::kAdam;
  settings.contrastive_divergence.optimizer.rate = 0.01;
  settings.seed = 4;
  RowMatrix<float> values = 0.1f * NormalMatrix(200, 1, 9);
  for (Index n = 0; n < 200; ++n) values(n, 0) += n % 2 == 0 ? 0 : 4;
  const TrainingRows rows = {RowsOf(values)};

  const auto outside = [&] {
    const auto model = Train(
        settings, rows, Workers::Inline(), [](const TrainingProgress&) {},
        NeverInterrupt);
    EXPECT_TRUE(model.ok()) << model.status();
    EXPECT_TRUE(model->has_log_partitions());
    // Between the two values, by the midpoint rule.
    constexpr Index kNodes = 1000;
    RowMatrix<float> nodes(kNodes, 1);
    for (Index k = 0; k < kNodes; ++k)
      nodes(k, 0) = 1 + 2 * (static_cast<float>(k) + 0.5f) / kNodes;
    const auto scores =
        Score(*model, RowsOf(nodes), {}, Workers::Inline(), NeverInterrupt);
    EXPECT_TRUE(scores.ok());
    return scores->log_probabilities.array().exp().sum() * 2 / kNodes;
  };
  const double before = outside();
  settings.unlearning = settings.contrastive_divergence;
  settings.unlearning->chains = LongChainSettings{.chains = 200, .steps = 500};
  settings.unlearning->updates = 2000;
  const double after = outside();
  EXPECT_GT(before, 0.01);
  EXPECT_LT(after, before / 5);
}

TEST(UnlearningTest, SequencesAndConditionalModelsAreRefused) {
  TrainingSettings settings;
  settings.class_names = {"all"};
  settings.data_spec.dimension = 3;
  settings.products = {
      ProductSettings{{{.num_experts = 2, .kind = BernoulliUnitsSettings{}}}}};
  settings.unlearning = settings.contrastive_divergence;
  settings.unlearning->chains = LongChainSettings{};
  ASSERT_TRUE(Validate(settings).ok());
  settings.data_spec.input_coordinates = {1};
  EXPECT_THAT(std::string(Validate(settings).message()),
              HasSubstr("unlearn needs chains without data"));
  settings.data_spec.input_coordinates.clear();
  settings.unlearning->chains->chains = 0;
  EXPECT_THAT(std::string(Validate(settings).message()),
              HasSubstr("unlearn.chains is 0"));
}

}  // namespace
}  // namespace poe
