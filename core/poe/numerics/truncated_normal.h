// A normal distribution cut off at an interval.
#ifndef POE_NUMERICS_TRUNCATED_NORMAL_H_
#define POE_NUMERICS_TRUNCATED_NORMAL_H_

namespace poe {

// N(mean, deviation^2) on [lower, upper], deviation > 0.
struct TruncatedNormal {
  double mean, deviation, lower, upper;

  // The mean of the distribution, not of the normal that was cut.
  double Mean() const;
  // The value below which a share `uniform` in (0, 1) lies.
  double Quantile(double uniform) const;
};

}  // namespace poe

#endif  // POE_NUMERICS_TRUNCATED_NORMAL_H_
