// Annealed importance sampling (Neal, 2001): log Z of a product, estimated
// along the inverse temperature beta from the base, whose normalizer is known,
// to the product, or back from draws of the product.
#ifndef POE_ANNEALED_IMPORTANCE_H_
#define POE_ANNEALED_IMPORTANCE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "poe/annealed_chains.h"
#include "poe/product_samples.h"

namespace poe {

struct AnnealedImportanceOptions {
  // Independent; at least 2, so that there is an error.
  Index chains = 1000;
  // Strictly ascending from 0 to 1, as numbers of the product's Scalar. One
  // Gibbs step is taken at each of them but the ends.
  std::vector<double> inverse_temperatures;
  std::uint64_t seed = 0;
  // Frames of a sequence, whose Z depends on it; 1 for dense rows.
  Index length = 1;
};

// All functions below: same bits for any number of workers. InvalidArgument
// where an option is out of its range; FailedPrecondition where the base's
// normalizer is not known or there are real inputs, on which Z depends;
// whatever `check` says, asked before each Gibbs step. For grey levels the
// answer is log Z over bits, which normalizes no score of theirs. Where the
// base is far wider than the experts, "the base" below is that of NearerStart
// (annealing_start.h).

// The forward direction. Chains start from exact draws of the base, and
// Z = Z_base E[w] exactly, whatever the ladder; so the estimate of log Z is too
// low on average.
template <typename Scalar>
absl::StatusOr<AnnealedEstimate> EstimateLogPartition(
    const Product<Scalar>& product, const AnnealedImportanceOptions& options,
    const Workers& workers, InterruptCheck check, AnnealingProgress progress);

// The reverse direction, one chain from each sample, whose draws are named by
// the sample's place: Z = Z_base / E[1 / w]
// where samples are exact, and the estimate of log Z is too high on average.
// Of the options it asks for ladder and seed; samples may have been drawn with
// the same seed.
template <typename Scalar>
absl::StatusOr<AnnealedEstimate> EstimateLogPartitionInReverse(
    const Product<Scalar>& product, const ProductSamples<Scalar>& samples,
    const AnnealedImportanceOptions& options, const Workers& workers,
    InterruptCheck check, AnnealingProgress progress);

struct LogPartitionEstimates {
  AnnealedEstimate forward, reverse;
};

// Both directions on one ladder. InvalidArgument also where the samples'
// length is not options.length.
template <typename Scalar>
absl::StatusOr<LogPartitionEstimates> EstimateLogPartitionBothWays(
    const Product<Scalar>& product, const ProductSamples<Scalar>& samples,
    const AnnealedImportanceOptions& options, const Workers& workers,
    InterruptCheck check, AnnealingProgress progress);

}  // namespace poe

#endif  // POE_ANNEALED_IMPORTANCE_H_
