// The exact gradient of log p(x), or of log p(outputs | inputs), for products
// of single Gaussian trees. Such a product is one Gaussian, and outputs given
// inputs are one whose mean is affine in the inputs, so the gradient (the
// paper, eq. 2) depends on the data through their first and second moments
// alone.
#ifndef POE_EXACT_TREE_GRADIENT_H_
#define POE_EXACT_TREE_GRADIENT_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "poe/gradient_estimate.h"

namespace poe {

// Not thread-safe. The product must outlive it and may be updated between
// calls.
template <typename Scalar>
class ExactTreeGradient final : public GradientEstimate<Scalar> {
 public:
  // `inputs`, D or empty, is 1 where a column is an input.
  explicit ExactTreeGradient(const Product<Scalar>& product,
                             absl::Span<const std::uint8_t> inputs = {});

  // `weights`: N, or empty. O(N D^2 + D^3 + M D^2). FailedPrecondition where
  // the base is not a structured Gaussian, a group is not of Gaussian trees, or
  // an expert has more than one latent state; Internal where the precision of
  // the outputs cannot be factored; the errors of WeightedMoments.
  absl::Status ComputeGradient(const Observations<Scalar>& data,
                               absl::Span<const Scalar> weights,
                               const Workers& workers);
  // The same again, for the data of the last call; O(D^3 + M D^2).
  absl::Status ComputeGradient(const Workers& workers);

 private:
  std::vector<Index> inputs_, outputs_;  // columns; together all D
  // Of the inputs in the data: mean, and a square root of the covariance.
  Vector<double> input_mean_;
  RowMatrix<double> input_root_;
  Observations<Scalar> points_;  // 2 D of the data, 2 D of the product
  std::vector<Scalar> weights_;
};

}  // namespace poe

#endif  // POE_EXACT_TREE_GRADIENT_H_
