// Latents of mixtures: each expert chooses one of its K components. The
// components of one expert are adjacent columns.
#ifndef POE_EXPERTS_COMPONENTS_H_
#define POE_EXPERTS_COMPONENTS_H_

#include <cstdint>

#include "absl/types/span.h"
#include "poe/numerics/matrix_product.h"
#include "poe/numerics/random.h"

namespace poe {

// Turns log joints of component and x (rows x M K, finite) into P(component |
// x), and sets log_scores (rows x M) to their log sums. Each row has the same
// bits in any batch, and each expert among any others.
void NormalizeComponents(RowMatrixRef<double> joints,
                         RowMatrixRef<double> log_scores);

// Draws a component of each of the experts first, first + 1, ..., as many as
// `chosen` has, from their probabilities of one row. `chosen` are columns of
// M K, counted from expert 0. What is drawn does not depend on `first`.
void DrawComponents(const Draws& draws, std::uint64_t row, Index first,
                    absl::Span<const double> probabilities,
                    absl::Span<Index> chosen);

// Row by row, log softmax of M x K logits; M K.
template <typename Scalar>
Vector<double> LogShares(const ConstRowMatrixRef<Scalar>& logits);

}  // namespace poe

#endif  // POE_EXPERTS_COMPONENTS_H_
