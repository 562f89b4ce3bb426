#include "poe/numerics/normal_integral.h"

#include <cmath>

#include "boost/math/quadrature/gauss.hpp"

namespace poe {
namespace {

constexpr double kSqrt2 = 1.4142135623730951;
constexpr double kLogSqrtHalfPi = 0.22579135264472744;

// exp(z^2) erfc(z) for z >= 0.
double ScaledErfc(double z) {
  if (z < 20) return std::exp(z * z) * std::erfc(z);
  // The asymptotic series in 1 / (2 z^2).
  const double t = 0.5 / (z * z);
  const double series =
      1 - t * (1 - 3 * t * (1 - 5 * t * (1 - 7 * t * (1 - 9 * t))));
  return series / (z * std::sqrt(std::acos(-1.0)));
}

}  // namespace

double LogNormalIntegral(double precision, double lower, double upper) {
  // In standard deviations, the end nearer to 0 first.
  const double root = std::sqrt(precision), width = upper - lower;
  const bool left = lower + upper < 0;
  const double a = root * (left ? -upper : lower);
  const double span = root * width, b = a + span;
  // Differences of the error function would cancel where the density hardly
  // changes; there a few nodes are exact.
  if (span * (1 + b) < 1) {
    const auto density = [&](double share) {
      const double distance = span * (share + 1) / 2;
      return std::exp(-distance * (a + distance / 2));
    };
    const double mean = boost::math::quadrature::gauss<double, 15>::integrate(
                            density, -1.0, 1.0) /
                        2;
    return std::log(width) + std::log(mean) - a * a / 2;
  }
  const double log_scale = kLogSqrtHalfPi - std::log(root);
  if (a < 0)
    return log_scale + std::log(std::erf(-a / kSqrt2) + std::erf(b / kSqrt2));
  const double rest = ScaledErfc(a / kSqrt2) -
                      std::exp(-span * (a + b) / 2) * ScaledErfc(b / kSqrt2);
  return log_scale + std::log(rest) - a * a / 2;
}

}  // namespace poe
