// Integrals of a normal density over an interval.
#ifndef POE_NUMERICS_NORMAL_INTEGRAL_H_
#define POE_NUMERICS_NORMAL_INTEGRAL_H_

namespace poe {

// log of the integral of exp(-precision u^2 / 2) over [lower, upper], to about
// 1e-12 relative to the integral, however far out or narrow the interval.
// precision >= 0, lower < upper, all finite.
double LogNormalIntegral(double precision, double lower, double upper);

}  // namespace poe

#endif  // POE_NUMERICS_NORMAL_INTEGRAL_H_
