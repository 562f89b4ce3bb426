#include "poe/numerics/random.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace poe {
namespace {

constexpr Draws kDraws = {42, Purpose::kTest, 3, 7};

TEST(RandomTest, ADrawDoesNotDependOnHowManyAreDrawn) {
  std::vector<std::uint32_t> many(101), few(6);
  FillBits(kDraws, 5, absl::MakeSpan(many));
  FillBits(kDraws, 5, absl::MakeSpan(few));
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
  std::vector<double> more(9), less(4);
  FillNormal(kDraws, 5, absl::MakeSpan(more));
  FillNormal(kDraws, 5, absl::MakeSpan(less));
  EXPECT_TRUE(std::equal(less.begin(), less.end(), more.begin()));
}

TEST(RandomTest, EveryPartOfTheNameChangesTheDraw) {
  std::vector<Draws> names(5, kDraws);
  names[1].seed = 43;
  names[2].purpose = Purpose::kData;
  names[3].stream = 4;
  names[4].step = 8;
  std::set<std::uint32_t> seen;
  for (const Draws& name : names) {
    std::uint32_t bits;
    FillBits(name, 5, absl::MakeSpan(&bits, 1));
    seen.insert(bits);
  }
  std::uint32_t bits;
  FillBits(kDraws, 6, absl::MakeSpan(&bits, 1));
  seen.insert(bits);
  EXPECT_EQ(seen.size(), 6u);
}

TEST(RandomTest, UniformAndNormalHaveTheirMoments) {
  constexpr int kCount = 1000000;
  std::vector<double> uniform(kCount), normal(kCount);
  FillUniform(kDraws, 1, absl::MakeSpan(uniform));
  FillNormal(kDraws, 2, absl::MakeSpan(normal));
  double mean = 0, second = 0, normal_mean = 0, normal_second = 0;
  for (int i = 0; i < kCount; ++i) {
    EXPECT_GT(uniform[i], 0);
    EXPECT_LT(uniform[i], 1);
    mean += uniform[i] / kCount;
    second += uniform[i] * uniform[i] / kCount;
    normal_mean += normal[i] / kCount;
    normal_second += normal[i] * normal[i] / kCount;
  }
  // Bounds of 6 standard errors.
  EXPECT_NEAR(mean, 0.5, 6 * std::sqrt(1.0 / 12 / kCount));
  EXPECT_NEAR(second, 1.0 / 3, 6 * std::sqrt(4.0 / 45 / kCount));
  EXPECT_NEAR(normal_mean, 0, 6 * std::sqrt(1.0 / kCount));
  EXPECT_NEAR(normal_second, 1, 6 * std::sqrt(2.0 / kCount));
}

TEST(RandomTest, BernoulliDrawIsExactAtTheEnds) {
  EXPECT_FALSE(BernoulliDraw(0, 0));
  EXPECT_TRUE(BernoulliDraw(1, 0xffffffffu));
}

TEST(RandomTest, PermutationHoldsEveryNumberAndIsUniform) {
  std::vector<std::uint32_t> order = RandomPermutation(kDraws, 1000);
  std::sort(order.begin(), order.end());
  for (std::uint32_t i = 0; i < 1000; ++i) EXPECT_EQ(order[i], i);

  // Each of the six orders of three, 6 standard errors.
  constexpr int kCount = 60000;
  std::vector<int> counts(9, 0);
  for (int i = 0; i < kCount; ++i) {
    Draws draws = kDraws;
    draws.step = static_cast<std::uint32_t>(i);
    const std::vector<std::uint32_t> three = RandomPermutation(draws, 3);
    ++counts[three[0] * 3 + three[1]];
  }
  for (int code : {1, 2, 3, 5, 6, 7})
    EXPECT_NEAR(counts[code], kCount / 6.0, 6 * std::sqrt(kCount * 5.0 / 36));
}

TEST(RandomTest, DerivedSeedsDiffer) {
  std::set<std::uint64_t> seeds;
  for (std::uint64_t seed = 0; seed < 100; ++seed)
    for (std::uint64_t index = 0; index < 100; ++index)
      seeds.insert(DeriveSeed(seed, index));
  EXPECT_EQ(seeds.size(), 10000u);
}

}  // namespace
}  // namespace poe
