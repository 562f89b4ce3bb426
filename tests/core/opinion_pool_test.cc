#include "poe/opinion_pool.h"

#include <cmath>
#include <string>
#include <vector>

#include "Eigen/Cholesky"
#include "Eigen/LU"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/core_models.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

// M distributions over S states.
RowMatrix<double> Opinions(Index opinions, Index states, std::uint64_t seed) {
  RowMatrix<double> logs = NormalMatrix(opinions, states, seed).cast<double>();
  for (Index m = 0; m < opinions; ++m)
    logs.row(m).array() -= std::log(logs.row(m).array().exp().sum());
  return logs;
}

double Divergence(const Vector<double>& p, const Vector<double>& log_q) {
  return (p.array() * (p.array().log() - log_q.array())).sum();
}

TEST(OpinionPoolTest, DivergenceOfAListedPoolIsTheMeanOfItsMembersAndLogZ) {
  const RowMatrix<double> opinions = Opinions(3, 20, 1);
  const Vector<double> truth =
      Opinions(1, 20, 2).row(0).transpose().array().exp();
  const std::vector<double> weights = {0.5, 0.2, 0.3};
  const auto pool = PoolListed(opinions, weights);
  ASSERT_TRUE(pool.ok()) << pool.status();
  EXPECT_NEAR(pool->log_probabilities.array().exp().sum(), 1, 1e-12);
  double members = 0;
  for (Index m = 0; m < 3; ++m)
    members += weights[m] * Divergence(truth, opinions.row(m).transpose());
  EXPECT_NEAR(Divergence(truth, pool->log_probabilities),
              members + pool->log_partition, 1e-12);
  EXPECT_LT(pool->log_partition, 0);
}

TEST(OpinionPoolTest, AgreementGainsNothing) {
  RowMatrix<double> opinions = Opinions(2, 5, 3);
  opinions.row(1) = opinions.row(0);
  const auto pool = PoolListed(opinions, {0.25, 0.75});
  ASSERT_TRUE(pool.ok());
  EXPECT_NEAR(pool->log_partition, 0, 1e-12);
  EXPECT_TRUE(
      pool->log_probabilities.isApprox(opinions.row(0).transpose(), 1e-12));
}

// At the maximum the gradient is the same for all members with a weight, and
// less for the others.
TEST(OpinionPoolTest, LearnedListedWeightsAreTheMaximum) {
  const RowMatrix<double> opinions = Opinions(4, 30, 4);
  // A pool of the first two, so that their weights are the answer.
  const auto wanted = PoolListed(opinions, {0.3, 0.7, 0, 0});
  ASSERT_TRUE(wanted.ok());
  const Vector<double> shares = wanted->log_probabilities.array().exp();
  const auto weights = LearnListedWeights(
      opinions, absl::MakeConstSpan(shares.data(), shares.size()));
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_NEAR((*weights)[0], 0.3, 1e-3);
  EXPECT_NEAR((*weights)[1], 0.7, 1e-3);
  const auto learned = PoolListed(opinions, *weights);
  ASSERT_TRUE(learned.ok());
  EXPECT_NEAR(Divergence(shares, learned->log_probabilities), 0, 1e-7);
}

GaussianOpinion Gaussian(Index dimension, std::uint64_t seed) {
  const RowMatrix<double> factor =
      NormalMatrix(dimension, dimension, seed).cast<double>();
  GaussianOpinion opinion;
  opinion.mean =
      NormalMatrix(1, dimension, seed + 100).row(0).transpose().cast<double>();
  opinion.precision = factor * factor.transpose() +
                      RowMatrix<double>::Identity(dimension, dimension);
  return opinion;
}

double Divergence(const GaussianOpinion& p, const GaussianOpinion& q) {
  const Eigen::MatrixXd a = p.precision, b = q.precision;
  const Vector<double> away = p.mean - q.mean;
  const auto dimension = static_cast<double>(p.mean.size());
  return ((b * a.inverse()).trace() - dimension + away.dot(b * away) +
          std::log(a.determinant() / b.determinant())) /
         2;
}

TEST(OpinionPoolTest, DivergenceOfAGaussianPoolIsTheMeanOfItsMembersAndLogZ) {
  const std::vector<GaussianOpinion> opinions = {Gaussian(3, 5), Gaussian(3, 6),
                                                 Gaussian(3, 7)};
  const GaussianOpinion truth = Gaussian(3, 8);
  const std::vector<double> weights = {0.1, 0.6, 0.3};
  const auto pool = PoolGaussians(opinions, weights);
  ASSERT_TRUE(pool.ok()) << pool.status();
  double members = 0;
  for (std::size_t m = 0; m < 3; ++m)
    members += weights[m] * Divergence(truth, opinions[m]);
  EXPECT_NEAR(Divergence(truth, pool->pool), members + pool->log_partition,
              1e-9);
  EXPECT_LT(pool->log_partition, 0);
}

TEST(OpinionPoolTest, LogZOfGaussiansIsTheIntegral) {
  std::vector<GaussianOpinion> opinions = {Gaussian(1, 9), Gaussian(1, 10)};
  const std::vector<double> weights = {0.4, 0.6};
  const auto pool = PoolGaussians(opinions, weights);
  ASSERT_TRUE(pool.ok());
  double sum = 0;
  constexpr double kStep = 1e-3;
  for (double x = -20; x < 20; x += kStep) {
    double log_product = 0;
    for (std::size_t m = 0; m < 2; ++m) {
      const double precision = opinions[m].precision(0, 0);
      const double away = x - opinions[m].mean(0);
      log_product +=
          weights[m] *
          (std::log(precision / (2 * M_PI)) - precision * away * away) / 2;
    }
    sum += std::exp(log_product) * kStep;
  }
  EXPECT_NEAR(std::log(sum), pool->log_partition, 1e-9);
}

TEST(OpinionPoolTest, LearnedGaussianWeightsFindThePool) {
  const std::vector<GaussianOpinion> opinions = {Gaussian(2, 11),
                                                 Gaussian(2, 12)};
  const auto wanted = PoolGaussians(opinions, {0.8, 0.2});
  ASSERT_TRUE(wanted.ok());
  const Eigen::MatrixXd precision = wanted->pool.precision;
  const auto weights = LearnGaussianWeights(
      opinions, wanted->pool.mean, precision.inverse(), NeverInterrupt);
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_NEAR((*weights)[0], 0.8, 1e-3);
  EXPECT_NEAR((*weights)[1], 0.2, 1e-3);
}

TEST(OpinionPoolTest, WrongWeightsAndOpinionsAreRefused) {
  const RowMatrix<double> opinions = Opinions(2, 4, 13);
  const auto text = [](const auto& result) {
    EXPECT_TRUE(absl::IsInvalidArgument(result.status()));
    return std::string(result.status().message());
  };
  EXPECT_THAT(text(PoolListed(opinions, {0.5, 0.6})),
              HasSubstr("the weights sum to 1.1"));
  EXPECT_THAT(text(PoolListed(opinions, {1.5, -0.5})),
              HasSubstr("weights[1] is -0.5"));
  EXPECT_THAT(text(PoolListed(opinions, {1})),
              HasSubstr("there are 1 weights; must be 2"));
  EXPECT_THAT(text(PoolListed(opinions.array() + 1, {0.5, 0.5})),
              HasSubstr("opinion 0 sum to"));
  GaussianOpinion flat = Gaussian(2, 14);
  flat.precision.setZero();
  EXPECT_THAT(text(PoolGaussians({flat}, {1})),
              HasSubstr("precision of opinion 0 is not positive definite"));
  EXPECT_THAT(text(PoolGaussians({Gaussian(2, 1), Gaussian(3, 1)}, {0.5, 0.5})),
              HasSubstr("opinion 1 is not of dimension 2"));
}

}  // namespace
}  // namespace poe
