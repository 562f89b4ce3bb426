// Exact log normalizers, where a product has one that is cheap.
#ifndef POE_LOG_PARTITION_H_
#define POE_LOG_PARTITION_H_

#include <vector>

#include "absl/status/statusor.h"
#include "poe/model.h"

namespace poe {

// log Z of a product, preprocessed units; `length` is that of sequences and
// ignored otherwise. FailedPrecondition, saying why, where there is no exact
// way: products of hidden Markov models alone (by their joint states), of
// linear dynamical systems alone, of Gaussian trees alone, of units, unigauss
// experts and mixtures with few joint states (latent_partition.h), and of
// anything over bits and symbols whose rows can be listed have one; experts may
// see some coordinates only. Conditional
// models have none, because theirs depends on the inputs.
absl::StatusOr<double> ExactLogPartition(const Product<float>& product,
                                         const DataSpec& spec, Index length);

// Those of a product for each of these lengths (ascending; {0} for dense
// rows) that has one. At most kMostLengths lengths are tried.
inline constexpr std::size_t kMostLengths = 256;
std::vector<LogPartition> KnownLogPartitions(const Product<float>& product,
                                             const DataSpec& spec,
                                             const std::vector<Index>& lengths);

// Exact ones of a class for those of these lengths (ascending) for which it has
// none, where it has an exact one for another. Whether a length gets one, and
// its bits, do not depend on the others: where the products of states or
// latents that one pass takes are more than kMostPassProducts, about a tenth of
// a second, there is none.
inline constexpr double kMostPassProducts = 1 << 25;
std::vector<LogPartition> LogPartitionsOfOtherLengths(
    const ClassModel& one, const DataSpec& spec,
    const std::vector<Index>& lengths);

// By ascending length and then method, as a ClassModel has them.
void SortLogPartitions(std::vector<LogPartition>& known);

}  // namespace poe

#endif  // POE_LOG_PARTITION_H_
