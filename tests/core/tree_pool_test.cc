#include "poe/tree_pool.h"

#include <cmath>
#include <numeric>
#include <vector>

#include "Eigen/Dense"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/experts/fit_gaussian_tree.h"
#include "poe/scoring.h"
#include "tests/core/core_models.h"
#include "tests/core/training_cases.h"

namespace poe {
namespace {

using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

constexpr Index kCoordinates = 4, kExperts = 2;
constexpr double kLog2Pi = 1.8378770664093453;

// Four coordinates in a ring, each near the mean of its neighbours, so that no
// tree has all that there is.
LabelledRows RingRows(Index size, std::uint32_t stream) {
  Eigen::MatrixXd precision =
      1.3 * Eigen::MatrixXd::Identity(kCoordinates, kCoordinates);
  for (Index i = 0; i < kCoordinates; ++i) {
    const Index next = (i + 1) % kCoordinates;
    precision(i, next) = precision(next, i) = -0.55;
  }
  const Eigen::LLT<Eigen::MatrixXd> factor(precision);
  const Eigen::MatrixXd normal =
      NormalMatrix(size, kCoordinates, stream).cast<double>().transpose();
  LabelledRows rows;
  rows.values = factor.matrixU().solve(normal).transpose().cast<float>();
  return rows;
}

TrainingSettings PoolOfTrees() {
  TrainingSettings settings;
  settings.class_names = {"ring"};
  settings.data_spec.dimension = kCoordinates;
  settings.data_spec.family = Family::kStructuredGaussian;
  settings.products.resize(1);
  GaussianTreeSettings tree;
  tree.num_trees = 1;
  settings.products[0].groups = {{.num_experts = kExperts, .kind = tree}};
  settings.products[0].base_deviation_multiple = 1e4;
  settings.train_together = false;
  settings.pool.emplace();
  settings.calibrate = false;
  settings.seed = 5;
  return settings;
}

// The mean of log q over rows for a Gaussian tree, by its conditionals in
// double.
std::vector<double> LogDensities(const GaussianTree<float>::Settings& trees,
                                 Index m, const RowMatrix<float>& rows) {
  std::vector<double> densities;
  for (Index n = 0; n < rows.rows(); ++n) {
    double sum = 0;
    for (Index i = 0; i < kCoordinates; ++i) {
      const std::int32_t parent = trees.parents[m * kCoordinates + i];
      const double mean =
          trees.offset(m, i) +
          (parent < 0 ? 0 : double{trees.weight(m, i)} * rows(n, parent));
      // The fit leaves variances that are M times too wide.
      const double variance = std::exp(trees.log_variance(m, i)) / kExperts;
      sum -= (kLog2Pi + std::log(variance) +
              std::pow(rows(n, i) - mean, 2) / variance) /
             2;
    }
    densities.push_back(sum);
  }
  return densities;
}

struct Trained {
  std::vector<double> weights;
  double gain = 0;
  std::vector<double> log_probabilities;  // of the rows
};

Trained TrainPool(const TrainingSettings& settings, const LabelledRows& rows) {
  Trained trained;
  const auto model = Train(
      settings, rows.View(), Workers::Inline(),
      [&](const TrainingProgress& now) {
        if (!now.pool_gain.has_value()) return;
        EXPECT_EQ(now.stage, "pool");
        trained.weights = now.pool_weights;
        trained.gain = *now.pool_gain;
      },
      NeverInterrupt);
  EXPECT_TRUE(model.ok()) << model.status();
  if (!model.ok()) return trained;
  const auto scores =
      Score(*model, rows.View(), {}, Workers::Inline(), NeverInterrupt);
  EXPECT_TRUE(scores.ok()) << scores.status();
  for (Index n = 0; n < rows.values.rows(); ++n)
    trained.log_probabilities.push_back(scores->log_probabilities(n, 0));
  return trained;
}

// log p is the weighted mean of the members' log q, plus the gain, row by row:
// the identity KL(P || p) = sum_m w_m KL(P || q_m) + log Z under its integral.
TEST(TreePoolTest, TheLogDensityIsTheMembersMeanAndTheGain) {
  const LabelledRows rows = RingRows(500, 21);
  const auto moments = WeightedMoments<float>(rows.values);
  ASSERT_TRUE(moments.ok());
  const auto trees = FitGaussianTrees<float>(*moments, kExperts);
  ASSERT_TRUE(trees.ok());
  const std::vector<double> first = LogDensities(*trees, 0, rows.values);
  const std::vector<double> second = LogDensities(*trees, 1, rows.values);
  for (const std::vector<double>& given :
       {std::vector<double>{}, {0.5, 0.5}, {0.9, 0.1}}) {
    TrainingSettings settings = PoolOfTrees();
    settings.pool->weights = given;
    const Trained trained = TrainPool(settings, rows);
    ASSERT_EQ(trained.weights.size(), 2u);
    EXPECT_GT(trained.gain, 0.01);
    std::vector<double> wanted;
    for (std::size_t n = 0; n < first.size(); ++n)
      wanted.push_back(trained.weights[0] * first[n] +
                       trained.weights[1] * second[n] + trained.gain);
    EXPECT_THAT(trained.log_probabilities, Pointwise(DoubleNear(2e-4), wanted));
  }
}

double Mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

TEST(TreePoolTest, LearnedWeightsAreBetterThanOthers) {
  const LabelledRows rows = RingRows(500, 22);
  const Trained learned = TrainPool(PoolOfTrees(), rows);
  ASSERT_EQ(learned.weights.size(), 2u);
  EXPECT_NEAR(learned.weights[0] + learned.weights[1], 1, 1e-12);
  const double best = Mean(learned.log_probabilities);
  for (const double step : {-0.05, 0.05}) {
    TrainingSettings settings = PoolOfTrees();
    const double first = learned.weights[0] + step;
    settings.pool->weights = {first, 1 - first};
    EXPECT_LT(Mean(TrainPool(settings, rows).log_probabilities), best);
  }
}

TEST(TreePoolTest, AnExpertOfNoWeightSaysNothing) {
  const LabelledRows rows = RingRows(200, 23);
  TrainingSettings settings = PoolOfTrees();
  settings.pool->weights = {1, 0};
  const Trained pooled = TrainPool(settings, rows);
  EXPECT_NEAR(pooled.gain, 0, 1e-9);
  settings.products[0].groups[0].num_experts = 1;
  settings.pool->weights = {1};
  const Trained alone = TrainPool(settings, rows);
  EXPECT_THAT(pooled.log_probabilities,
              Pointwise(DoubleNear(1e-4), alone.log_probabilities));
}

std::string RefusalOf(void (*change)(TrainingSettings&)) {
  TrainingSettings settings = PoolOfTrees();
  change(settings);
  const absl::Status status = Validate(settings);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

GaussianTreeSettings& TreeOf(TrainingSettings& settings) {
  return std::get<GaussianTreeSettings>(settings.products[0].groups[0].kind);
}

TEST(TreePoolTest, RefusesWhatIsNoPool) {
  EXPECT_THAT(RefusalOf([](auto& s) { s.pool->weights = {0.5}; }),
              HasSubstr("there are 1 weights; must be 2"));
  EXPECT_THAT(RefusalOf([](auto& s) {
                s.pool->weights = {1.5, -0.5};
              }),
              HasSubstr("weights[1] is -0.5; they must be at least 0"));
  EXPECT_THAT(RefusalOf([](auto& s) {
                s.pool->weights = {0.5, 0.4};
              }),
              HasSubstr("the weights sum to 0.9; they must sum to 1"));
  EXPECT_THAT(RefusalOf([](auto& s) { TreeOf(s).num_trees = 2; }),
              HasSubstr("products[0]: groups[0] is of mixtures"));
  EXPECT_THAT(RefusalOf([](auto& s) { TreeOf(s).with_uniform = true; }),
              HasSubstr("groups[0] is of mixtures"));
  EXPECT_THAT(RefusalOf([](auto& s) {
                s.products[0].groups[0].coordinates = {0, 1};
              }),
              HasSubstr("groups[0] sees some coordinates"));
  EXPECT_THAT(RefusalOf([](auto& s) { s.products[0].groups[0].power = 0.5; }),
              HasSubstr("groups[0] has power 0.5"));
  EXPECT_THAT(
      RefusalOf([](auto& s) { s.products[0].base_deviation_multiple = 3; }),
      HasSubstr("base.deviation_multiple is 3; that of a pool must be at "
                "least 1000"));
  EXPECT_THAT(RefusalOf([](auto& s) { s.train_together = true; }),
              HasSubstr("a pool is instead of training together"));
  EXPECT_THAT(
      RefusalOf([](auto& s) { s.fit_apart.emplace().coordinate_share = 0.5; }),
      HasSubstr("coordinate_share is not 1"));
}

TEST(TreePoolTest, StopsWhenAsked) {
  const LabelledRows rows = RingRows(50, 24);
  const auto model = Train(
      PoolOfTrees(), rows.View(), Workers::Inline(),
      [](const TrainingProgress&) {},
      [] { return absl::CancelledError("enough"); });
  EXPECT_EQ(model.status(), absl::CancelledError("enough"));
}

}  // namespace
}  // namespace poe
