// Functions of each element of an array, without overflow, the same bits for
// an element wherever it stands. Accurate to a few units in the last place.
#ifndef POE_NUMERICS_ELEMENTWISE_H_
#define POE_NUMERICS_ELEMENTWISE_H_

#include <type_traits>

#include "absl/types/span.h"

namespace poe {

// t <- sigma(t) = 1 / (1 + exp(-t))
template <typename Scalar>
void Logistic(absl::Span<Scalar> t);

// t <- softplus(t) = log(1 + exp(t))
template <typename Scalar>
void Softplus(absl::Span<Scalar> t);

// t <- exp(t), for t at most 80
template <typename Scalar>
void Exp(absl::Span<Scalar> t);

// t <- log(t), for positive normal t
template <typename Scalar>
void Log(absl::Span<Scalar> t);

// Pairs of standard normals from pairs of uniforms (Box and Muller):
// angles u in [-1, 1] <- sin(pi u) sqrt(-2 log v) and radii v in (0, 1] <-
// cos(pi u) sqrt(-2 log v). Of one size.
void BoxMuller(absl::Span<double> angles, absl::Span<double> radii);

// Sum of softplus(scale t), in double.
template <typename Scalar>
double SumSoftplus(std::type_identity_t<Scalar> scale,
                   absl::Span<const Scalar> t);

// Sum of a_i b_i in double, in an order that depends on the size alone.
template <typename A, typename B>
double Dot(absl::Span<const A> a, absl::Span<const B> b) {
  double sums[4] = {};
  for (std::size_t i = 0; i < a.size(); ++i)
    sums[i % 4] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// to += scale * from, of one size, with the same bits wherever they lie.
template <typename Scalar>
void AddScaled(std::type_identity_t<Scalar> scale,
               absl::Span<const Scalar> from, absl::Span<Scalar> to);

// sigma and softplus of one number.
double Logistic(double t);
double Softplus(double t);

// log sum_i exp(t_i); -infinity for an empty span.
double LogSumExp(absl::Span<const double> t);

}  // namespace poe

#endif  // POE_NUMERICS_ELEMENTWISE_H_
