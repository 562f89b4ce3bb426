#include "poe/numerics/normal_integral.h"

#include <algorithm>
#include <cmath>

#include "boost/math/quadrature/gauss.hpp"
#include "gtest/gtest.h"

namespace poe {
namespace {

// By quadrature in long double over many cells, outward from where the density
// is greatest, as far as it matters.
long double ByQuadrature(long double precision, long double lower,
                         long double upper) {
  const long double mode = std::clamp<long double>(0, lower, upper);
  auto side = [&](long double width, long double direction) {
    const long double slope = std::abs(precision * mode);
    const long double reach =
        std::min({width, 50 / slope, 12 / std::sqrt(precision)});
    constexpr int kCells = 64;
    long double sum = 0;
    for (int cell = 0; cell < kCells; ++cell) {
      const long double begin = reach * cell / kCells;
      sum += boost::math::quadrature::gauss<long double, 30>::integrate(
          [&](long double u) {
            return std::exp(-precision * u * (direction * mode + u / 2));
          },
          begin, begin + reach / kCells);
    }
    return sum;
  };
  long double sum = 0;
  if (mode > lower) sum += side(mode - lower, -1);
  if (mode < upper) sum += side(upper - mode, 1);
  return std::log(sum) - precision * mode * mode / 2;
}

TEST(LogNormalIntegralTest, MatchesQuadrature) {
  for (double precision : {1e-6, 0.3, 1.0, 1e8}) {
    const double deviation = 1 / std::sqrt(precision);
    for (double width : {1e-9, 1e-4, 0.3, 1.0, 7.0, 1e3}) {
      for (double begin : {-2000.0, -40.0, -5.0, -0.5, -1e-5, 0.0, 0.4, 2.0,
                           12.0, 29.0, 200.0, 1e5}) {
        const double lower = begin * deviation;
        const double upper = lower + width * deviation;
        const double exact =
            static_cast<double>(ByQuadrature(precision, lower, upper));
        EXPECT_NEAR(LogNormalIntegral(precision, lower, upper), exact,
                    1e-11 + 1e-14 * std::abs(exact))
            << precision << " on [" << lower << ", " << upper << "]";
      }
    }
  }
}

TEST(LogNormalIntegralTest, IsTheWidthWithoutPrecision) {
  EXPECT_DOUBLE_EQ(LogNormalIntegral(0, -3, 5), std::log(8));
}

TEST(LogNormalIntegralTest, StaysFinite) {
  for (double end : {1e-300, 1.0, 1e10, 1e100})
    for (double precision : {1e-30, 1.0, 1e30})
      EXPECT_TRUE(std::isfinite(LogNormalIntegral(precision, end, 2 * end)));
}

}  // namespace
}  // namespace poe
