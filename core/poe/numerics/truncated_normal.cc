#include "poe/numerics/truncated_normal.h"

#include <algorithm>
#include <cmath>

#include "boost/math/quadrature/gauss.hpp"
#include "boost/math/special_functions/erf.hpp"

namespace poe {
namespace {

constexpr double kSqrt2 = 1.4142135623730951;
constexpr double kSqrt2Pi = 2.5066282746310002;

// Beyond this many deviations a tail is nearly exponential, and erfc nears
// underflow.
constexpr double kFar = 30;
// In an interval of fewer deviations the density is exponential, and
// differences of the normal's distribution function cancel.
constexpr double kNarrow = 1e-3;
// Where the log density falls by less over the interval, fifteen nodes
// integrate it to rounding, and differences of tails would cancel.
constexpr double kSmoothFall = 4;
// So many deviations out an integral over a tail is that of an exponential, to
// rounding.
constexpr double kVeryFar = 1e9;

// P(standard normal > z), accurate far out to the right.
double UpperTail(double z) { return 0.5 * std::erfc(z / kSqrt2); }

// log of UpperTail(z) exp(z^2 / 2) sqrt(2 pi) for z >= 0: Mills' ratio.
double LogMillsRatio(double z) {
  if (z < kFar) return std::log(kSqrt2Pi * UpperTail(z)) + z * z / 2;
  const double r = 1 / (z * z);
  return std::log1p(r * (-1 + r * (3 + r * (-15 + r * (105 - r * 945))))) -
         std::log(z);
}

// log of the integral of exp(-slope t - curvature t^2 / 2) over [0, width],
// slope and curvature >= 0.
double LogIntegralFromHeavierEnd(double slope, double curvature, double width) {
  const double fall = (slope + curvature * width / 2) * width;
  if (fall < kSmoothFall) {
    const double mean = boost::math::quadrature::gauss<double, 15>::integrate(
        [&](double share) {
          const double t = share * width;
          return std::exp(-(slope + curvature * t / 2) * t);
        },
        0.0, 1.0);
    return std::log(width) + std::log(mean);
  }
  const double root = std::sqrt(curvature);
  const double begin = slope / root, end = begin + width * root;
  if (!(begin < kVeryFar)) return std::log(-std::expm1(-fall) / slope);
  const double whole = LogMillsRatio(begin);
  const double beyond = LogMillsRatio(end) - fall;
  return whole + std::log1p(-std::exp(beyond - whole)) - std::log(root);
}

double UpperTailInverse(double p) {
  namespace policies = boost::math::policies;
  using Policy =
      policies::policy<policies::domain_error<policies::ignore_error>,
                       policies::overflow_error<policies::ignore_error>,
                       policies::promote_double<false>>;
  return kSqrt2 * boost::math::erfc_inv(2 * p, Policy());
}

// The distribution seen from the end of the interval where its density is
// greater: distances grow from there into the interval.
struct FromHeavierEnd {
  bool at_upper;
  double deviation;  // infinite at precision 0
  double begin = 0;  // the end's distance from the normal's mean, deviations
  double width;      // of the interval
  double rate;       // fall of the log density at the end, or in the middle

  explicit FromHeavierEnd(const TruncatedNormal& normal) {
    const double middle = (normal.lower + normal.upper) / 2;
    const double slope = normal.information - normal.precision * middle;
    at_upper = slope > 0;
    width = normal.upper - normal.lower;
    const double root = std::sqrt(normal.precision);
    deviation = 1 / root;
    rate = std::abs(slope);
    if (IsNarrow()) return;
    rate -= normal.precision * width / 2;
    begin = rate * deviation;
  }

  bool IsNarrow() const { return width < kNarrow * deviation; }
  bool IsExponential() const { return IsNarrow() || begin > kFar; }
};

}  // namespace

double TruncatedNormal::Mean() const {
  // Most often the interval cuts off nothing.
  const double mode = information / precision;
  const double least = kNothingBeyond / std::sqrt(precision);
  if (mode - lower > least && upper - mode > least) return mode;
  const FromHeavierEnd from(*this);
  double distance;
  if (from.IsExponential()) {
    const double decay = from.rate * from.width;
    distance = decay < 1e-4 ? from.width * (0.5 - decay / 12)
                            : 1 / from.rate - from.width / std::expm1(decay);
  } else {
    const double a = from.begin, b = a + from.width / from.deviation;
    const double mean = (std::exp(-a * a / 2) - std::exp(-b * b / 2)) /
                        (kSqrt2Pi * (UpperTail(a) - UpperTail(b)));
    distance = (mean - a) * from.deviation;
  }
  return std::clamp(from.at_upper ? upper - distance : lower + distance, lower,
                    upper);
}

double TruncatedNormal::Quantile(double uniform) const {
  const FromHeavierEnd from(*this);
  if (from.at_upper) uniform = 1 - uniform;
  double distance;
  if (from.IsExponential()) {
    const double decay = from.rate * from.width;
    distance = decay < 1e-12
                   ? from.width * uniform
                   : -std::log1p(uniform * std::expm1(-decay)) / from.rate;
  } else {
    const double a = from.begin, b = a + from.width / from.deviation;
    const double least = UpperTail(b), greatest = UpperTail(a);
    distance = (UpperTailInverse(greatest - uniform * (greatest - least)) - a) *
               from.deviation;
  }
  return std::clamp(from.at_upper ? upper - distance : lower + distance, lower,
                    upper);
}

double TruncatedNormal::LogIntegral() const {
  // Slopes of the log density: they say where the mode is.
  const double at_lower = information - precision * lower;
  const double at_upper = information - precision * upper;
  auto log_density = [&](double x) {
    return (information - precision * x / 2) * x;
  };
  if (at_lower <= 0)
    return log_density(lower) +
           LogIntegralFromHeavierEnd(-at_lower, precision, upper - lower);
  if (at_upper >= 0)
    return log_density(upper) +
           LogIntegralFromHeavierEnd(at_upper, precision, upper - lower);
  const double root = std::sqrt(2 * precision);
  const double mode = information / precision;
  return information * mode / 2 - std::log(precision) / 2 +
         std::log(kSqrt2Pi / 2 *
                  (std::erf(at_lower / root) + std::erf(-at_upper / root)));
}

}  // namespace poe
