// The exact gradient of log p(x) for products of single Gaussian trees, from
// the moments of the data alone.
#ifndef POE_EXACT_TREE_GRADIENT_H_
#define POE_EXACT_TREE_GRADIENT_H_

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "poe/experts/train_gaussian_trees.h"
#include "poe/gradient_estimate.h"

namespace poe {

// Not thread-safe. The product must outlive it and may be updated between
// calls.
template <typename Scalar>
class ExactTreeGradient final : public GradientEstimate<Scalar> {
 public:
  explicit ExactTreeGradient(const Product<Scalar>& product)
      : GradientEstimate<Scalar>(product) {}

  // `weights`: N, or empty. The errors of WeightedMoments and
  // ExactTreeLikelihood.
  absl::Status ComputeGradient(const Observations<Scalar>& data,
                               absl::Span<const Scalar> weights,
                               const Workers& workers);
  // The same again, for the data of the last call.
  absl::Status ComputeGradient(const Workers& workers);

 private:
  std::optional<Moments> moments_;
};

}  // namespace poe

#endif  // POE_EXACT_TREE_GRADIENT_H_
