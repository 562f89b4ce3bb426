#include "poe/latent_partition.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/core_models.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

void ExpectExact(const Product<double>& product, const std::string& name) {
  const auto found = LatentLogPartition(product);
  ASSERT_TRUE(found.ok()) << name << ": " << found.status();
  const double exact = ExactDistribution(product, 1).log_normalizer();
  EXPECT_NEAR(*found, exact, 1e-7) << name;
}

TEST(LatentPartitionTest, IsTheSumOrIntegralOverTheData) {
  for (const OracleKind& kind :
       {BernoulliUnitsOnBinaryData(), UnigaussWithVariancePerCoordinate(),
        CircularUnigauss(), GaussianMixturesOnABox()})
    for (double power : {1.0, 0.6})
      ExpectExact(ProductOf(kind, power), kind.name);
}

TEST(LatentPartitionTest, KindsMayBeMixed) {
  const OracleKind unigauss = UnigaussWithVariancePerCoordinate();
  const OracleKind mixtures = GaussianMixturesOnABox();
  ASSERT_EQ(unigauss.dimension, mixtures.dimension);
  ExpectExact(ProductOf(unigauss.make_base(), unigauss.make(2, 1),
                        mixtures.make(2, 0.5)),
              "unigauss experts and mixtures");
}

TEST(LatentPartitionTest, SaysWhyItCannotSum) {
  const auto many = LatentLogPartition(BernoulliProduct(5, 30, 1));
  EXPECT_TRUE(absl::IsFailedPrecondition(many.status()));
  EXPECT_THAT(std::string(many.status().message()),
              HasSubstr("too many combinations"));
  const auto symbols =
      LatentLogPartition(ProductOf(BernoulliUnitsOnSymbols(), 1));
  EXPECT_TRUE(absl::IsFailedPrecondition(symbols.status()));
  EXPECT_THAT(std::string(symbols.status().message()),
              HasSubstr("for bits and for real values on a box"));
  const auto trees = LatentLogPartition(ProductOf(GaussianTrees(), 1));
  EXPECT_TRUE(absl::IsFailedPrecondition(trees.status()));
  EXPECT_THAT(std::string(trees.status().message()),
              HasSubstr("experts whose latent states cannot be summed over"));
}

}  // namespace
}  // namespace poe
