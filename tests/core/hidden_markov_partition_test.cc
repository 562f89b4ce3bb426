#include "poe/experts/hidden_markov_partition.h"

#include <cmath>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/bases/categorical.h"
#include "poe/bases/gaussian.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/hidden_markov.h"
#include "poe/experts/selected_coordinates.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

// One group of two experts and another of one at another power.
Product<double> TwoGroups(const OracleKind& kind) {
  return ProductOf(kind.make_base(), kind.make(2, 1), kind.make(1, 0.6));
}

std::unique_ptr<ExpertGroup<double>> Gaussians(Index experts, Index states,
                                               Index dimension) {
  HiddenMarkov<double>::Settings settings;
  settings.initial_logit = RandomMatrix(experts, states, 1, 70);
  settings.transition_logit = RandomMatrix(experts * states, states, 1, 71);
  settings.mean = RandomMatrix(experts * states, dimension, 1, 72);
  settings.log_variance = RandomMatrix(experts * states, dimension, 0.5, 73);
  return *HiddenMarkov<double>::Create(std::move(settings));
}

TEST(HiddenMarkovPartitionTest, MatchesEnumerationOfSymbols) {
  const Product<double> product = TwoGroups(HiddenMarkovOnSymbols());
  for (Index length : {1, 2, 3}) {
    const auto found = HiddenMarkovLogPartition(product, length);
    ASSERT_TRUE(found.ok());
    EXPECT_NEAR(*found, ExactDistribution(product, 1, length).log_normalizer(),
                1e-11);
  }
}

TEST(HiddenMarkovPartitionTest, MatchesQuadratureOfRealValues) {
  for (const OracleKind& kind :
       {HiddenMarkovOnRealSequences(), HiddenMarkovOnUnboundedSequences()}) {
    const Product<double> product = TwoGroups(kind);
    for (Index length : {1, 2}) {
      const auto found = HiddenMarkovLogPartition(product, length);
      ASSERT_TRUE(found.ok());
      EXPECT_NEAR(*found,
                  ExactDistribution(product, 1, length).log_normalizer(), 1e-7)
          << kind.name;
    }
  }
}

// Coordinates are independent given the states: T = 1 with D = 2, on a box and
// with a Gaussian factor on it.
TEST(HiddenMarkovPartitionTest, MatchesQuadratureOfTwoCoordinates) {
  for (bool factor : {false, true}) {
    const Product<double> product =
        ProductOf(MakeGaussianBase(2, factor), Gaussians(2, 2, 2));
    const auto found = HiddenMarkovLogPartition(product, 1);
    ASSERT_TRUE(found.ok());
    EXPECT_NEAR(*found, ExactDistribution(product, 1, 1).log_normalizer(),
                1e-8);
  }
}

// One model for each of two channels beside one of both: T = 1 with D = 2.
TEST(HiddenMarkovPartitionTest, ModelsMaySeeSomeCoordinatesOnly) {
  for (bool bounded : {false, true}) {
    const auto of_channel = [](Index column) {
      return *SelectedCoordinates<double>::Create(Gaussians(1, 2 + column, 1),
                                                  {column}, 2);
    };
    const Product<double> product =
        ProductOf(bounded ? MakeGaussianBase(2, false) : MakeStructuredBase(2),
                  of_channel(0), of_channel(1), Gaussians(1, 2, 2));
    const auto found = HiddenMarkovLogPartition(product, 1);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_NEAR(*found, ExactDistribution(product, 1, 1).log_normalizer(),
                1e-7);
  }
}

// Nobody speaks of the second coordinate, which is uniform on the box.
TEST(HiddenMarkovPartitionTest, ACoordinateThatNoModelSeesIsTheBase) {
  const Product<double> both = ProductOf(
      MakeGaussianBase(2, false),
      *SelectedCoordinates<double>::Create(Gaussians(1, 3, 1), {0}, 2));
  const Product<double> one =
      ProductOf(MakeGaussianBase(1, false), Gaussians(1, 3, 1));
  EXPECT_NEAR(
      *HiddenMarkovLogPartition(both, 4),
      *HiddenMarkovLogPartition(one, 4) + 4 * std::log(kBoxUpper - kBoxLower),
      1e-11);
}

// A model that is normalized by itself has Z = 1 over a base that is 1.
TEST(HiddenMarkovPartitionTest, OneModelOverAFlatBaseIsNormalized) {
  GaussianBase<double>::Settings box;
  box.lower = Vector<double>::Constant(3, -100);
  box.upper = Vector<double>::Constant(3, 100);
  std::vector<Product<double>> products;
  products.push_back(
      ProductOf(*GaussianBase<double>::Create(box), Gaussians(1, 4, 3)));
  products.push_back(
      ProductOf(*StructuredGaussianBase<double>::Create(
                    Vector<double>::Zero(3), Vector<double>::Constant(3, 30)),
                Gaussians(1, 4, 3)));
  products.push_back(
      ProductOf(*CategoricalBase<double>::Create(RowMatrix<double>::Zero(1, 3)),
                HiddenMarkovOnSymbols().make(1, 1)));
  for (const Product<double>& product : products) {
    for (Index length : {1, 7, 1000}) {
      const auto found = HiddenMarkovLogPartition(product, length);
      ASSERT_TRUE(found.ok());
      EXPECT_NEAR(*found, 0, 1e-11 * static_cast<double>(length));
    }
  }
}

TEST(HiddenMarkovPartitionTest, SaysWhereItDoesNotApply) {
  const auto refusal = [](const Product<double>& product, Index length) {
    return HiddenMarkovLogPartition(product, length).status();
  };
  EXPECT_TRUE(
      refusal(ProductOf(MakeGaussianBase(1, false), Gaussians(20, 2, 1)), 1)
          .ok());
  const absl::Status many =
      refusal(ProductOf(MakeGaussianBase(1, false), Gaussians(21, 2, 1)), 1);
  EXPECT_EQ(many.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(many.message(), testing::HasSubstr("joint states"));
  const OracleKind other = UnigaussWithVariancePerCoordinate();
  const absl::Status kind =
      refusal(ProductOf(other.make_base(), other.make(2, 1)), 1);
  EXPECT_EQ(kind.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(kind.message(), testing::HasSubstr("group 0"));
  EXPECT_EQ(
      refusal(ProductOf(MakeGaussianBase(1, false), Gaussians(2, 2, 1)), 0)
          .code(),
      absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace poe
