// The log score of what was observed of incomplete observations, log of the
// integral (sum) of p*(x) over the missing values, exactly, where a product has
// such a way.
#ifndef POE_EXACT_INCOMPLETE_SCORING_H_
#define POE_EXACT_INCOMPLETE_SCORING_H_

#include <vector>

#include "absl/status/statusor.h"
#include "poe/interrupt_check.h"
#include "poe/product.h"

namespace poe {

// N values, preprocessed units, of observations that have values missing
// wherever x does not clamp them (of a symbol, all its columns or none); what
// stands there is not read. Observed values out of support give -infinity.
//   Hidden Markov models alone: a forward pass over the joint states of all, in
//   which missing values of a frame are integrated out given these;
//   O(T M K^M (K + D)) for each observation.
//   Linear dynamical systems alone, without a box: a filter of all latents side
//   by side, O(T D M (M L)^2).
//   Gaussian trees alone: one Gaussian integral for each combination of their
//   latent states, by a sparse factorization.
//
// An observation has the same bits in any batch and with any number of workers.
// FailedPrecondition, saying why, for any other product, real inputs, and more
// than `most` joint states, or latents times M + 1; whatever `check` says,
// asked every few hundred observations. x must be of the product's shape.
template <typename Scalar>
absl::StatusOr<std::vector<double>> ExactIncompleteLogScores(
    const Product<Scalar>& product, const Observations<Scalar>& x, Index most,
    const Workers& workers, InterruptCheck check);

}  // namespace poe

#endif  // POE_EXACT_INCOMPLETE_SCORING_H_
