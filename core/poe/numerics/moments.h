// First and second moments of weighted rows.
#ifndef POE_NUMERICS_MOMENTS_H_
#define POE_NUMERICS_MOMENTS_H_

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/numerics/matrix_product.h"

namespace poe {

struct Moments {
  double weight = 0;             // of all rows
  Vector<double> mean;           // D
  RowMatrix<double> covariance;  // D x D, divided by `weight`
};

// Of the rows of N x D `values`, N weights (empty: all 1), in double.
// InvalidArgument where a value is not finite, or a weight is negative or not
// finite, or their number is not N; FailedPrecondition for fewer than 2 rows of
// positive weight. O(N D^2).
template <typename Scalar>
absl::StatusOr<Moments> WeightedMoments(const ConstRowMatrixRef<Scalar>& values,
                                        absl::Span<const double> weights = {});

}  // namespace poe

#endif  // POE_NUMERICS_MOMENTS_H_
