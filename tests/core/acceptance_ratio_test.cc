#include "poe/acceptance_ratio.h"

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/bases/bernoulli.h"
#include "poe/bases/gaussian.h"
#include "poe/experts/bernoulli_units.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"
#include "tests/core/standard_errors.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

// Two products of a kind that differ in their experts' power.
struct Pair {
  explicit Pair(const OracleKind& kind)
      : a(ProductOf(kind, 1)),
        b(ProductOf(kind, 0.6)),
        exact_a(a, 1, kind.length),
        exact_b(b, 1, kind.length) {}
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  double exact() const {
    return exact_a.log_normalizer() - exact_b.log_normalizer();
  }
  LogPartitionDifference Estimate(Index size, std::uint64_t seed) const {
    const auto difference = EstimateLogPartitionDifference(
        a, {exact_a.Sample(size, 2 * seed), true}, b,
        {exact_b.Sample(size, 2 * seed + 1), true}, Workers::Inline());
    EXPECT_TRUE(difference.ok()) << difference.status();
    return *difference;
  }

  Product<double> a, b;
  ExactDistribution exact_a, exact_b;
};

class AcceptanceRatioOfKind : public testing::TestWithParam<OracleKind> {};

TEST_P(AcceptanceRatioOfKind, AgreesWithTheExactDifference) {
  const Pair pair(GetParam());
  const LogPartitionDifference difference = pair.Estimate(4000, 1);
  EXPECT_NEAR(difference.value, pair.exact(), 6 * difference.standard_error);
  // The bound means something.
  EXPECT_LT(difference.standard_error, 0.1);
}

INSTANTIATE_TEST_SUITE_P(AllKinds, AcceptanceRatioOfKind,
                         testing::ValuesIn(KindsWithExactDistribution()),
                         [](const testing::TestParamInfo<OracleKind>& info) {
                           return info.param.name;
                         });

TEST(AcceptanceRatioTest, TheStandardErrorIsTheSpreadOfEstimates) {
  const Pair pair(UnigaussWithVariancePerCoordinate());
  std::vector<double> misses;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const LogPartitionDifference difference = pair.Estimate(300, seed);
    misses.push_back((difference.value - pair.exact()) /
                     difference.standard_error);
  }
  ExpectHonestStandardErrors(misses);
}

TEST(AcceptanceRatioTest, SolvesItsEquation) {
  const Pair pair(BernoulliUnitsOnBinaryData());
  const Observations<double> x = pair.exact_a.Sample(50, 2);
  const Observations<double> y = pair.exact_b.Sample(50, 3);
  const auto sigma = [](double t) { return 1 / (1 + std::exp(-t)); };
  const auto difference = [&](const Observations<double>& rows, Index n) {
    return pair.a.LogScores(rows, Workers::Inline())[n] -
           pair.b.LogScores(rows, Workers::Inline())[n];
  };
  const double solved = pair.Estimate(50, 1).value;
  double left = 0, right = 0;
  for (Index n = 0; n < 50; ++n) {
    left += sigma(difference(y, n) - solved);
    right += sigma(solved - difference(x, n));
  }
  EXPECT_NEAR(left, right, 1e-10);
}

TEST(AcceptanceRatioTest, TheOtherWayRoundIsTheNegative) {
  const Pair pair(CircularUnigauss());
  const ProductSamples<double> x = {pair.exact_a.Sample(100, 5), true};
  const ProductSamples<double> y = {pair.exact_b.Sample(100, 6), true};
  const auto there =
      EstimateLogPartitionDifference(pair.a, x, pair.b, y, Workers::Inline());
  const auto back =
      EstimateLogPartitionDifference(pair.b, y, pair.a, x, Workers::Inline());
  ASSERT_TRUE(there.ok() && back.ok());
  EXPECT_NEAR(there->value, -back->value, 1e-12);
  EXPECT_NEAR(there->standard_error, back->standard_error, 1e-12);
}

// One unit without weights: a product is its base times 1 + e^bias.
Product<double> Constant(std::unique_ptr<Base<double>> base, double bias) {
  const Index width = base->dimension();
  return ProductOf(std::move(base), *BernoulliUnits<double>::Create(
                                        RowMatrix<double>::Zero(width, 1),
                                        Vector<double>::Constant(1, bias)));
}

TEST(AcceptanceRatioTest, ConstantRatiosLeaveNoError) {
  for (double bias : {-2.0, 0.0, 900.0}) {
    const auto base = [] {
      return *BernoulliBase<double>::Create(Vector<double>::Zero(3));
    };
    const ProductSamples<double> samples = {MakeDense<double>(7, 3), true};
    const auto difference = EstimateLogPartitionDifference(
        Constant(base(), bias), samples, Constant(base(), 0), samples,
        Workers::Inline());
    ASSERT_TRUE(difference.ok());
    EXPECT_NEAR(difference->value,
                std::max(bias, 0.0) + std::log1p(std::exp(-std::abs(bias))) -
                    std::log(2.0),
                1e-10);
    EXPECT_NEAR(difference->standard_error, 0, 1e-7);
  }
}

// Every term of the equation as it is written underflows.
TEST(AcceptanceRatioTest, ProductsMayBeFarApart) {
  const auto base = [](double bias) {
    return *BernoulliBase<double>::Create(Vector<double>::Constant(1, bias));
  };
  Observations<double> ones = MakeDense<double>(5, 1);
  ones.values.topRows(5).setOnes();
  const auto difference = EstimateLogPartitionDifference(
      Constant(base(1000), 0), {ones, true}, Constant(base(-1000), 0),
      {MakeDense<double>(5, 1), true}, Workers::Inline());
  ASSERT_TRUE(difference.ok());
  EXPECT_NEAR(difference->value, 1000, 1e-9);
}

Product<double> OnBox(double lower, double upper) {
  GaussianBase<double>::Settings settings;
  settings.lower = Vector<double>::Constant(1, lower);
  settings.upper = Vector<double>::Constant(1, upper);
  return Constant(*GaussianBase<double>::Create(std::move(settings)), 0);
}

// Uniforms on [0, 2] and [1, 4], with half and a third of the samples in the
// common part as it should be.
TEST(AcceptanceRatioTest, BoxesMayDiffer) {
  const Product<double> a = OnBox(0, 2), b = OnBox(1, 4);
  Observations<double> x = MakeDense<double>(6, 1), y = x;
  for (Index n = 0; n < 6; ++n) {
    x.values(n, 0) = n < 3 ? 0.5 : 1.5;
    y.values(n, 0) = n < 2 ? 1.5 : 3;
  }
  const auto difference = EstimateLogPartitionDifference(
      a, {x, true}, b, {y, true}, Workers::Inline());
  ASSERT_TRUE(difference.ok()) << difference.status();
  EXPECT_NEAR(difference->value, std::log(2.0 / 3), 1e-12);

  x.values.setConstant(0.5);
  EXPECT_TRUE(absl::IsFailedPrecondition(
      EstimateLogPartitionDifference(a, {x, true}, b, {y, true},
                                     Workers::Inline())
          .status()));
}

TEST(AcceptanceRatioTest, RefusesProductsAndSamplesThatDoNotMatch) {
  const OracleKind bits = BernoulliUnitsOnBinaryData();
  const Product<double> a = ProductOf(bits, 1);
  const auto refused = [&](const Observations<double>& of_a,
                           const Product<double>& b,
                           const Observations<double>& of_b) {
    const auto difference = EstimateLogPartitionDifference(
        a, {of_a, true}, b, {of_b, true}, Workers::Inline());
    EXPECT_TRUE(absl::IsInvalidArgument(difference.status()));
    return std::string(difference.status().message());
  };
  const Observations<double> rows = bits.rows(4, 1);
  EXPECT_THAT(refused(rows, ProductOf(CircularUnigauss(), 1),
                      CircularUnigauss().rows(4, 1)),
              HasSubstr("not over the same data"));
  EXPECT_THAT(refused(rows, a, bits.rows(5, 1)), HasSubstr("4 samples"));
  EXPECT_THAT(refused(bits.rows(1, 1), a, bits.rows(1, 1)),
              HasSubstr("at least 2"));
  const OracleKind sequences = HiddenMarkovOnSymbols();
  const Product<double> markov = ProductOf(sequences, 1);
  const auto lengths = EstimateLogPartitionDifference(
      markov, {sequences.rows(2, 1), true}, markov,
      {AsSequences(SymbolRows(2, 1, sequences.dimension, 1), 1), true},
      Workers::Inline());
  EXPECT_TRUE(absl::IsInvalidArgument(lengths.status()));
  EXPECT_THAT(std::string(lengths.status().message()), HasSubstr("frames"));
}

}  // namespace
}  // namespace poe
