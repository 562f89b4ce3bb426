// Exact normalizers of products of linear dynamical systems.
#ifndef POE_EXPERTS_LINEAR_DYNAMICAL_PARTITION_H_
#define POE_EXPERTS_LINEAR_DYNAMICAL_PARTITION_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/product.h"

namespace poe {

// log Z of the product over sequences of `length` frames: log of the integral
// of b(x) prod_m f_m(x). Given the base's precision, x and the paths of all M
// experts are jointly Gaussian; with x integrated out frame by frame, what is
// left is one linear dynamical system of the experts' latents side by side,
// whose score is log Z. O(T (M L)^3 + D M (M L)^2).
//
// FailedPrecondition where the base is not a structured Gaussian or a group not
// of linear dynamical systems; InvalidArgument where length < 1.
template <typename Scalar>
absl::StatusOr<double> LinearDynamicalLogPartition(
    const Product<Scalar>& product, Index length);

// Those of lengths that ascend strictly, at least one of them, to the bit.
template <typename Scalar>
absl::StatusOr<std::vector<double>> LinearDynamicalLogPartitions(
    const Product<Scalar>& product, absl::Span<const Index> lengths);

}  // namespace poe

#endif  // POE_EXPERTS_LINEAR_DYNAMICAL_PARTITION_H_
