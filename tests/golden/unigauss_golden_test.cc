#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "poe/annealed_importance.h"
#include "poe/bases/gaussian.h"
#include "poe/experts/unigauss.h"
#include "poe/latent_partition.h"
#include "tests/core/product_of.h"
#include "tests/golden/golden_estimates.h"
#include "tests/golden/golden_file.h"

namespace poe {
namespace {

Product<double> GoldenUnigauss(const GoldenFile& golden) {
  GaussianBase<double>::Settings base;
  base.lower = golden.Column("lower");
  base.upper = golden.Column("upper");
  base.mean = golden.Column("base_mean");
  base.log_variance = golden.Column("base_log_variance");
  Unigauss<double>::Settings experts;
  experts.mean = golden["mean"];
  experts.log_variance = golden["log_variance"];
  experts.mixing_logit = golden.Column("mixing_logit");
  experts.log_volume = (base.upper - base.lower).array().log().sum();
  return ProductOf(*GaussianBase<double>::Create(std::move(base)),
                   *Unigauss<double>::Create(std::move(experts)));
}

Observations<double> GoldenPoints(const GoldenFile& golden) {
  const RowMatrix<double>& points = golden["points"];
  Observations<double> x = MakeDense<double>(points.rows(), points.cols());
  x.values.topRows(x.size) = points;
  return x;
}

TEST(UnigaussGoldenTest, LogScoresMatch) {
  const GoldenFile golden("unigauss.txt");
  const std::vector<double> scores =
      GoldenUnigauss(golden).LogScores(GoldenPoints(golden), Workers::Inline());
  for (std::size_t n = 0; n < scores.size(); ++n)
    EXPECT_NEAR(scores[n], golden.Column("log_score")(static_cast<Index>(n)),
                1e-10);
}

TEST(UnigaussGoldenTest, TheSumOverLatentStatesIsTheNormalizer) {
  const GoldenFile golden("unigauss.txt");
  const auto found = LatentLogPartition(GoldenUnigauss(golden));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_NEAR(*found, golden.Number("log_normalizer"), 1e-9);
}

TEST(UnigaussGoldenTest, AnnealedImportanceFindsTheNormalizerFromBothSides) {
  const GoldenFile golden("unigauss.txt");
  const Product<double> product = GoldenUnigauss(golden);
  AnnealedImportanceOptions options;
  options.chains = 2000;
  options.inverse_temperatures = EvenInverseTemperatures(200);
  options.seed = 5;
  // Selections hold for long; so chains of many steps, from the base.
  ProductSamples<double> samples;
  samples.x = MakeDense<double>(2000, 2);
  product.base().SampleStart({6, Purpose::kStart, 0, 0}, samples.x);
  GibbsOptions gibbs;
  gibbs.seed = 6;
  gibbs.inverse_temperatures = AnnealingSchedule(500, 200);
  ASSERT_TRUE(
      RunGibbs(product, gibbs, Workers::Inline(), NeverInterrupt, samples.x)
          .ok());
  const auto estimates =
      EstimateLogPartitionBothWays(product, samples, options, Workers::Inline(),
                                   NeverInterrupt, IgnoreProgress);
  ASSERT_TRUE(estimates.ok()) << estimates.status();
  for (const AnnealedEstimate& estimate :
       {estimates->forward, estimates->reverse})
    ExpectEstimate(estimate, golden.Number("log_normalizer"));
}

TEST(UnigaussGoldenTest, ScoresOfIncompletePointsAreTheIntegrals) {
  const GoldenFile golden("unigauss.txt");
  ExpectIncompleteLogScores(golden, GoldenUnigauss(golden),
                            GoldenPoints(golden), 2000, 100);
}

}  // namespace
}  // namespace poe
