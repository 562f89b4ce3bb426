#include <cmath>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "poe/bases/bernoulli.h"
#include "poe/bases/categorical.h"
#include "poe/bases/gaussian.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/numerics/elementwise.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

// log Z of the base by enumeration or quadrature: one unit without weights
// doubles every density.
double ExactLogNormalizer(const Base<double>& base) {
  const Product<double> product =
      ProductOf(base.Clone(), *BernoulliUnits<double>::Create(
                                  RowMatrix<double>::Zero(base.dimension(), 1),
                                  Vector<double>::Zero(1)));
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

// With values clamped one after another, the sum over what is left.
TEST(BaseNormalizerTest, OfABlockOfBitsIsTheSumOverIt) {
  const auto base =
      *BernoulliBase<double>::Create(Vector<double>::LinSpaced(5, -2, 3));
  Observations<double> all = MakeDense<double>(32, 5);
  for (Index n = 0; n < 32; ++n)
    for (Index i = 0; i < 5; ++i) all.values(n, i) = n >> i & 1;
  std::vector<double> scores(32, 0);
  base->AddLogScores(all, absl::MakeSpan(scores));
  Observations<double> x = MakeDense<double>(32, 5);
  x.clamped.resize(32 * 5);
  for (Index n = 0; n < 32; ++n) {
    for (Index i = 0; i < 5; ++i) {
      x.values(n, i) = i % 2;
      x.clamped[n * 5 + i] = n >> i & 1;
    }
  }
  std::vector<double> blocks(32, 0.25);
  base->AddLogNormalizers(x, absl::MakeSpan(blocks));
  for (Index n = 0; n < 32; ++n) {
    std::vector<double> terms;
    for (Index k = 0; k < 32; ++k) {
      bool agrees = true;
      for (Index i = 0; i < 5; ++i)
        if (x.IsClamped(n, i)) agrees &= all.values(k, i) == x.values(n, i);
      if (agrees) terms.push_back(scores[k]);
    }
    EXPECT_NEAR(blocks[n], 0.25 + LogSumExp(terms), 1e-12);
  }
}

// Coordinates of every base are independent; so a block is a base of its own.
TEST(BaseNormalizerTest, OfABlockIsThatOfTheBaseWithoutTheOthers) {
  const std::vector<std::unique_ptr<Base<double>>> bases = [] {
    std::vector<std::unique_ptr<Base<double>>> made;
    made.push_back(MakeGaussianBase(3, false));
    made.push_back(MakeGaussianBase(3, true));
    made.push_back(MakeStructuredBase(3));
    made.push_back(MakeCategoricalBase(3, 4));
    return made;
  }();
  for (const auto& base : bases) {
    const Index columns = base->dimension() / 3;
    // Four rows: all clamped, the second coordinate clamped, free, all free.
    Observations<double> x = MakeDense<double>(4, base->dimension());
    for (Index n = 0; n < 4; ++n)
      for (Index i = 0; i < 3; ++i) x.values(n, i * columns) = 1;
    x.clamped.assign(4 * base->dimension(), 0);
    const auto clamp = [&](Index n, Index i) {
      std::fill_n(x.clamped.begin() + (n * 3 + i) * columns, columns,
                  std::uint8_t{1});
    };
    for (Index i : {0, 1, 2}) clamp(0, i);
    clamp(1, 1);
    for (Index i : {0, 2}) clamp(2, i);
    std::vector<double> blocks(4, 0), scores(4, 0);
    base->AddLogNormalizers(x, absl::MakeSpan(blocks));
    base->AddLogScores(x, absl::MakeSpan(scores));
    EXPECT_NEAR(blocks[0], scores[0], 1e-12);
    EXPECT_NEAR(blocks[3], *base->LogNormalizer(), 1e-12);
    // Each coordinate is clamped in one of two rows and free in the other.
    EXPECT_NEAR(blocks[1] + blocks[2], blocks[0] + blocks[3], 1e-12);
    EXPECT_GT(std::abs(blocks[1] - blocks[2]), 1e-3);
  }
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
