#include "poe/experts/diagonal_gaussians.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "poe/numerics/constants.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

constexpr Index kDimension = 5;

template <typename Scalar>
class DiagonalGaussiansTest : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(DiagonalGaussiansTest, Scalars);

// Random Gaussians, and rows that see them.
template <typename Scalar>
struct GaussianCase {
  GaussianCase(Index size, Index rows, Index variances = kDimension)
      : mean(RandomMatrix(size, kDimension, 1, 51).cast<Scalar>()),
        log_variance(RandomMatrix(size, variances, 0.5, 52).cast<Scalar>()),
        log_weight(RandomMatrix(size, 1, 1, 53)),
        x(RandomMatrix(rows, kDimension, 2, 54).cast<Scalar>()),
        weights(RandomMatrix(rows, size, 1, 55).cast<Scalar>()) {
    gaussians.Update(mean, log_variance, log_weight, Workers::Inline());
  }

  RowMatrix<double> LogDensities() const {
    RowMatrix<double> result(x.rows(), mean.rows());
    gaussians.LogDensities(x, 0, result);
    return result;
  }

  struct Gradient {
    RowMatrix<Scalar> of_mean, of_log_variance;
    Vector<double> total;
  };
  Gradient GradientBy(const Workers& workers) const {
    Gradient gradient;
    gradient.of_mean = RowMatrix<Scalar>::Ones(mean.rows(), mean.cols());
    gradient.of_log_variance =
        RowMatrix<Scalar>::Ones(log_variance.rows(), log_variance.cols());
    const auto set_weights = [&](Index row, Index first,
                                 RowMatrixRef<Scalar> part) {
      part = weights.block(row, first, part.rows(), part.cols());
    };
    gradient.total = gaussians.AddGradient(
        x, set_weights, workers, gradient.of_mean, gradient.of_log_variance);
    return gradient;
  }

  RowMatrix<Scalar> mean, log_variance;
  Vector<double> log_weight;
  RowMatrix<Scalar> x, weights;
  DiagonalGaussians<Scalar> gaussians;
};

template <typename Matrix>
bool HaveSameBits(const Matrix& a, const Matrix& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() &&
         std::memcmp(a.data(), b.data(),
                     sizeof(typename Matrix::Scalar) * a.size()) == 0;
}

TYPED_TEST(DiagonalGaussiansTest, LogDensitiesMatchTheFormula) {
  for (Index variances : {Index{1}, kDimension}) {
    const GaussianCase<TypeParam> given(7, 70, variances);
    const RowMatrix<double> result = given.LogDensities();
    for (Index n = 0; n < result.rows(); ++n) {
      for (Index g = 0; g < result.cols(); ++g) {
        double expected = given.log_weight(g);
        for (Index i = 0; i < kDimension; ++i) {
          const double s = given.log_variance(g, variances == 1 ? 0 : i);
          const double distance =
              static_cast<double>(given.x(n, i)) - given.mean(g, i);
          expected -= (kLog2Pi + s + distance * distance * std::exp(-s)) / 2;
        }
        EXPECT_NEAR(result(n, g), expected, 1e-12 * (1 + std::abs(expected)));
      }
    }
  }
}

TYPED_TEST(DiagonalGaussiansTest, LogDensitiesHaveTheSameBitsHoweverShared) {
  struct Shape {
    Index experts, components;
  };
  for (const Shape shape : {Shape{1, 1}, {3, 1}, {7, 5}, {40, 1}, {41, 6}}) {
    const Index size = shape.experts * shape.components;
    for (Index rows : {1, 5, 100, 1500}) {
      const GaussianCase<TypeParam> given(size, rows);
      const RowMatrix<double> whole = given.LogDensities();
      for (int threads : {1, 2, 3}) {
        const Workers workers(threads);
        RowMatrix<double> shared(rows, size);
        ShareGaussians(
            rows, shape.experts, shape.components, workers,
            [&](Index row, Index count, Index expert, Index experts) {
              const Index first = expert * shape.components;
              given.gaussians.LogDensities(
                  given.x.middleRows(row, count), first,
                  shared.block(row, first, count, experts * shape.components));
            });
        EXPECT_TRUE(HaveSameBits(shared, whole))
            << rows << " rows, " << shape.experts << " x " << shape.components
            << " Gaussians, " << threads << " threads";
      }
    }
  }
}

TYPED_TEST(DiagonalGaussiansTest, LogDensitiesOfARowAloneAreThoseInABatch) {
  const GaussianCase<TypeParam> given(50, 150);
  const RowMatrix<double> whole = given.LogDensities();
  for (Index n = 0; n < whole.rows(); ++n) {
    RowMatrix<double> alone(1, whole.cols());
    given.gaussians.LogDensities(given.x.row(n), 0, alone);
    EXPECT_TRUE(HaveSameBits<RowMatrix<double>>(alone, whole.row(n))) << n;
  }
}

TYPED_TEST(DiagonalGaussiansTest, GradientHasTheSameBitsAtAnyThreadCount) {
  for (Index size : {1, 5, 40, 131}) {
    for (Index rows : {100, 2500}) {
      const GaussianCase<TypeParam> given(size, rows);
      const auto one = given.GradientBy(Workers::Inline());
      for (int threads : {2, 3}) {
        const auto other = given.GradientBy(Workers(threads));
        EXPECT_TRUE(HaveSameBits(other.of_mean, one.of_mean));
        EXPECT_TRUE(HaveSameBits(other.of_log_variance, one.of_log_variance));
        EXPECT_TRUE(HaveSameBits(other.total, one.total));
      }
    }
  }
}

TYPED_TEST(DiagonalGaussiansTest, GradientMatchesTheFormula) {
  for (Index variances : {Index{1}, kDimension}) {
    for (Index rows : {100, 2500}) {
      const GaussianCase<TypeParam> given(6, rows, variances);
      const auto gradient = given.GradientBy(Workers::Inline());
      RowMatrix<double> of_mean = RowMatrix<double>::Ones(6, kDimension);
      RowMatrix<double> of_log_variance = RowMatrix<double>::Ones(6, variances);
      for (Index g = 0; g < 6; ++g) {
        double total = 0;
        for (Index n = 0; n < rows; ++n) {
          const double weight = given.weights(n, g);
          total += weight;
          for (Index i = 0; i < kDimension; ++i) {
            const Index column = variances == 1 ? 0 : i;
            const double precision =
                std::exp(-static_cast<double>(given.log_variance(g, column)));
            const double distance =
                static_cast<double>(given.x(n, i)) - given.mean(g, i);
            of_mean(g, i) += weight * precision * distance;
            of_log_variance(g, column) +=
                weight * (precision * distance * distance - 1) / 2;
          }
        }
        EXPECT_NEAR(gradient.total(g), total, 1e-9);
      }
      // Sums of thousands of terms of either sign.
      const double rounding =
          static_cast<double>(Eigen::NumTraits<TypeParam>::epsilon()) * 1e6;
      EXPECT_LT((gradient.of_mean.template cast<double>() - of_mean)
                    .cwiseAbs()
                    .maxCoeff(),
                rounding);
      EXPECT_LT(
          (gradient.of_log_variance.template cast<double>() - of_log_variance)
              .cwiseAbs()
              .maxCoeff(),
          rounding);
    }
  }
}

TYPED_TEST(DiagonalGaussiansTest, UpdateHasTheSameBitsAtAnyThreadCount) {
  // So wide that threads share the mean of the means.
  constexpr Index kSize = 60, kWidth = 600;
  const RowMatrix<TypeParam> mean =
      RandomMatrix(kSize, kWidth, 1, 57).cast<TypeParam>();
  const RowMatrix<TypeParam> log_variance =
      RandomMatrix(kSize, kWidth, 0.5, 58).cast<TypeParam>();
  const RowMatrix<TypeParam> x =
      RandomMatrix(4, kWidth, 1, 59).cast<TypeParam>();
  const auto updated_with = [&](const Workers& workers) {
    DiagonalGaussians<TypeParam> gaussians;
    gaussians.Update(mean, log_variance, Vector<double>::Zero(kSize), workers);
    RowMatrix<double> log_densities(x.rows(), kSize);
    gaussians.LogDensities(x, 0, log_densities);
    return std::make_tuple(gaussians.centre(),
                           RowMatrix<TypeParam>(gaussians.messages()),
                           log_densities);
  };
  const auto one = updated_with(Workers::Inline());
  EXPECT_TRUE(std::get<0>(one).isApprox(
      mean.template cast<double>().colwise().mean().transpose(), 1e-12));
  for (int threads : {2, 3})
    EXPECT_TRUE(updated_with(Workers(threads)) == one) << threads;
}

TYPED_TEST(DiagonalGaussiansTest, EveryLogVarianceIsBroughtWithinBounds) {
  const RowMatrix<TypeParam> given =
      RandomMatrix(50, 3, 2, 60).cast<TypeParam>();
  for (int threads : {1, 2, 3}) {
    RowMatrix<TypeParam> bounded = given;
    BoundLogVariances<TypeParam>(-1, 2, Workers(threads), bounded);
    for (Index i = 0; i < given.size(); ++i)
      EXPECT_EQ(bounded.data()[i],
                std::clamp<TypeParam>(given.data()[i], -1, 2));
  }
}

struct GaussianBlock {
  Index row, rows, expert, experts;
};

std::vector<GaussianBlock> BlocksOf(Index rows, Index experts, Index components,
                                    int threads) {
  const Workers workers(threads);
  std::mutex mutex;
  std::vector<GaussianBlock> blocks;
  ShareGaussians(rows, experts, components, workers,
                 [&](Index row, Index count, Index expert, Index part) {
                   const std::lock_guard lock(mutex);
                   blocks.push_back({row, count, expert, part});
                 });
  return blocks;
}

TEST(ShareGaussiansTest, EveryRowMeetsEveryExpertOnce) {
  for (int threads : {1, 2, 3, 8}) {
    for (Index rows : {0, 1, 4, 32, 100, 1500}) {
      for (Index experts : {1, 7, 40, 101}) {
        for (Index components : {1, 3, 50}) {
          RowMatrix<int> met = RowMatrix<int>::Zero(rows, experts);
          for (const GaussianBlock& block :
               BlocksOf(rows, experts, components, threads))
            met.block(block.row, block.expert, block.rows, block.experts)
                .array() += 1;
          EXPECT_TRUE((met.array() == 1).all())
              << rows << " rows, " << experts << " x " << components
              << " Gaussians, " << threads << " threads";
        }
      }
    }
  }
}

TEST(ShareGaussiansTest, FewRowsMeetTheExpertsThatTheirThreadUpdates) {
  const auto blocks = BlocksOf(100, 50, 8, 2);
  ASSERT_EQ(blocks.size(), 2u);
  for (const GaussianBlock& block : blocks) {
    EXPECT_EQ(block.row, 0);
    EXPECT_EQ(block.rows, 100);
    // As ParallelFor halves 400 Gaussians.
    EXPECT_EQ(block.expert % 25, 0);
    EXPECT_EQ(block.experts, 25);
  }
  EXPECT_EQ(FirstOfSecondHalf(50, 8), 25);
  const auto unequal = BlocksOf(100, 51, 3, 2);
  ASSERT_EQ(unequal.size(), 2u);
  EXPECT_THAT(unequal, testing::Contains(testing::Field(
                           &GaussianBlock::expert, FirstOfSecondHalf(51, 3))));
}

TEST(ShareGaussiansTest, ManyRowsAndFewExpertsAreCutByRows) {
  for (const auto& blocks : {BlocksOf(1500, 50, 8, 2), BlocksOf(100, 3, 8, 2),
                             BlocksOf(100, 3, 800, 2)}) {
    ASSERT_EQ(blocks.size(), 2u);
    for (const GaussianBlock& block : blocks) EXPECT_EQ(block.expert, 0);
  }
}

TEST(ShareGaussiansTest, ARowAloneWakesNoThread) {
  EXPECT_EQ(BlocksOf(1, 5000, 1, 4).size(), 1u);
  EXPECT_EQ(BlocksOf(PaddedRows(1), 500, 10, 4).size(), 1u);
}

TEST(ExpertsOfGaussiansTest, AnswersHaveTheSameBitsAtAnyThreadCount) {
  constexpr Index kManyExperts = 41;
  for (const OracleKind& kind :
       {UnigaussWithVariancePerCoordinate(), CircularUnigauss(),
        GaussianMixturesOnABox()}) {
    const auto group = kind.make_float(kManyExperts, 0.7);
    for (Index rows : {1, 5, 100, 1500}) {
      const Observations<float> x = Cast<float>(kind.rows(rows, 56));
      const std::vector<float> weights(x.size, 0.01f);
      const auto answers_with = [&](const Workers& workers) {
        const auto posterior = group->NewPosterior();
        group->Infer(x, 0.9f, workers, *posterior);
        RowMatrix<double> log_scores(x.size, kManyExperts);
        group->ExpertLogScores(*posterior, log_scores);
        RowMatrix<float> hidden(x.values.rows(), group->num_hidden());
        group->HiddenProbabilities(*posterior, hidden);
        Vector<float> gradient =
            Vector<float>::Zero(group->parameters().size());
        group->AddGradient(x, *posterior, weights, workers, gradient);
        Messages<float> messages;
        messages.linear = messages.precision =
            RowMatrix<float>::Zero(x.values.rows(), x.dimension());
        group->AddSampledMessages(x, *posterior, {57, Purpose::kLatents, 1, 2},
                                  workers, messages);
        return std::make_tuple(log_scores, hidden, gradient, messages.linear,
                               messages.precision);
      };
      const auto one = answers_with(Workers::Inline());
      for (int threads : {2, 3})
        EXPECT_TRUE(answers_with(Workers(threads)) == one)
            << kind.name << ", " << rows << " rows, " << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace poe
