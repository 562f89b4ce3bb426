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
