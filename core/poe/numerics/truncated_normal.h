// A normal distribution cut off at an interval.
#ifndef POE_NUMERICS_TRUNCATED_NORMAL_H_
#define POE_NUMERICS_TRUNCATED_NORMAL_H_

namespace poe {

// Density proportional to exp(information x - precision x^2 / 2) on
// [lower, upper], lower < upper: a normal of mean information / precision; at
// precision 0 an exponential, and a uniform where information is 0 as well.
// Precision >= 0; with a NaN among them the answers are NaN.
struct TruncatedNormal {
  double information, precision, lower, upper;

  // So many standard deviations from its mean, what a normal has left is below
  // rounding: an interval that reaches as far on both sides cuts off nothing.
  static constexpr double kNothingBeyond = 9;

  // The mean of the distribution, not of the normal that was cut. Errors are
  // below 1e-6 of the distribution's own width, and below 3e-3 of it where the
  // interval begins more than 30 standard deviations from the normal's mean.
  double Mean() const;
  // The value below which a share `uniform` in (0, 1) lies; as accurate.
  double Quantile(double uniform) const;
  // log of the integral of exp(information x - precision x^2 / 2) over the
  // interval, to some 1e-13 of the integral and of the terms of the exponent;
  // -infinity where even the logarithm is out of range.
  double LogIntegral() const;
};

}  // namespace poe

#endif  // POE_NUMERICS_TRUNCATED_NORMAL_H_
