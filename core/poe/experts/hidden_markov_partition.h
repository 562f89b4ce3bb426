// The normalizer of a product of small hidden Markov models, exactly.
#ifndef POE_EXPERTS_HIDDEN_MARKOV_PARTITION_H_
#define POE_EXPERTS_HIDDEN_MARKOV_PARTITION_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/product.h"

namespace poe {

// Most joint states K_1 K_2 ... K_M that are summed over.
inline constexpr Index kMostJointStates = Index{1} << 20;

// log Z_T = log of the integral, or sum over symbols, of p*(x) over sequences
// of T = `length` frames, at beta 1 and the groups' own powers. A forward pass
// over the joint states of all M experts, where each frame brings the
// normalizer of the product of their emissions and the base
// (hidden_markov_product.h). O(T M K^(M+1)) after
// O(M D K^M) for the normalizers.
//
// FailedPrecondition where a group is not of hidden Markov models or there are
// more than kMostJointStates; InvalidArgument for a length below 1.
template <typename Scalar>
absl::StatusOr<double> HiddenMarkovLogPartition(const Product<Scalar>& product,
                                                Index length);

// Those of lengths that ascend strictly, at least one of them, to the bit, in
// the time of the longest.
template <typename Scalar>
absl::StatusOr<std::vector<double>> HiddenMarkovLogPartitions(
    const Product<Scalar>& product, absl::Span<const Index> lengths);

}  // namespace poe

#endif  // POE_EXPERTS_HIDDEN_MARKOV_PARTITION_H_
