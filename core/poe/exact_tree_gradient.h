// The exact gradient of log p(x) for products of single Gaussian trees. Such a
// product is one Gaussian, so the gradient (the paper, eq. 2) depends on the
// data through their first and second moments alone.
#ifndef POE_EXACT_TREE_GRADIENT_H_
#define POE_EXACT_TREE_GRADIENT_H_

#include <vector>

#include "absl/status/status.h"
#include "poe/gradient_estimate.h"

namespace poe {

// Not thread-safe. The product must outlive it and may be updated between
// calls.
template <typename Scalar>
class ExactTreeGradient final : public GradientEstimate<Scalar> {
 public:
  explicit ExactTreeGradient(const Product<Scalar>& product);

  // `weights`: N, or empty. O(N D^2 + D^3 + M D^2). FailedPrecondition where
  // the base is not a structured Gaussian, a group is not of Gaussian trees, or
  // an expert has more than one latent state; Internal where the product's
  // precision cannot be factored; the errors of WeightedMoments.
  absl::Status ComputeGradient(const Observations<Scalar>& data,
                               absl::Span<const Scalar> weights,
                               const Workers& workers);
  // The same again, for the data of the last call; O(D^3 + M D^2).
  absl::Status ComputeGradient(const Workers& workers);

 private:
  Observations<Scalar> points_;  // 2 D of the data, 2 D of the product
  std::vector<Scalar> weights_;
};

}  // namespace poe

#endif  // POE_EXACT_TREE_GRADIENT_H_
