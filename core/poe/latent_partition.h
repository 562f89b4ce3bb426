// The normalizer as a sum over the experts' latent states, given which the
// coordinates are independent: over bits each gives a factor 1 + e^h, on a box
// the integral of a Gaussian, a difference of error functions.
#ifndef POE_LATENT_PARTITION_H_
#define POE_LATENT_PARTITION_H_

#include "absl/status/statusor.h"
#include "poe/product.h"

namespace poe {

// The most joint states x D that are summed over.
inline constexpr double kMostLatentTerms = 1 << 23;

// log Z, preprocessed units, of any product of Bernoulli units, unigauss
// experts and Gaussian mixtures over bits, grey levels read as bits, or a box.
// FailedPrecondition, saying why, for anything else and where the terms are too
// many; kMostLatentTerms of them take about a second.
template <typename Scalar>
absl::StatusOr<double> LatentLogPartition(const Product<Scalar>& product);

}  // namespace poe

#endif  // POE_LATENT_PARTITION_H_
