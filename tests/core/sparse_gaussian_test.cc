#include "poe/numerics/sparse_gaussian.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "Eigen/Dense"
#include "Eigen/SparseCholesky"
#include "Eigen/SparseCore"
#include "gtest/gtest.h"
#include "poe/numerics/random.h"

namespace poe {
namespace {

struct Case {
  std::vector<Coupling> couplings;
  Vector<double> information, precision, coupling;
  Eigen::MatrixXd Dense() const {
    Eigen::MatrixXd dense = precision.asDiagonal();
    for (std::size_t e = 0; e < couplings.size(); ++e) {
      const auto [i, j] = couplings[e];
      dense(i, j) += coupling(static_cast<Index>(e));
      dense(j, i) = dense(i, j);
    }
    return dense;
  }
};

// A ring of six with two chords, one pair named three times.
Case Loopy() {
  Case c;
  c.couplings = {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5},
                 {0, 5}, {1, 4}, {1, 4}, {0, 2}, {1, 4}};
  c.coupling.resize(10);
  c.coupling << -0.9, 0.7, -1.1, 0.6, -0.8, 0.5, 0.3, -0.9, 0.4, 0.2;
  c.precision.resize(6);
  c.precision << 3, 3.5, 2.8, 4, 3.2, 2.5;
  c.information.resize(6);
  c.information << 1, -2, 0.5, 3, -1, 0.2;
  return c;
}

Vector<double> Draw(SparseGaussian& gaussian, const Case& c,
                    const std::vector<std::uint8_t>& clamped,
                    const Vector<double>& noise, Vector<double> x) {
  gaussian.Draw(c.information, c.precision, c.coupling, clamped, noise, x);
  return x;
}

// `edges` pairs drawn at random.
std::vector<Coupling> RandomCouplings(Index dimension, int edges,
                                      std::uint64_t seed) {
  std::vector<double> uniform(2 * edges);
  FillUniform({seed, Purpose::kInitialize, 0, 0}, 0, absl::MakeSpan(uniform));
  std::vector<Coupling> couplings;
  for (int e = 0; e < edges; ++e) {
    const auto a = static_cast<Index>(uniform[2 * e] * dimension);
    const auto b = static_cast<Index>(uniform[2 * e + 1] * dimension);
    if (a != b) couplings.push_back({std::min(a, b), std::max(a, b)});
  }
  return couplings;
}

TEST(SparseGaussianTest, FactorEntriesAreThoseThatTheFactorHas) {
  for (const int edges : {1, 30, 60, 120, 400}) {
    const std::vector<Coupling> couplings = RandomCouplings(40, edges, edges);
    Eigen::SparseMatrix<double> matrix(40, 40);
    for (Index i = 0; i < 40; ++i) matrix.coeffRef(i, i) = 100;
    for (const auto& [i, j] : couplings) matrix.coeffRef(j, i) += 0.1;
    Eigen::SimplicialLLT<Eigen::SparseMatrix<double>> llt(matrix);
    const Eigen::SparseMatrix<double> lower = llt.matrixL();
    const std::int64_t entries = lower.nonZeros();
    EXPECT_EQ(FactorEntries(40, couplings, 1000000), entries);
    EXPECT_EQ(FactorEntries(40, couplings, entries), entries);
    EXPECT_EQ(FactorEntries(40, couplings, entries - 1), entries);
    EXPECT_EQ(FactorEntries(40, couplings, 40), 41);
  }
  EXPECT_EQ(FactorEntries(7, {}, 100), 7);
}

// Draws of unit noise, less the mean, are the columns of the root of the
// covariance: moments can be compared without sampling.
TEST(SparseGaussianTest, DrawsHaveTheDenseMeanAndCovariance) {
  const Case c = Loopy();
  SparseGaussian gaussian(6, c.couplings);
  const Eigen::MatrixXd covariance = c.Dense().inverse();
  const Vector<double> zero = Vector<double>::Zero(6);
  const Vector<double> mean = Draw(gaussian, c, {}, zero, zero);
  EXPECT_LT((mean - covariance * c.information).cwiseAbs().maxCoeff(), 1e-12);
  Eigen::MatrixXd root(6, 6);
  for (Index i = 0; i < 6; ++i)
    root.col(i) =
        Draw(gaussian, c, {}, Vector<double>::Unit(6, i), zero) - mean;
  EXPECT_LT((root * root.transpose() - covariance).cwiseAbs().maxCoeff(),
            1e-12);
}

// Given x_c: mean J_ff^-1 (h_f - J_fc x_c), covariance J_ff^-1.
TEST(SparseGaussianTest, ClampedDrawsHaveTheConditionalMeanAndCovariance) {
  const Case c = Loopy();
  SparseGaussian gaussian(6, c.couplings);
  const std::vector<std::uint8_t> clamped = {0, 1, 0, 0, 1, 0};
  const std::vector<Index> free = {0, 2, 3, 5}, given = {1, 4};
  const Vector<double> x = Vector<double>::LinSpaced(6, -2, 5);
  const Eigen::MatrixXd dense = c.Dense();
  const Eigen::MatrixXd covariance = dense(free, free).inverse();
  const Vector<double> expected =
      covariance * (c.information(free) - dense(free, given) * x(given));
  const Vector<double> mean =
      Draw(gaussian, c, clamped, Vector<double>::Zero(6), x);
  EXPECT_EQ(mean(given), x(given));
  EXPECT_LT((mean(free) - expected).cwiseAbs().maxCoeff(), 1e-12);
  Eigen::MatrixXd root(4, 6);
  for (Index i = 0; i < 6; ++i)
    root.col(i) =
        Draw(gaussian, c, clamped, Vector<double>::Unit(6, i), x)(free) -
        mean(free);
  EXPECT_LT((root * root.transpose() - covariance).cwiseAbs().maxCoeff(),
            1e-12);
  // All clamped: nothing moves. The factor before is not used again.
  EXPECT_EQ(Draw(gaussian, c, std::vector<std::uint8_t>(6, 1),
                 Vector<double>::Ones(6), x),
            x);
  const Vector<double> again =
      Draw(gaussian, c, {}, Vector<double>::Zero(6), x);
  EXPECT_LT((dense * again - c.information).cwiseAbs().maxCoeff(), 1e-12);
}

TEST(SparseGaussianTest, WithoutCouplingsCoordinatesAreIndependent) {
  Case c = Loopy();
  c.couplings.clear();
  c.coupling.resize(0);
  SparseGaussian gaussian(6, c.couplings);
  const Vector<double> x =
      Draw(gaussian, c, {0, 0, 1, 0, 0, 0}, Vector<double>::Ones(6),
           Vector<double>::Constant(6, 9));
  for (Index i = 0; i < 6; ++i)
    EXPECT_NEAR(x(i),
                i == 2 ? 9
                       : c.information(i) / c.precision(i) +
                             1 / std::sqrt(c.precision(i)),
                1e-14);
}

double DenseLogIntegral(const Case& c) {
  const Eigen::MatrixXd dense = c.Dense();
  const double pi = std::acos(-1.0);
  return (6 * std::log(2 * pi) - std::log(dense.determinant()) +
          c.information.dot(dense.inverse() * c.information)) /
         2;
}

TEST(SparseGaussianTest, LogIntegralMatchesDenseDeterminant) {
  Case c = Loopy();
  SparseGaussian coupled(6, c.couplings);
  EXPECT_NEAR(
      coupled.LogIntegral(c.information, c.precision, c.coupling, {}, {}),
      DenseLogIntegral(c), 1e-12);
  c.couplings.clear();
  c.coupling.resize(0);
  SparseGaussian alone(6, c.couplings);
  EXPECT_NEAR(alone.LogIntegral(c.information, c.precision, c.coupling, {}, {}),
              DenseLogIntegral(c), 1e-12);
}

// log of the integral over three of six values by its definition with dense
// matrices; what stands in their place is not read.
TEST(SparseGaussianTest, LogIntegralGivenValuesMatchesDenseMatrices) {
  Case c = Loopy();
  const std::vector<std::uint8_t> clamped = {0, 1, 1, 0, 0, 1};
  const std::vector<Index> free = {0, 3, 4}, given = {1, 2, 5};
  Vector<double> x =
      Vector<double>::Constant(6, std::numeric_limits<double>::quiet_NaN());
  x(given) = Eigen::Vector3d(0.3, -1.2, 2);
  const auto expected = [&] {
    const Eigen::MatrixXd dense = c.Dense();
    const Eigen::MatrixXd own = dense(free, free);
    const Vector<double> seen = x(given);
    const Vector<double> pull =
        Vector<double>(c.information(free)) - dense(free, given) * seen;
    return Vector<double>(c.information(given)).dot(seen) -
           seen.dot(dense(given, given) * seen) / 2 +
           (3 * std::log(2 * std::acos(-1.0)) - std::log(own.determinant()) +
            pull.dot(own.inverse() * pull)) /
               2;
  };
  SparseGaussian coupled(6, c.couplings);
  EXPECT_NEAR(
      coupled.LogIntegral(c.information, c.precision, c.coupling, clamped, x),
      expected(), 1e-12);
  c.couplings.clear();
  c.coupling.resize(0);
  SparseGaussian alone(6, c.couplings);
  EXPECT_NEAR(
      alone.LogIntegral(c.information, c.precision, c.coupling, clamped, x),
      expected(), 1e-12);
}

// Two coordinates tied so tightly that the determinant is lost: exactly
// singular, and slightly indefinite.
TEST(SparseGaussianTest, IndefinitePrecisionsFromRoundingStayFinite) {
  for (double excess : {0.0, 1e-15, 1e-7}) {
    Case c;
    c.couplings = {{0, 1}};
    c.precision = Vector<double>::Constant(2, 1e12);
    c.coupling = Vector<double>::Constant(1, -1e12 * (1 + excess));
    c.information = Vector<double>::LinSpaced(2, -3, 4);
    SparseGaussian gaussian(2, c.couplings);
    const Vector<double> x =
        Draw(gaussian, c, {}, Vector<double>::Ones(2), Vector<double>::Zero(2));
    EXPECT_TRUE(x.allFinite());
    EXPECT_LT(x.cwiseAbs().maxCoeff(), 10);
    // Raised no further than it takes: the two still move together.
    EXPECT_LT(std::abs(x(0) - x(1)), 1e-5);
    EXPECT_TRUE(std::isfinite(
        gaussian.LogIntegral(c.information, c.precision, c.coupling, {}, {})));
  }
}

TEST(SparseGaussianTest, HopelessPrecisionsStayFinite) {
  Case c = Loopy();
  c.coupling *= 1e9;
  SparseGaussian gaussian(6, c.couplings);
  EXPECT_TRUE(
      Draw(gaussian, c, {}, Vector<double>::Ones(6), Vector<double>::Zero(6))
          .allFinite());
}

}  // namespace
}  // namespace poe
