// How plausible is this, where values are missing: the log score of what was
// observed, log of the integral (sum) of p*(x) over the missing values. Where
// there is no exact way (exact_incomplete_scoring.h) it is estimated by
// annealed importance sampling over them, the observed ones clamped. (The
// product's marginal is not the product of the experts' marginals, and the mean
// of log p* over clamped chains is not this number.)
#ifndef POE_INCOMPLETE_SCORING_H_
#define POE_INCOMPLETE_SCORING_H_

#include <cstdint>
#include <vector>

#include "poe/annealed_chains.h"
#include "poe/model.h"
#include "poe/raw_rows.h"

namespace poe {

struct IncompleteScoreOptions {
  // For each observation; independent, at least 2.
  Index chains = 100;
  // Ascending strictly from 0 to 1; see AnnealedWalk.
  std::vector<double> inverse_temperatures;
  std::uint64_t seed = 0;

  friend bool operator==(const IncompleteScoreOptions&,
                         const IncompleteScoreOptions&) = default;
};

// One estimate for each observation, which has values missing wherever x does
// not clamp them (of a symbol, all its columns or none), frames of sequences
// too. Where nothing is missing the log score is exact, its error 0; where
// everything is, it is log Z. Observed values out of support give -infinity,
// with error 0. Missing grey levels are summed over as bits. Real inputs must
// be clamped.
//
// An observation has the same bits in any batch and with any number of workers.
// InvalidArgument where an option or the shape of x is out of range;
// FailedPrecondition where the base's normalizer is not known; whatever `check`
// says, asked before each Gibbs step.
template <typename Scalar>
absl::StatusOr<std::vector<AnnealedEstimate>> EstimateIncompleteLogScores(
    const Product<Scalar>& product, const Observations<Scalar>& x,
    const IncompleteScoreOptions& options, const Workers& workers,
    InterruptCheck check, AnnealingProgress progress);

// N x C each.
struct IncompleteScores {
  // Raw units; -infinity out of support, NaN where the chains have collapsed
  // (annealed_chains.h), as the standard error is then.
  RowMatrix<double> log_scores;
  // 0 where the log score is exact, whose sample size is that of all chains.
  RowMatrix<double> standard_errors;
  RowMatrix<double> effective_sample_sizes;
};

// The same for raw rows under every class's product, and exact for those that
// have an exact way of no more joint states than there are chains times
// temperatures: it takes no longer than the estimate. Rows must have passed
// ValidateRows; inputs of a conditional model are never missing, and the result
// is that of the observed outputs given them. Units are those of the observed
// values alone, so rows with different values missing cannot be compared.
absl::StatusOr<IncompleteScores> ScoreIncomplete(
    const Model& model, const RawRows& rows,
    const IncompleteScoreOptions& options, const Workers& workers,
    InterruptCheck check, AnnealingProgress progress);

}  // namespace poe

#endif  // POE_INCOMPLETE_SCORING_H_
