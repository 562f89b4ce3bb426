// Bennett's acceptance ratio (1976): the difference of the log normalizers of
// two products from samples of both.
#ifndef POE_ACCEPTANCE_RATIO_H_
#define POE_ACCEPTANCE_RATIO_H_

#include "absl/status/statusor.h"
#include "poe/product_samples.h"

namespace poe {

struct LogPartitionDifference {
  double value = 0;  // log Z_a - log Z_b
  // Of independent samples, where there are many; large where the products
  // hardly overlap, but it knows only of states that some sample has seen.
  double standard_error = 0;
};

// With D = log p*_a - log p*_b, the C = log Z_a - log Z_b that solves
//   sum_{x~b} sigma(D(x) - C) = sum_{x~a} sigma(C - D(x)),
// equally many samples of each; the best use of both to first order. Same bits
// for any number of workers.
//
// InvalidArgument unless both products are over the same family, dimension and
// length, with valid and equally many samples; FailedPrecondition where all
// samples of one are impossible under the other, so that nothing can be said,
// or where there are real inputs, on which Z depends.
template <typename Scalar>
absl::StatusOr<LogPartitionDifference> EstimateLogPartitionDifference(
    const Product<Scalar>& a, const ProductSamples<Scalar>& samples_of_a,
    const Product<Scalar>& b, const ProductSamples<Scalar>& samples_of_b,
    const Workers& workers);

}  // namespace poe

#endif  // POE_ACCEPTANCE_RATIO_H_
