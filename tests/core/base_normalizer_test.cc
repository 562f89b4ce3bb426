#include <cmath>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "poe/bases/bernoulli.h"
#include "poe/bases/categorical.h"
#include "poe/bases/gaussian.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/bernoulli_units.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

// log Z of the base by enumeration or quadrature: one unit without weights
// doubles every density.
double ExactLogNormalizer(const Base<double>& base) {
  std::vector<std::unique_ptr<ExpertGroup<double>>> groups;
  groups.push_back(*BernoulliUnits<double>::Create(
      RowMatrix<double>::Zero(base.dimension(), 1), Vector<double>::Zero(1)));
  const auto product =
      *Product<double>::Create(base.Clone(), std::move(groups));
  return ExactDistribution(product, 1).log_normalizer() - std::log(2.0);
}

TEST(BaseNormalizerTest, MatchesTheSumOverBits) {
  const auto base =
      *BernoulliBase<double>::Create(Vector<double>::LinSpaced(6, -2, 3));
  EXPECT_NEAR(*base->LogNormalizer(), ExactLogNormalizer(*base), 1e-12);
}

TEST(BaseNormalizerTest, MatchesTheSumOverSymbols) {
  const auto base = MakeCategoricalBase(3, 4);
  EXPECT_NEAR(*base->LogNormalizer(), ExactLogNormalizer(*base), 1e-12);
}

TEST(BaseNormalizerTest, MatchesTheIntegralOverTheBox) {
  const auto bare = MakeGaussianBase(2, false);
  EXPECT_NEAR(*bare->LogNormalizer(), 2 * std::log(kBoxUpper - kBoxLower),
              1e-14);
  const auto with_factor = MakeGaussianBase(2, true);
  EXPECT_NEAR(*with_factor->LogNormalizer(), ExactLogNormalizer(*with_factor),
              1e-9);
}

TEST(BaseNormalizerTest, MatchesTheIntegralOfTheStructuredGaussian) {
  const auto base = MakeStructuredBase(2);
  // The quadrature leaves out what lies beyond six deviations.
  EXPECT_NEAR(*base->LogNormalizer(), ExactLogNormalizer(*base), 1e-8);
}

TEST(BaseNormalizerTest, StaysFiniteWithTheMeanFarFromTheBox) {
  for (double mean : {-1e6, 50.0, 1e9}) {
    for (double log_variance : {-30.0, 0.0, 30.0}) {
      GaussianBase<float>::Settings settings;
      settings.lower = Vector<double>::Constant(1, -1);
      settings.upper = Vector<double>::Constant(1, 2);
      settings.mean = Vector<float>::Constant(1, static_cast<float>(mean));
      settings.log_variance =
          Vector<float>::Constant(1, static_cast<float>(log_variance));
      const auto base = *GaussianBase<float>::Create(std::move(settings));
      EXPECT_TRUE(std::isfinite(*base->LogNormalizer()))
          << mean << ' ' << log_variance;
    }
  }
}

// Most of the integral is within a deviation of the box's nearer end, where
// the density is exp(-slope t) of its greatest value.
TEST(BaseNormalizerTest, FarFromTheMeanItIsThatOfAnExponential) {
  GaussianBase<double>::Settings settings;
  settings.lower = Vector<double>::Constant(1, -1);
  settings.upper = Vector<double>::Constant(1, 2);
  settings.mean = Vector<double>::Constant(1, 1e4);
  settings.log_variance = Vector<double>::Zero(1);
  const auto base = *GaussianBase<double>::Create(std::move(settings));
  const double slope = 1e4 - 2;
  EXPECT_NEAR(*base->LogNormalizer(), -slope * slope / 2 - std::log(slope),
              1e-7);
}

TEST(BaseNormalizerTest, LargeLogOddsDoNotOverflow) {
  const auto bits =
      *BernoulliBase<float>::Create(Vector<float>::Constant(3, 1e30f));
  EXPECT_NEAR(*bits->LogNormalizer() / 3e30, 1, 1e-6);
  const auto symbols =
      *CategoricalBase<float>::Create(RowMatrix<float>::Constant(2, 3, -1e30f));
  EXPECT_NEAR(*symbols->LogNormalizer() / -2e30, 1, 1e-6);
}

}  // namespace
}  // namespace poe
