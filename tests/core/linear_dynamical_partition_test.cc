#include "poe/experts/linear_dynamical_partition.h"

#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "Eigen/Cholesky"
#include "Eigen/LU"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/experts/selected_coordinates.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"
#include "tests/core/linear_dense.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<ExpertGroup<double>> Systems(Index experts, Index latents,
                                             Index dimension, double power) {
  auto settings = RandomSystems<double>(experts, latents, dimension);
  settings.power = power;
  return *LinearDynamical<double>::Create(settings);
}

// log of the integral over x of the base and of Gaussians in x that are what
// each expert makes of all T D values; the paths are integrated out one expert
// at a time, x last.
double DenseLogPartition(const Product<double>& product, Index length) {
  const Index dimension = product.dimension(), values = length * dimension;
  const Eigen::VectorXd base_mean =
      product.base().block(0).transpose().replicate(length, 1);
  Eigen::MatrixXd precision = (-product.base().block(1).transpose())
                                  .array()
                                  .exp()
                                  .matrix()
                                  .replicate(length, 1)
                                  .asDiagonal();
  Eigen::VectorXd information = precision * base_mean;
  double constant = -base_mean.dot(information) / 2;
  const RowMatrix<double> origin = RowMatrix<double>::Zero(length, dimension);
  for (std::size_t g = 0; g < product.num_groups(); ++g) {
    const ExpertGroup<double>& group = product.group(g);
    for (Index m = 0; m < group.num_experts(); ++m) {
      const DenseSystem system(group, m);
      const DensePath path(system, length);
      Eigen::MatrixXd covariance =
          path.emission * path.covariance * path.emission.transpose();
      covariance.diagonal() += path.variance / group.power();
      const Eigen::MatrixXd own = covariance.inverse();
      precision += own;
      information += own * (path.offset + path.emission * path.mean);
      constant += DenseLogScore(system, origin, group.power());
    }
  }
  const Eigen::LLT<Eigen::MatrixXd> factor(precision);
  double log_determinant = 0;
  for (Index i = 0; i < values; ++i)
    log_determinant += 2 * std::log(factor.matrixLLT()(i, i));
  return constant + information.dot(factor.solve(information)) / 2 +
         (static_cast<double>(values) * std::log(2 * std::numbers::pi) -
          log_determinant) /
             2;
}

TEST(LinearDynamicalPartitionTest, MatchesQuadratureOverTwoValues) {
  for (double power : {1.0, 0.4}) {
    const Product<double> line =
        ProductOf(MakeStructuredBase(1), Systems(2, 2, 1, power));
    EXPECT_NEAR(*LinearDynamicalLogPartition(line, 2),
                ExactDistribution(line, 1, 2).log_normalizer(), 1e-7);
    const Product<double> frame =
        ProductOf(MakeStructuredBase(2), Systems(3, 2, 2, power));
    EXPECT_NEAR(*LinearDynamicalLogPartition(frame, 1),
                ExactDistribution(frame, 1, 1).log_normalizer(), 1e-7);
  }
}

TEST(LinearDynamicalPartitionTest, MatchesTheDenseGaussian) {
  for (double power : {1.0, 0.3}) {
    const Product<double> two =
        ProductOf(MakeStructuredBase(2), Systems(2, 2, 2, power));
    EXPECT_NEAR(*LinearDynamicalLogPartition(two, 4), DenseLogPartition(two, 4),
                1e-9);
  }
}

TEST(LinearDynamicalPartitionTest, GroupsMayDifferInLatentsAndPower) {
  const Product<double> product = ProductOf(
      MakeStructuredBase(3), Systems(2, 1, 3, 1), Systems(1, 3, 3, 0.5));
  for (Index length : {1, 2, 40})
    EXPECT_NEAR(*LinearDynamicalLogPartition(product, length),
                DenseLogPartition(product, length), 1e-9 * length);
}

// One system for each of two channels.
TEST(LinearDynamicalPartitionTest, SystemsMaySeeSomeCoordinatesOnly) {
  const auto base = MakeStructuredBase(2);
  double expected = 0;
  std::vector<std::unique_ptr<ExpertGroup<double>>> groups;
  for (Index i : {0, 1}) {
    const Product<double> alone =
        ProductOf(*StructuredGaussianBase<double>::Create(
                      base->block(0).col(i), base->block(1).col(i)),
                  Systems(1, 2 + i, 1, 1));
    expected += DenseLogPartition(alone, 5);
    groups.push_back(
        *SelectedCoordinates<double>::Create(Systems(1, 2 + i, 1, 1), {i}, 2));
  }
  const auto product =
      *Product<double>::Create(base->Clone(), std::move(groups));
  EXPECT_NEAR(*LinearDynamicalLogPartition(product, 5), expected, 1e-9);
}

TEST(LinearDynamicalPartitionTest, NearlyExactExpertsStayFinite) {
  auto settings = RandomSystems<double>(2, 2, 2);
  settings.emission_log_variance.setConstant(-30);
  settings.transition_log_cholesky << -15, 0, -15, -15, 0, -15;
  const Product<double> product = ProductOf(
      MakeStructuredBase(2), std::unique_ptr<ExpertGroup<double>>(
                                 *LinearDynamical<double>::Create(settings)));
  EXPECT_TRUE(std::isfinite(*LinearDynamicalLogPartition(product, 100)));
}

TEST(LinearDynamicalPartitionTest, SaysWhereItDoesNotApply) {
  const Product<double> on_a_box =
      ProductOf(MakeGaussianBase(1, false), Systems(1, 1, 1, 1));
  const absl::Status box = LinearDynamicalLogPartition(on_a_box, 2).status();
  EXPECT_EQ(box.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(box.message(), HasSubstr("structured Gaussian base"));
  const Product<double> product =
      ProductOf(MakeStructuredBase(1), Systems(1, 1, 1, 1));
  EXPECT_EQ(LinearDynamicalLogPartition(product, 0).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace poe
