// Every product whose distribution is known exactly: one of each kind of expert
// and mixed ones, without and with a mask.
#include <utility>

#include "gtest/gtest.h"
#include "poe/gibbs.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/oracle_products.h"

namespace poe {
namespace {

// Correct programs have lesser p values less than once in ten million.
constexpr double kLeastPValue = 1e-7;

class ExpertDistribution : public testing::TestWithParam<OracleProduct> {
 protected:
  Index length() const { return GetParam().data().length; }
};

void Sweep(const Product<double>& product, double beta, int steps,
           Observations<double>& x) {
  GibbsOptions options;
  options.seed = 31;
  options.inverse_temperatures.assign(steps, beta);
  ASSERT_TRUE(
      RunGibbs(product, options, Workers::Inline(), NeverInterrupt, x).ok());
}

// Exact samples keep their distribution in sweeps; so they do where chains hold
// the values that are observed and draw the rest given these.
TEST_P(ExpertDistribution, GibbsSweepsKeepTheTemperedProduct) {
  constexpr Index kDraws = 10000;
  for (const auto& [power, beta] :
       {std::pair{1.0, 1.0}, std::pair{0.8, 0.5}, std::pair{1.0, 0.0}}) {
    const Product<double> product = GetParam().Make(power);
    const ExactDistribution exact(product, beta, length());
    Observations<double> x = exact.Sample(kDraws, 30);
    EXPECT_GT(exact.PValue(x), kLeastPValue) << "beta " << beta;
    GetParam().Mask(x);
    const RowMatrix<double> before = x.values;
    Sweep(product, beta, 3, x);
    EXPECT_GT(exact.PValue(x), kLeastPValue) << "beta " << beta;
    Index changed = 0, moved = 0;
    for (Index frame = 0, frames = x.frames(); frame < frames; ++frame)
      for (Index i = 0; i < x.dimension(); ++i)
        if (x.values(frame, i) != before(frame, i))
          ++(x.IsClamped(frame, i) ? changed : moved);
    EXPECT_EQ(changed, 0);
    EXPECT_GT(moved, 0);
  }
}

// The test above could not tell a sweep that does too little. Missing values
// start at one point, observed ones follow the product.
TEST_P(ExpertDistribution, ChainsFromOnePointReachTheProduct) {
  const Product<double> product = GetParam().Make(1);
  const ExactDistribution exact(product, 1, length());
  Observations<double> x = exact.Sample(2000, 37);
  GetParam().Mask(x);
  const RowMatrix<double> start = FramesOf(GetParam().Rows(1, 32), 0);
  for (Index frame = 0, frames = x.frames(); frame < frames; ++frame)
    for (Index i = 0; i < x.dimension(); ++i)
      if (!x.IsClamped(frame, i))
        x.values(frame, i) = start(frame % length(), i);
  EXPECT_LT(exact.PValue(x), kLeastPValue);
  Sweep(product, 1, 60, x);
  EXPECT_GT(exact.PValue(x), kLeastPValue);
}

INSTANTIATE_TEST_SUITE_P(AllProducts, ExpertDistribution,
                         testing::ValuesIn(ProductsWithExactDistribution()),
                         [](const testing::TestParamInfo<OracleProduct>& info) {
                           return info.param.name;
                         });

}  // namespace
}  // namespace poe
