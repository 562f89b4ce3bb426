#include "poe/experts/selected_coordinates.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/bases/bernoulli.h"
#include "poe/bases/gaussian.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/experts/gaussian_mixture.h"
#include "poe/gibbs.h"
#include "poe/latent_partition.h"
#include "tests/core/core_models.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

// Units that see columns 1 and 3 of five, and units with weight 0 on the
// others, which are the same function of the data.
struct Twins {
  std::unique_ptr<ExpertGroup<double>> selected, whole;
};

Twins MakeTwins() {
  const RowMatrix<double> weights = NormalMatrix(2, 3, 5).cast<double>();
  const Vector<double> bias{{0.3, -0.4, 0.1}};
  RowMatrix<double> all = RowMatrix<double>::Zero(5, 3);
  all.row(1) = weights.row(0);
  all.row(3) = weights.row(1);
  return {*SelectedCoordinates<double>::Create(
              *BernoulliUnits<double>::Create(weights, bias, 0.7), {1, 3}, 5),
          *BernoulliUnits<double>::Create(all, bias, 0.7)};
}

Product<double> OnBits(std::unique_ptr<ExpertGroup<double>> group) {
  return ProductOf(
      *BernoulliBase<double>::Create(Vector<double>::LinSpaced(5, -1, 1)),
      std::move(group));
}

Observations<double> AllBits() {
  Observations<double> x = MakeDense<double>(32, 5);
  for (Index n = 0; n < 32; ++n)
    for (Index i = 0; i < 5; ++i)
      x.values(n, i) = static_cast<double>(n >> i & 1);
  return x;
}

TEST(SelectedCoordinatesTest, ScoresLikeExpertsThatIgnoreTheOthers) {
  Twins twins = MakeTwins();
  const Product<double> selected = OnBits(std::move(twins.selected));
  const Product<double> whole = OnBits(std::move(twins.whole));
  const Observations<double> x = AllBits();
  const std::vector<double> a = selected.LogScores(x, Workers::Inline());
  const std::vector<double> b = whole.LogScores(x, Workers::Inline());
  for (std::size_t n = 0; n < a.size(); ++n) EXPECT_NEAR(a[n], b[n], 1e-12);
  EXPECT_TRUE(
      selected.ExpertLogScores(x, Workers::Inline())
          .isApprox(whole.ExpertLogScores(x, Workers::Inline()), 1e-12));
  EXPECT_NEAR(*LatentLogPartition(selected), *LatentLogPartition(whole), 1e-12);
}

TEST(SelectedCoordinatesTest, GradientIsThatOfItsOwnParameters) {
  Twins twins = MakeTwins();
  const Product<double> selected = OnBits(std::move(twins.selected));
  const Product<double> whole = OnBits(std::move(twins.whole));
  const Observations<double> x = AllBits();
  std::vector<double> weights;
  for (int n = 0; n < 32; ++n) weights.push_back(0.1 * n - 1);
  const Vector<double> a = LogScoreGradientOf(selected, x, weights);
  const Vector<double> b = LogScoreGradientOf(whole, x, weights);
  // Base, weights row by row, biases.
  ASSERT_EQ(a.size(), 5 + 6 + 3);
  EXPECT_TRUE(a.head(5).isApprox(b.head(5), 1e-12));
  EXPECT_TRUE(a.segment(5, 3).isApprox(b.segment(5 + 3, 3), 1e-12));
  EXPECT_TRUE(a.segment(8, 3).isApprox(b.segment(5 + 9, 3), 1e-12));
  EXPECT_TRUE(a.tail(3).isApprox(b.tail(3), 1e-12));
}

// The draws of a Gibbs step are the same: latents of the same odds, and data of
// the same log-odds.
TEST(SelectedCoordinatesTest, GibbsStepsAreThoseOfItsTwin) {
  Twins twins = MakeTwins();
  const Product<double> selected = OnBits(std::move(twins.selected));
  const Product<double> whole = OnBits(std::move(twins.whole));
  Observations<double> a = AllBits(), b = AllBits();
  GibbsOptions options;
  options.seed = 3;
  options.inverse_temperatures = AnnealingSchedule(20, 10);
  ASSERT_TRUE(
      RunGibbs(selected, options, Workers::Inline(), NeverInterrupt, a).ok());
  ASSERT_TRUE(
      RunGibbs(whole, options, Workers::Inline(), NeverInterrupt, b).ok());
  EXPECT_EQ(a.values, b.values);
}

TEST(SelectedCoordinatesTest, KindsThatSendPrecisionsMeetOthers) {
  GaussianMixture<double>::Settings second;
  second.mean = RowMatrix<double>{{-1}, {0.5}};
  second.log_variance = RowMatrix<double>{{-1}, {-2}};
  second.mixing_logit = RowMatrix<double>{{0.3, -0.2}};
  GaussianBase<double>::Settings base;
  base.lower = Vector<double>{{-2, -3}};
  base.upper = Vector<double>{{2, 3}};
  const Product<double> product = ProductOf(
      *GaussianBase<double>::Create(std::move(base)),
      GaussianMixturesOnABox().make(2, 1),
      *SelectedCoordinates<double>::Create(
          *GaussianMixture<double>::Create(std::move(second)), {1}, 2));
  const ExactDistribution exact(product, 1);
  EXPECT_NEAR(*LatentLogPartition(product), exact.log_normalizer(), 1e-6);
  // A Gibbs step leaves the distribution as it is.
  Observations<double> x = exact.Sample(20000, 7);
  GibbsOptions options;
  options.seed = 8;
  options.inverse_temperatures = AnnealingSchedule(1, 0);
  ASSERT_TRUE(
      RunGibbs(product, options, Workers::Inline(), NeverInterrupt, x).ok());
  EXPECT_GT(exact.PValue(x), 1e-6);
}

TEST(SelectedCoordinatesTest, UpdatesReachTheExpertsAndTheirBounds) {
  auto mixtures = GaussianMixturesOnABox().make(2, 1);
  auto plain = mixtures->Clone();
  auto selected =
      *SelectedCoordinates<double>::Create(std::move(mixtures), {0, 2}, 3);
  const auto change = [](Eigen::Ref<Vector<double>> parameters) {
    parameters.array() += 500;
  };
  selected->UpdateParameters(Workers::Inline(), change);
  plain->UpdateParameters(Workers::Inline(), change);
  EXPECT_EQ(selected->parameters(), plain->parameters());
  EXPECT_EQ(selected->inner().parameters(), plain->parameters());
  EXPECT_EQ(selected->Clone()->parameters(), plain->parameters());
}

TEST(SelectedCoordinatesTest, RefusesColumnsThatAreNotThere) {
  const auto make = [](std::vector<Index> columns) {
    return SelectedCoordinates<double>::Create(
               GaussianMixturesOnABox().make(1, 1), std::move(columns), 3)
        .status();
  };
  EXPECT_TRUE(make({0, 2}).ok());
  for (const std::vector<Index>& wrong :
       {std::vector<Index>{0}, {2, 0}, {0, 0}, {0, 3}, {-1, 0}})
    EXPECT_TRUE(absl::IsInvalidArgument(make(wrong)));
}

}  // namespace
}  // namespace poe
