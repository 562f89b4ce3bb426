#include "poe/numerics/truncated_normal.h"

#include <algorithm>
#include <cmath>

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

// P(standard normal > z), accurate far out to the right.
double UpperTail(double z) { return 0.5 * std::erfc(z / kSqrt2); }

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

}  // namespace poe
