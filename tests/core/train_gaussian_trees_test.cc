#include "poe/experts/train_gaussian_trees.h"

#include <cmath>
#include <utility>
#include <vector>

#include "Eigen/Dense"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/fit_gaussian_tree.h"
#include "poe/experts/gaussian_tree_partition.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

constexpr Index kSide = 3, kWidth = kSide * kSide;

// A Gaussian whose couplings are the edges of a 3 x 3 grid: four loops, so that
// no tree is it.
Eigen::MatrixXd GridPrecision() {
  Eigen::MatrixXd precision = Eigen::MatrixXd::Zero(kWidth, kWidth);
  auto couple = [&](Index i, Index j, double value) {
    precision(i, j) = precision(j, i) = -value;
  };
  for (Index r = 0; r < kSide; ++r) {
    for (Index c = 0; c < kSide; ++c) {
      const Index i = r * kSide + c;
      precision(i, i) = 2.2;
      if (c + 1 < kSide) couple(i, i + 1, 0.7);
      if (r + 1 < kSide) couple(i, i + kSide, 0.65);
    }
  }
  return precision;
}

Observations<double> GridRows(Index size, std::uint32_t stream) {
  const Eigen::LLT<Eigen::MatrixXd> factor(GridPrecision());
  Observations<double> x = MakeDense<double>(size, kWidth);
  const Eigen::MatrixXd normal =
      RandomMatrix(size, kWidth, 1, stream).transpose();
  x.values.topRows(size) = factor.matrixU().solve(normal).transpose();
  x.values.topRows(size).array() += 0.5;
  return x;
}

Product<double> ProductOf(const GaussianTree<double>::Settings& trees,
                          bool fixed) {
  const Vector<double> mean =
      Vector<double>::Constant(trees.weight.cols(), 0.3);
  auto base = *StructuredGaussianBase<double>::Create(
      mean, Vector<double>::Constant(mean.size(), 5), fixed);
  std::vector<std::unique_ptr<ExpertGroup<double>>> groups;
  groups.push_back(*GaussianTree<double>::Create(trees));
  return *Product<double>::Create(std::move(base), std::move(groups));
}

TEST(TrainGaussianTreesTest, LikelihoodIsTheMeanOverRows) {
  const Observations<double> x = GridRows(30, 201);
  const auto moments = *WeightedMoments<double>(x.values.topRows(30));
  const Product<double> product =
      ProductOf(*FitGaussianTrees<double>(moments, 2), false);
  double mean = 0;
  for (double score : product.LogScores(x, Workers::Inline()))
    mean += score / 30;
  const auto exact = ExactTreeLikelihood(product, moments, Workers::Inline());
  ASSERT_TRUE(exact.ok());
  EXPECT_NEAR(exact->mean_log_likelihood,
              mean - *GaussianTreeLogPartition(product), 1e-10);
}

TEST(TrainGaussianTreesTest, GradientMatchesCentralDifferences) {
  const Observations<double> x = GridRows(30, 201);
  const auto moments = *WeightedMoments<double>(x.values.topRows(30));
  auto trees = *FitGaussianTrees<double>(moments, 2);
  trees.offset.array() += 0.3;
  trees.power = 0.8;
  Product<double> product = ProductOf(trees, false);
  const auto exact = ExactTreeLikelihood(product, moments, Workers::Inline());
  ASSERT_TRUE(exact.ok());
  const Index in_base = product.base().parameters().size();
  for (Index p = 0; p < exact->gradient.size(); ++p) {
    auto moved = [&](double step) {
      Product<double> other = product;
      auto change = [&](Index i) {
        return [=](Eigen::Ref<Vector<double>> values) { values(i) += step; };
      };
      if (p < in_base)
        other.mutable_base().UpdateParameters(change(p));
      else
        other.mutable_group(0).UpdateParameters(change(p - in_base));
      return ExactTreeLikelihood(other, moments, Workers::Inline())
          ->mean_log_likelihood;
    };
    const double h = 1e-4;
    EXPECT_NEAR(exact->gradient(p), (moved(h) - moved(-h)) / (2 * h), 1e-6)
        << "parameter " << p;
  }
}

TEST(TrainGaussianTreesTest, TwoTreesBeatTheBestOneOnAGrid) {
  const Observations<double> x = GridRows(4000, 202);
  const Observations<double> held_out = GridRows(4000, 203);
  const auto moments = *WeightedMoments<double>(x.values);
  const auto test = *WeightedMoments<double>(held_out.values);
  auto held_out_likelihood = [&](const Product<double>& product) {
    return ExactTreeLikelihood(product, test, Workers::Inline())
        ->mean_log_likelihood;
  };
  const auto one =
      TrainGaussianTrees(ProductOf(*FitGaussianTree<double>(moments), true),
                         moments, {}, Workers::Inline());
  const auto two =
      TrainGaussianTrees(ProductOf(*FitGaussianTrees<double>(moments, 2), true),
                         moments, {}, Workers::Inline());
  ASSERT_TRUE(one.ok() && two.ok());
  // What no product can be better than by much: the data's own Gaussian.
  const Eigen::MatrixXd truth = GridPrecision();
  const Vector<double> shift = test.mean.array() - 0.5;
  const double best =
      (std::log(truth.determinant()) -
       static_cast<double>(kWidth) * std::log(2 * std::acos(-1.0)) -
       truth.cwiseProduct(test.covariance).sum() - shift.dot(truth * shift)) /
      2;
  const double with_one = held_out_likelihood(one->product);
  const double with_two = held_out_likelihood(two->product);
  EXPECT_GT(two->mean_log_likelihood, one->mean_log_likelihood + 0.05);
  EXPECT_GT(with_two, with_one + 0.05);
  EXPECT_LT(with_two, best + 0.01);
  RecordProperty("one", std::to_string(with_one));
  RecordProperty("two", std::to_string(with_two));
  RecordProperty("truth", std::to_string(best));
}

TEST(TrainGaussianTreesTest, NeverReturnsWorseThanTheStart) {
  const Observations<double> x = GridRows(100, 204);
  const auto moments = *WeightedMoments<double>(x.values.topRows(100));
  const Product<double> start =
      ProductOf(*FitGaussianTree<double>(moments), true);
  const double before = ExactTreeLikelihood(start, moments, Workers::Inline())
                            ->mean_log_likelihood;
  TreeTrainingSettings settings;
  settings.updates = 5;
  settings.optimizer.rate = 10;
  const auto trained =
      TrainGaussianTrees(start, moments, settings, Workers::Inline());
  ASSERT_TRUE(trained.ok());
  EXPECT_GE(trained->mean_log_likelihood, before);
  EXPECT_EQ(ExactTreeLikelihood(trained->product, moments, Workers::Inline())
                ->mean_log_likelihood,
            trained->mean_log_likelihood);
}

TEST(TrainGaussianTreesTest, SaysWhatIsWrong) {
  const Observations<double> x = GridRows(20, 205);
  const auto moments = *WeightedMoments<double>(x.values.topRows(20));
  const auto tree = *FitGaussianTree<double>(moments);
  TreeTrainingSettings settings;
  settings.updates = -1;
  EXPECT_THAT(TrainGaussianTrees(ProductOf(tree, true), moments, settings,
                                 Workers::Inline())
                  .status()
                  .message(),
              HasSubstr("updates is -1"));
  settings = {};
  settings.optimizer.rate = 0;
  EXPECT_THAT(TrainGaussianTrees(ProductOf(tree, true), moments, settings,
                                 Workers::Inline())
                  .status()
                  .message(),
              HasSubstr("rate"));
  auto mixture = tree;
  mixture.mixing_logit.setZero(1, 2);
  EXPECT_EQ(
      ExactTreeLikelihood(ProductOf(mixture, true), moments, Workers::Inline())
          .status()
          .code(),
      absl::StatusCode::kFailedPrecondition);
  const auto narrow = *WeightedMoments<double>(
      RowMatrix<double>(x.values.topLeftCorner(20, 4)));
  EXPECT_THAT(
      ExactTreeLikelihood(ProductOf(tree, true), narrow, Workers::Inline())
          .status()
          .message(),
      HasSubstr("4 columns"));
}

}  // namespace
}  // namespace poe
