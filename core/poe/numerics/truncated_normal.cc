#include "poe/numerics/truncated_normal.h"

#include <algorithm>
#include <cmath>

#include "boost/math/special_functions/erf.hpp"

namespace poe {
namespace {

constexpr double kSqrt2 = 1.4142135623730951;
constexpr double kSqrt2Pi = 2.5066282746310002;

// P(standard normal > z), accurate far out to the right.
double UpperTail(double z) { return 0.5 * std::erfc(z / kSqrt2); }

double UpperTailInverse(double p) {
  return kSqrt2 * boost::math::erfc_inv(2 * p);
}

// Beyond this many deviations a tail is exponential to double accuracy for our
// purposes, and erfc nears underflow.
constexpr double kFar = 30;

}  // namespace

double TruncatedNormal::Mean() const {
  double a = (lower - mean) / deviation, b = (upper - mean) / deviation;
  const bool mirrored = b < 0 || (a < 0 && -a > b);
  if (mirrored) {
    const double old_a = a;
    a = -b;
    b = -old_a;
  }
  double offset;  // of the mean from `mean`, in deviations, right side heavier
  if (a > kFar) {
    // Exponential with rate a on [a, b].
    const double width = a * (b - a);
    offset =
        a + (width < 1e-8 ? (b - a) / 2 : 1 / a - (b - a) / std::expm1(width));
  } else {
    const double mass = UpperTail(a) - UpperTail(b);
    offset = mass <= 1e-12 ? 0.5 * (a + b)
                           : (std::exp(-a * a / 2) - std::exp(-b * b / 2)) /
                                 (kSqrt2Pi * mass);
  }
  const double value = mean + (mirrored ? -offset : offset) * deviation;
  return std::clamp(value, lower, upper);
}

double TruncatedNormal::Quantile(double uniform) const {
  double a = (lower - mean) / deviation, b = (upper - mean) / deviation;
  // Work in the right tail, where differences of tail masses are accurate.
  const bool mirrored = b < 0 || (a < 0 && -a > b);
  if (mirrored) {
    const double old_a = a;
    a = -b;
    b = -old_a;
    uniform = 1 - uniform;
  }
  double z;
  if (a > kFar) {
    z = a - std::log1p(uniform * std::expm1(-a * (b - a))) / a;
  } else {
    const double upper_mass = UpperTail(a), lower_mass = UpperTail(b);
    z = UpperTailInverse(upper_mass - uniform * (upper_mass - lower_mass));
  }
  const double value = mean + (mirrored ? -z : z) * deviation;
  return std::clamp(value, lower, upper);
}

}  // namespace poe
