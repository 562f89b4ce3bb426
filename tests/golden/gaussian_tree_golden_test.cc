#include <cmath>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "poe/annealed_importance.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/gaussian_tree.h"
#include "poe/experts/gaussian_tree_partition.h"
#include "tests/core/product_of.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/golden_gradients.h"

namespace poe {
namespace {

// Each tree an expert of its own, or both the states of one.
std::unique_ptr<GaussianTree<double>> MakeTrees(const GoldenFile& golden,
                                                bool mixture) {
  GaussianTree<double>::Settings settings;
  for (double parent : golden["parent"].reshaped<Eigen::RowMajor>())
    settings.parents.push_back(static_cast<std::int32_t>(parent));
  settings.weight = golden["weight"];
  settings.offset = golden["offset"];
  settings.log_variance = golden["log_variance"];
  const Index trees = settings.weight.rows();
  settings.mixing_logit =
      RowMatrix<double>::Zero(mixture ? 1 : trees, mixture ? trees : 1);
  return *GaussianTree<double>::Create(std::move(settings));
}

Product<double> GoldenTrees(const GoldenFile& golden) {
  return ProductOf(
      *StructuredGaussianBase<double>::Create(
          golden.Column("base_mean"), golden.Column("base_log_variance")),
      MakeTrees(golden, false));
}

Observations<double> Points(const GoldenFile& golden) {
  const RowMatrix<double>& points = golden["points"];
  Observations<double> x = MakeDense<double>(points.rows(), points.cols());
  x.values.topRows(points.rows()) = points;
  return x;
}

TEST(GaussianTreeGoldenTest, LogScoresAreTheDenseLogDensities) {
  const GoldenFile golden("gaussian_tree.txt");
  const RowMatrix<double>& expected = golden["log_density"];
  const Observations<double> x = Points(golden);
  const RowMatrix<double> each = LogScores(*MakeTrees(golden, false), x, 1);
  const RowMatrix<double> mixed = LogScores(*MakeTrees(golden, true), x, 1);
  for (Index n = 0; n < x.size; ++n) {
    double sum = 0;
    for (Index m = 0; m < each.cols(); ++m) {
      EXPECT_NEAR(each(n, m), expected(n, m),
                  1e-12 * (1 + std::abs(expected(n, m))));
      sum += std::exp(expected(n, m)) / static_cast<double>(each.cols());
    }
    EXPECT_NEAR(mixed(n, 0), std::log(sum), 1e-11);
  }
}

// A tree's only state is known, so its message is J and h.
TEST(GaussianTreeGoldenTest, MessagesAreTheDensePrecisionAndInformation) {
  const GoldenFile golden("gaussian_tree.txt");
  const auto trees = MakeTrees(golden, false);
  const Index width = trees->dimension();
  const Observations<double> x = Points(golden);
  Messages<double> messages;
  const std::vector<Coupling> couplings = trees->couplings();
  messages.linear = RowMatrix<double>::Zero(x.values.rows(), width);
  messages.precision = messages.linear;
  messages.coupling = RowMatrix<double>::Zero(
      x.values.rows(), static_cast<Index>(couplings.size()));
  const auto posterior = trees->NewPosterior();
  trees->Infer(x, 1, Workers::Inline(), *posterior);
  trees->AddSampledMessages(x, *posterior, {1, Purpose::kLatents, 0, 0},
                            Workers::Inline(), messages);
  RowMatrix<double> precision = RowMatrix<double>::Zero(width, width);
  Vector<double> information = Vector<double>::Zero(width);
  for (Index m = 0; m < trees->num_experts(); ++m) {
    precision += golden["precision"].middleRows(m * width, width);
    information += golden["information"].row(m).transpose();
  }
  RowMatrix<double> sent = messages.precision.row(0).asDiagonal();
  for (std::size_t e = 0; e < couplings.size(); ++e) {
    const auto [i, j] = couplings[e];
    sent(i, j) += messages.coupling(0, static_cast<Index>(e));
    sent(j, i) = sent(i, j);
  }
  EXPECT_LT((sent - precision).cwiseAbs().maxCoeff(), 1e-12);
  EXPECT_LT(
      (messages.linear.row(0).transpose() - information).cwiseAbs().maxCoeff(),
      1e-12);
}

TEST(GaussianTreeGoldenTest, LogPartitionIsThatOfTheDenseGaussian) {
  const GoldenFile golden("gaussian_tree.txt");
  const auto log_partition = GaussianTreeLogPartition(GoldenTrees(golden));
  ASSERT_TRUE(log_partition.ok()) << log_partition.status();
  EXPECT_NEAR(*log_partition, golden.Number("log_normalizer"), 1e-11);
}

TEST(GaussianTreeGoldenTest, AnnealedImportanceFindsTheNormalizer) {
  const GoldenFile golden("gaussian_tree.txt");
  AnnealedImportanceOptions options;
  options.chains = 2000;
  options.inverse_temperatures = EvenInverseTemperatures(100);
  options.seed = 5;
  const auto estimate =
      EstimateLogPartition(GoldenTrees(golden), options, Workers::Inline(),
                           NeverInterrupt, IgnoreProgress);
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  // Beside chance the estimate is low by about half the squared error.
  const double error = estimate->standard_error;
  EXPECT_NEAR(estimate->value, golden.Number("log_normalizer"),
              5.5 * error + error * error);
  EXPECT_LT(error, 0.05);
}

}  // namespace
}  // namespace poe
