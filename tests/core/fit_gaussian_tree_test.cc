#include "poe/experts/fit_gaussian_tree.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "Eigen/Dense"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/experts/forest.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using ::testing::HasSubstr;
using Edge = std::pair<Index, Index>;

Moments RandomMoments(Index width, std::uint32_t stream) {
  Moments moments;
  moments.weight = 100;
  moments.mean = RandomMatrix(width, 1, 1, stream);
  const RowMatrix<double> root = RandomMatrix(width, width, 1, stream + 1);
  moments.covariance =
      root * root.transpose() + 0.1 * RowMatrix<double>::Identity(width, width);
  return moments;
}

double Information(const Moments& moments, Index i, Index j) {
  const double c = moments.covariance(i, j);
  return -std::log1p(-c * c / moments.covariance(i, i) /
                     moments.covariance(j, j)) /
         2;
}

// Sum over edges of the mutual information.
double TotalInformation(const Moments& moments,
                        absl::Span<const std::int32_t> parents) {
  double total = 0;
  for (Index i = 0; i < moments.mean.size(); ++i)
    if (parents[i] >= 0) total += Information(moments, i, parents[i]);
  return total;
}

std::set<Edge> Edges(absl::Span<const std::int32_t> parents) {
  std::set<Edge> edges;
  for (std::size_t i = 0; i < parents.size(); ++i)
    if (parents[i] >= 0)
      edges.insert(std::minmax<Index>({static_cast<Index>(i), parents[i]}));
  return edges;
}

double MeanLogScore(const GaussianTree<double>::Settings& settings,
                    const Observations<double>& x) {
  const auto group = *GaussianTree<double>::Create(settings);
  const auto posterior = group->NewPosterior();
  group->Infer(x, 1, Workers::Inline(), *posterior);
  std::vector<double> scores(x.size, 0);
  group->AddLogScores(*posterior, absl::MakeSpan(scores));
  double sum = 0;
  for (double score : scores) sum += score;
  return sum / static_cast<double>(x.size);
}

TEST(FitGaussianTreeTest, FindsTheBestOfAllTrees) {
  for (std::uint32_t stream : {101, 111, 121, 131}) {
    const Moments moments = RandomMoments(5, stream);
    double best = 0;
    std::vector<std::int32_t> parents(5, -1);
    for (int code = 0; code < 7776; ++code) {
      int rest = code;
      for (std::int32_t& parent : parents) {
        parent = rest % 6 - 1;
        rest /= 6;
      }
      if (ValidateForest(parents).ok())
        best = std::max(best, TotalInformation(moments, parents));
    }
    const auto tree = FitGaussianTree<double>(moments);
    ASSERT_TRUE(tree.ok());
    EXPECT_EQ(Edges(tree->parents).size(), 4);
    EXPECT_NEAR(TotalInformation(moments, tree->parents), best, 1e-12);
  }
}

// Means, variances, and covariances along edges are those of the data.
TEST(FitGaussianTreeTest, KeepsTheMomentsOfItsEdges) {
  const Moments moments = RandomMoments(6, 141);
  const auto tree = *FitGaussianTree<double>(moments);
  Eigen::MatrixXd rest = Eigen::MatrixXd::Identity(6, 6);
  for (Index i = 0; i < 6; ++i)
    if (tree.parents[i] >= 0) rest(i, tree.parents[i]) -= tree.weight(0, i);
  const Eigen::MatrixXd spread = rest.inverse();
  const Vector<double> variance =
      tree.log_variance.row(0).transpose().array().exp();
  const Eigen::MatrixXd covariance =
      spread * variance.asDiagonal() * spread.transpose();
  const Vector<double> mean = spread * tree.offset.row(0).transpose();
  EXPECT_LT((mean - moments.mean).cwiseAbs().maxCoeff(), 1e-10);
  for (Index i = 0; i < 6; ++i) {
    EXPECT_NEAR(covariance(i, i), moments.covariance(i, i), 1e-9);
    if (tree.parents[i] >= 0) {
      EXPECT_NEAR(covariance(i, tree.parents[i]),
                  moments.covariance(i, tree.parents[i]), 1e-9);
    }
  }
}

TEST(FitGaussianTreeTest, FurtherTreesDoWithoutEarlierEdges) {
  const Moments moments = RandomMoments(7, 151);
  const auto trees = *FitGaussianTrees<double>(moments, 3);
  const auto all = absl::MakeConstSpan(trees.parents);
  std::set<Edge> edges;
  for (Index m = 0; m < 3; ++m)
    for (const Edge& edge : Edges(all.subspan(m * 7, 7)))
      EXPECT_TRUE(edges.insert(edge).second);
  EXPECT_EQ(edges.size(), 18);
  // The first is the best tree, with three times its variances.
  const auto alone = *FitGaussianTree<double>(moments);
  EXPECT_EQ(Edges(alone.parents), Edges(all.subspan(0, 7)));
  EXPECT_NEAR(trees.log_variance(0, 2),
              alone.log_variance(0, 2) + std::log(3.0), 1e-12);
}

TEST(FitGaussianTreeTest, ExcludedEdgesLeaveAForest) {
  const Moments moments = RandomMoments(4, 161);
  FitGaussianTreeOptions options;
  options.excluded = {{3, 0}, {1, 3}, {2, 3}};
  const auto tree = *FitGaussianTree<double>(moments, options);
  EXPECT_EQ(tree.parents[3], -1);
  EXPECT_EQ(Edges(tree.parents).size(), 2);
  EXPECT_NEAR(tree.log_variance(0, 3), std::log(moments.covariance(3, 3)),
              1e-12);
  // Two coordinates have one edge; a second tree has none.
  const auto two = *FitGaussianTrees<double>(RandomMoments(2, 165), 2);
  EXPECT_EQ(two.parents, (std::vector<std::int32_t>{-1, 0, -1, -1}));
}

TEST(FitGaussianTreeTest, VariancesHaveAFloor) {
  Observations<double> x = UniformRows(50, 2, -1, 1, 7);
  x.values.col(1) = 2 * x.values.col(0);
  const auto moments = *WeightedMoments<double>(x.values.topRows(50));
  const auto tree = *FitGaussianTree<double>(moments);
  EXPECT_NEAR(tree.weight(0, 1), 2, 1e-12);
  EXPECT_NEAR(std::exp(tree.log_variance(0, 1)),
              1e-4 * moments.covariance(1, 1), 1e-12);
}

TEST(FitGaussianTreeTest, SaysWhatIsWrong) {
  RowMatrix<double> rows = RandomMatrix(5, 3, 1, 171);
  rows.col(1).setConstant(0.1);
  const auto still = FitGaussianTree<double>(*WeightedMoments<double>(rows));
  EXPECT_EQ(still.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(still.status().message(), HasSubstr("column 1"));
  FitGaussianTreeOptions options;
  options.least_variance_share = 0;
  EXPECT_THAT(FitGaussianTree<double>(RandomMoments(3, 172), options)
                  .status()
                  .message(),
              HasSubstr("least_variance_share"));
  options = {};
  options.excluded = {{0, 3}};
  EXPECT_THAT(FitGaussianTree<double>(RandomMoments(3, 172), options)
                  .status()
                  .message(),
              HasSubstr("excluded edge (0, 3)"));
  EXPECT_FALSE(FitGaussianTrees<double>(RandomMoments(3, 172), 0).ok());
}

TEST(MomentsTest, AWeightIsANumberOfCopies) {
  const RowMatrix<double> rows = RandomMatrix(4, 3, 1, 173);
  RowMatrix<double> copies(6, 3);
  copies << rows.row(0), rows.row(1), rows.row(1), rows.row(3), rows.row(3),
      rows.row(3);
  const auto weighted =
      *WeightedMoments<double>(rows, std::vector<double>{1, 2, 0, 3});
  const auto copied = *WeightedMoments<double>(copies);
  EXPECT_EQ(weighted.weight, 6);
  EXPECT_LT((weighted.mean - copied.mean).norm(), 1e-14);
  EXPECT_LT((weighted.covariance - copied.covariance).norm(), 1e-14);
}

TEST(MomentsTest, SaysWhatIsWrong) {
  RowMatrix<double> rows = RandomMatrix(3, 2, 1, 174);
  const auto few = WeightedMoments<double>(rows, std::vector<double>{0, 2, 0});
  EXPECT_EQ(few.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(WeightedMoments<double>(RowMatrix<double>(rows.topRows(1)))
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(WeightedMoments<double>(rows, std::vector<double>{1, -1, 1})
                  .status()
                  .message(),
              HasSubstr("row 1 is -1"));
  EXPECT_FALSE(WeightedMoments<double>(rows, std::vector<double>{1, 1}).ok());
  rows(0, 1) = NAN;
  EXPECT_FALSE(WeightedMoments<double>(rows).ok());
}

// Half of the rows move together, half against each other: no single tree sees
// a correlation.
Observations<double> RowsOfTwoTrees(Index size) {
  const RowMatrix<double> normal = RandomMatrix(size, 3, 1, 181);
  Observations<double> x = MakeDense<double>(size, 3);
  for (Index n = 0; n < size; ++n) {
    const double sign = n % 2 == 0 ? 1 : -1;
    x.values(n, 0) = normal(n, 0) + 2 * sign;
    x.values(n, 1) = sign * normal(n, 0) + 0.2 * normal(n, 1) + 5;
    x.values(n, 2) = sign * normal(n, 1) + 0.3 * normal(n, 2);
  }
  return x;
}

TEST(FitGaussianTreeMixtureTest, FindsTwoTreesThatOneTreeCannot) {
  constexpr Index kRows = 2000;
  const Observations<double> x = RowsOfTwoTrees(kRows);
  FitGaussianTreeMixtureOptions options;
  std::vector<double> scores;
  for (Index trees : {1, 2}) {
    options.num_trees = trees;
    const auto mixture = FitGaussianTreeMixture<double>(
        x.values.topRows(kRows), {}, options, NeverInterrupt);
    ASSERT_TRUE(mixture.ok());
    EXPECT_EQ(mixture->settings.weight.rows(), trees);
    scores.push_back(MeanLogScore(mixture->settings, x));
    if (trees == 2) {
      const double first = mixture->settings.mixing_logit(0, 0);
      EXPECT_NEAR(std::exp(first), 0.5, 0.05);
    }
  }
  EXPECT_GT(scores[1], scores[0] + 0.5);
  // EM does not lower the likelihood (the prior's one row is no matter here).
  double before = -HUGE_VAL;
  for (int iterations : {1, 2, 4, 8, 16}) {
    options.max_iterations = iterations;
    const double score =
        MeanLogScore(FitGaussianTreeMixture<double>(x.values.topRows(kRows), {},
                                                    options, NeverInterrupt)
                         ->settings,
                     x);
    EXPECT_GT(score, before - 1e-4);
    before = score;
  }
}

TEST(FitGaussianTreeMixtureTest, StopsOnceTheLikelihoodStays) {
  const Observations<double> x = RowsOfTwoTrees(600);
  FitGaussianTreeMixtureOptions options;
  options.max_iterations = 1000;
  const auto fit = [&] {
    return FitGaussianTreeMixture<double>(x.values.topRows(x.size), {}, options,
                                          NeverInterrupt)
        .value();
  };
  const auto whole = fit();
  EXPECT_TRUE(whole.converged);
  EXPECT_LT(whole.iterations, 1000);
  EXPECT_LT(std::abs(whole.last_gain), options.tolerance);
  // The iteration before it was not the last, and gained what it says.
  options.max_iterations = whole.iterations - 1;
  const auto shorter = fit();
  EXPECT_FALSE(shorter.converged);
  EXPECT_EQ(shorter.iterations, whole.iterations - 1);
  EXPECT_GE(std::abs(shorter.last_gain), options.tolerance);
  EXPECT_NEAR(
      MeanLogScore(whole.settings, x) - MeanLogScore(shorter.settings, x),
      whole.last_gain, 1e-12);
}

// More trees than rows: none collapses.
TEST(FitGaussianTreeMixtureTest, TreesWithoutRowsStayAtThePrior) {
  FitGaussianTreeMixtureOptions options;
  options.num_trees = 5;
  const RowMatrix<double> rows = RandomMatrix(3, 2, 1, 191);
  const auto mixture = FitGaussianTreeMixture<double>(
      rows, std::vector<double>{1, 1, 0.5}, options, NeverInterrupt);
  ASSERT_TRUE(mixture.ok());
  EXPECT_TRUE(GaussianTree<double>::Create(mixture->settings).ok());
  options.prior_rows = 0;
  EXPECT_THAT(FitGaussianTreeMixture<double>(rows, {}, options, NeverInterrupt)
                  .status()
                  .message(),
              HasSubstr("prior_rows"));
}

}  // namespace
}  // namespace poe
