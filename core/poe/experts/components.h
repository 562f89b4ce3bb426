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

// For each expert from `first` on, as many as are to be chosen for, the column
// of a component drawn from its probabilities, those of one row and these
// experts; counted from the first column of expert 0.
void DrawComponents(const Draws& draws, std::uint64_t row, Index first,
                    absl::Span<const double> probabilities,
                    absl::Span<Index> chosen);

// Row by row, log softmax of M x K logits; M K.
template <typename Scalar>
Vector<double> LogShares(const ConstRowMatrixRef<Scalar>& logits);

}  // namespace poe

#endif  // POE_EXPERTS_COMPONENTS_H_
