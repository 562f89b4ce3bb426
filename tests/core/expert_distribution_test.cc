// Every kind of expert inside a product whose distribution is known exactly.
#include <cmath>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "poe/contrastive_divergence.h"
#include "poe/gibbs.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

// Correct programs have lesser p values less than once in ten million.
constexpr double kLeastPValue = 1e-7;

class ExpertDistribution : public testing::TestWithParam<OracleKind> {
 protected:
  Product<double> MakeProduct(double power) const {
    std::vector<std::unique_ptr<ExpertGroup<double>>> groups;
    groups.push_back(GetParam().make(GetParam().experts, power));
    return *Product<double>::Create(GetParam().make_base(), std::move(groups));
  }
};

void Sweep(const Product<double>& product, double beta, int steps,
           Observations<double>& x) {
  GibbsOptions options;
  options.seed = 31;
  options.inverse_temperatures.assign(steps, beta);
  ASSERT_TRUE(
      RunGibbs(product, options, Workers::Inline(), NeverInterrupt, x).ok());
}

constexpr Index kDraws = 30000;

// Exact samples keep their distribution in sweeps.
void ExpectSweepsKeep(const Product<double>& product, double beta,
                      Index length) {
  const ExactDistribution exact(product, beta, length);
  Observations<double> x = exact.Sample(kDraws, 30);
  EXPECT_GT(exact.PValue(x), kLeastPValue) << "beta " << beta;
  Sweep(product, beta, 3, x);
  EXPECT_GT(exact.PValue(x), kLeastPValue) << "beta " << beta;
}

// With a mask: chains that hold one value, of `columns` columns, and draw the
// rest follow the product given that value. Exact samples keep their
// distribution then too.
void ExpectClampedSweepsKeep(const Product<double>& product, Index length,
                             Index columns = 1) {
  const ExactDistribution exact(product, 1, length);
  Observations<double> x = exact.Sample(kDraws, 36);
  const Index width = x.dimension(), frames = x.frames();
  x.clamped.assign(frames * width, 0);
  const std::vector<Index> starts = x.FrameStarts();
  for (Index n = 0; n < x.size; ++n)
    for (Index c = 0; c < columns; ++c) x.clamped[starts[n] * width + c] = 1;
  const RowMatrix<double> before = x.values;
  Sweep(product, 1, 3, x);
  EXPECT_GT(exact.PValue(x), kLeastPValue);
  Index changed = 0, moved = 0;
  for (Index frame = 0; frame < frames; ++frame)
    for (Index i = 0; i < width; ++i)
      if (x.values(frame, i) != before(frame, i))
        ++(x.IsClamped(frame, i) ? changed : moved);
  EXPECT_EQ(changed, 0);
  EXPECT_GT(moved, 0);
}

TEST_P(ExpertDistribution, GibbsSweepsKeepTheTemperedProduct) {
  for (const auto& [power, beta] :
       {std::pair{1.0, 1.0}, std::pair{0.8, 0.5}, std::pair{1.0, 0.0}})
    ExpectSweepsKeep(MakeProduct(power), beta, GetParam().length);
}

TEST_P(ExpertDistribution, ClampedSweepsKeepTheProduct) {
  ExpectClampedSweepsKeep(MakeProduct(1), GetParam().length,
                          GetParam().columns);
}

// The tests above could not tell a sweep that does nothing.
TEST_P(ExpertDistribution, ChainsFromOnePointReachTheProduct) {
  const Product<double> product = MakeProduct(1);
  const ExactDistribution exact(product, 1, GetParam().length);
  Observations<double> x = Repeat(GetParam().rows(1, 32), 0, 20000);
  EXPECT_LT(exact.PValue(x), kLeastPValue);
  Sweep(product, 1, 60, x);
  EXPECT_GT(exact.PValue(x), kLeastPValue);
}

TEST_P(ExpertDistribution, ContrastiveDivergenceApproachesTheExactGradient) {
  constexpr Index kRows = 8000;
  constexpr int kManySteps = 60;
  const Product<double> product = MakeProduct(0.9);
  // A few distinct rows, far from what the product expects.
  const Observations<double> few = GetParam().rows(5, 33);
  Observations<double> data = Repeat(few, 0, kRows);
  const Index length = few.length(0);
  for (Index n = 0; n < kRows; ++n)
    data.values.middleRows(n * length, length) = FramesOf(few, n % few.size);
  const std::vector<double> weights(kRows, 1.0 / kRows);
  const auto expected =
      ExactDistribution(product, 1, GetParam().length).LogScoreGradient();
  const Vector<double> exact =
      LogScoreGradientOf(product, data, weights) - expected.mean;
  const Vector<double> error = expected.deviation / std::sqrt(kRows);

  auto estimate = [&](int steps) {
    ContrastiveDivergence<double> divergence(product);
    divergence.ComputeGradient(data, {}, steps, Reconstruction::kSample, 34, 0,
                               Workers::Inline());
    Vector<double> gradient(exact.size());
    gradient << divergence.base_gradient(), divergence.group_gradient(0);
    return gradient;
  };
  const double after_one = (estimate(1) - exact).norm();
  const double after_three = (estimate(3) - exact).norm();
  const Vector<double> last = estimate(kManySteps);
  const double after_many = (last - exact).norm();
  EXPECT_LT(after_three, after_one);
  EXPECT_LT(after_many, after_three);
  for (Index p = 0; p < exact.size(); ++p)
    EXPECT_NEAR(last(p), exact(p), 6 * error(p) + 1e-12) << "parameter " << p;
}

template <typename... Groups>
Product<double> MixedProduct(std::unique_ptr<Base<double>> base,
                             Groups... groups) {
  std::vector<std::unique_ptr<ExpertGroup<double>>> all;
  (all.push_back(std::move(groups)), ...);
  return *Product<double>::Create(std::move(base), std::move(all));
}

// Units bring no precision: where no unigauss speaks, a coordinate on a bare
// box is exponential.
TEST(MixedProductTest, SweepsKeepUnitsAndUnigauss) {
  const Product<double> product =
      MixedProduct(UnigaussWithVariancePerCoordinate().make_base(),
                   BernoulliUnitsOnRealData().make(3, 1),
                   UnigaussWithVariancePerCoordinate().make(2, 1));
  for (double beta : {1.0, 0.3}) ExpectSweepsKeep(product, beta, 1);
  ExpectClampedSweepsKeep(product, 1);
}

TEST(MixedProductTest, SweepsKeepMixturesTreesAndUnits) {
  const Product<double> product = MixedProduct(
      MakeStructuredBase(2), GaussianMixturesOnUnboundedData().make(2, 1),
      GaussianTreeMixturesWithUniform().make(2, 0.8),
      BernoulliUnitsOnRealData().make(3, 1));
  for (double beta : {1.0, 0.3}) ExpectSweepsKeep(product, beta, 1);
  ExpectClampedSweepsKeep(product, 1);
}

TEST(MixedProductTest, SweepsKeepHiddenMarkovAndLinearDynamical) {
  const Product<double> product = MixedProduct(
      MakeStructuredBase(1), HiddenMarkovOnUnboundedSequences().make(2, 0.8),
      LinearDynamicalWithoutABox().make(2, 1));
  for (double beta : {1.0, 0.3}) ExpectSweepsKeep(product, beta, 2);
  ExpectClampedSweepsKeep(product, 2);
}

INSTANTIATE_TEST_SUITE_P(AllKinds, ExpertDistribution,
                         testing::ValuesIn(KindsWithExactDistribution()),
                         [](const testing::TestParamInfo<OracleKind>& info) {
                           return info.param.name;
                         });

}  // namespace
}  // namespace poe
