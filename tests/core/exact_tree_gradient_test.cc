#include "poe/exact_tree_gradient.h"

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "Eigen/Dense"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/fit_gaussian_tree.h"
#include "poe/experts/gaussian_tree_partition.h"
#include "poe/experts/gaussian_tree_product.h"
#include "poe/numerics/moments.h"
#include "poe/optimizer.h"
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
  return ProductOf(*StructuredGaussianBase<double>::Create(
                       mean, Vector<double>::Constant(mean.size(), 5), fixed),
                   *GaussianTree<double>::Create(trees));
}

double MeanLogLikelihood(const Product<double>& product,
                         const Observations<double>& x) {
  double sum = 0;
  for (double score : product.LogScores(x, Workers::Inline())) sum += score;
  return sum / static_cast<double>(x.size) - *GaussianTreeLogPartition(product);
}

// log p(outputs | inputs) by dense matrices, the mean over the rows.
double MeanConditionalLogLikelihood(const Product<double>& product,
                                    const Observations<double>& x,
                                    const std::vector<std::uint8_t>& inputs) {
  const auto trees = *GaussianTreeProduct<double>::View(product);
  const std::vector<Index> states(trees.num_states().size(), 0);
  const auto natural = trees.Given(states);
  Eigen::MatrixXd precision = natural.precision.asDiagonal();
  for (std::size_t e = 0; e < trees.couplings().size(); ++e) {
    const auto [i, j] = trees.couplings()[e];
    precision(i, j) += natural.coupling(static_cast<Index>(e));
    precision(j, i) = precision(i, j);
  }
  std::vector<Index> given, free;
  for (Index i = 0; i < kWidth; ++i)
    (inputs[i] != 0 ? given : free).push_back(i);
  const Eigen::MatrixXd own = precision(free, free);
  const Eigen::MatrixXd cross = precision(free, given);
  const Eigen::MatrixXd covariance = own.inverse();
  const Vector<double> information = natural.information(free);
  double sum = 0;
  for (Index n = 0; n < x.size; ++n) {
    const Vector<double> row = x.values.row(n).transpose();
    const Vector<double> seen = row(given), drawn = row(free);
    const Vector<double> shift =
        drawn - covariance * (information - cross * seen);
    sum += (std::log(own.determinant()) - shift.dot(own * shift) -
            static_cast<double>(free.size()) * std::log(2 * std::acos(-1.0))) /
           2;
  }
  return sum / static_cast<double>(x.size);
}

// Two softened trees and a base that moves, whose mean is off the data's.
Product<double> TwoTrees(const Observations<double>& x) {
  auto trees = *FitGaussianTrees<double>(
      *WeightedMoments<double>(x.values.topRows(x.size)), 2);
  trees.offset.array() += 0.3;
  trees.power = 0.8;
  return ProductOf(trees, false);
}

// That the gradient has the slopes of `figure` of the product.
template <typename Figure>
void ExpectSlopes(const ExactTreeGradient<double>& exact,
                  const Product<double>& product, Figure figure) {
  auto expect_slope = [&](double gradient, auto part, Index parameter) {
    auto moved = [&](double step) {
      Product<double> other = product;
      part(other).UpdateParameters(Workers::Inline(),
                                   [&](Eigen::Ref<Vector<double>> values) {
                                     values(parameter) += step;
                                   });
      return figure(other);
    };
    const double h = 1e-4;
    EXPECT_NEAR(gradient, (moved(h) - moved(-h)) / (2 * h), 1e-6)
        << "parameter " << parameter;
  };
  for (Index p = 0; p < exact.base_gradient().size(); ++p)
    expect_slope(
        exact.base_gradient()(p),
        [](Product<double>& other) -> Parameterized<double>& {
          return other.mutable_base();
        },
        p);
  for (Index p = 0; p < exact.group_gradient(0).size(); ++p)
    expect_slope(
        exact.group_gradient(0)(p),
        [](Product<double>& other) -> Parameterized<double>& {
          return other.mutable_group(0);
        },
        p);
}

TEST(ExactTreeGradientTest, IsThatOfTheMeanLogLikelihood) {
  const Observations<double> x = GridRows(30, 201);
  const Product<double> product = TwoTrees(x);
  ExactTreeGradient<double> exact(product);
  ASSERT_TRUE(exact.ComputeGradient(x, {}, Workers::Inline()).ok());
  ExpectSlopes(exact, product, [&](const Product<double>& other) {
    return MeanLogLikelihood(other, x);
  });
}

TEST(ExactTreeGradientTest, WithInputsItIsThatOfTheOutputsGivenThem) {
  const Observations<double> x = GridRows(30, 207);
  const std::vector<std::uint8_t> inputs = {1, 0, 0, 0, 1, 0, 0, 1, 0};
  const Product<double> product = TwoTrees(x);
  ExactTreeGradient<double> exact(product, inputs);
  ASSERT_TRUE(exact.ComputeGradient(x, {}, Workers::Inline()).ok());
  ExpectSlopes(exact, product, [&](const Product<double>& other) {
    return MeanConditionalLogLikelihood(other, x, inputs);
  });
  // The same again without the data.
  const Vector<double> first = exact.group_gradient(0);
  ASSERT_TRUE(exact.ComputeGradient(Workers::Inline()).ok());
  EXPECT_EQ(exact.group_gradient(0), first);
}

TEST(ExactTreeGradientTest, AWeightCountsARowAgain) {
  Observations<double> x = GridRows(30, 206);
  const auto moments = *WeightedMoments<double>(x.values.topRows(30));
  const Product<double> product =
      ProductOf(*FitGaussianTrees<double>(moments, 2), false);
  std::vector<double> weights(30, 1);
  weights[4] = 3;
  weights[7] = 0;
  ExactTreeGradient<double> weighted(product), plain(product);
  ASSERT_TRUE(weighted.ComputeGradient(x, weights, Workers::Inline()).ok());
  Observations<double> repeated = MakeDense<double>(31, kWidth);
  repeated.values.topRows(30) = x.values.topRows(30);
  repeated.values.row(7) = repeated.values.row(30) = x.values.row(4);
  ASSERT_TRUE(plain.ComputeGradient(repeated, {}, Workers::Inline()).ok());
  EXPECT_LT((weighted.group_gradient(0) - plain.group_gradient(0))
                .cwiseAbs()
                .maxCoeff(),
            1e-10);
}

// `updates` steps of Adam along the gradient, the rate falling by a cosine.
Product<double> Ascend(Product<double> product, const Observations<double>& x,
                       int updates) {
  OptimizerSettings settings;
  settings.kind = OptimizerSettings::Kind::kAdam;
  settings.schedule = OptimizerSettings::Schedule::kCosine;
  settings.rate = 0.02;
  Optimizer<double> optimizer(settings, updates);
  ExactTreeGradient<double> exact(product);
  for (int update = 0; update < updates; ++update) {
    // Only the first call needs the data.
    EXPECT_TRUE((update == 0 ? exact.ComputeGradient(x, {}, Workers::Inline())
                             : exact.ComputeGradient(Workers::Inline()))
                    .ok());
    optimizer.Step(update, 0, exact.group_gradient(0), Workers::Inline(),
                   product.mutable_group(0));
  }
  return product;
}

TEST(ExactTreeGradientTest, TwoTreesBeatTheBestOneOnAGrid) {
  const Observations<double> x = GridRows(4000, 202);
  const Observations<double> held_out = GridRows(4000, 203);
  const auto moments = *WeightedMoments<double>(x.values.topRows(4000));
  const auto test = *WeightedMoments<double>(held_out.values.topRows(4000));
  const Product<double> one =
      Ascend(ProductOf(*FitGaussianTree<double>(moments), true), x, 500);
  const Product<double> two =
      Ascend(ProductOf(*FitGaussianTrees<double>(moments, 2), true), x, 500);
  // What no product can be better than by much: the data's own Gaussian.
  const Eigen::MatrixXd truth = GridPrecision();
  const Vector<double> shift = test.mean.array() - 0.5;
  const double best =
      (std::log(truth.determinant()) -
       static_cast<double>(kWidth) * std::log(2 * std::acos(-1.0)) -
       truth.cwiseProduct(test.covariance).sum() - shift.dot(truth * shift)) /
      2;
  EXPECT_GT(MeanLogLikelihood(two, x), MeanLogLikelihood(one, x) + 0.05);
  const double with_two = MeanLogLikelihood(two, held_out);
  EXPECT_GT(with_two, MeanLogLikelihood(one, held_out) + 0.05);
  EXPECT_LT(with_two, best + 0.01);
}

TEST(ExactTreeGradientTest, MixturesOfTreesAreRefused) {
  const Observations<double> x = GridRows(20, 205);
  const auto moments = *WeightedMoments<double>(x.values.topRows(20));
  auto mixture = *FitGaussianTree<double>(moments);
  mixture.mixing_logit.setZero(1, 2);
  const Product<double> product = ProductOf(mixture, true);
  ExactTreeGradient<double> exact(product);
  const absl::Status status = exact.ComputeGradient(x, {}, Workers::Inline());
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(status.message(), HasSubstr("expert 0 is a mixture"));
}

}  // namespace
}  // namespace poe
