// One hidden Markov model fitted to sequences by maximum likelihood
// (Baum-Welch, that is EM): an expert before it joins a product.
#ifndef POE_EXPERTS_FIT_HIDDEN_MARKOV_H_
#define POE_EXPERTS_FIT_HIDDEN_MARKOV_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "poe/experts/fit_convergence.h"
#include "poe/experts/hidden_markov.h"
#include "poe/interrupt_check.h"

namespace poe {

struct FitHiddenMarkovOptions {
  int max_iterations = 100;
  // Stops when the mean log likelihood of a frame grows by less.
  double tolerance = 1e-5;
  // Variances are kept at or above this share of the data's in the coordinate,
  // and within the settings' bounds.
  double least_variance_share = 1e-4;
  // Probabilities of states, transitions and symbols are kept at or above.
  double least_probability = 1e-8;
};

template <typename Scalar>
struct FittedHiddenMarkov : FitConvergence {
  typename HiddenMarkov<Scalar>::Settings settings;
  // Mean over frames, nats, of these settings before they are rounded to
  // Scalar.
  double log_likelihood = 0;
};

// Raises the likelihood of x from `start`, which has one expert, at power 1;
// the result has the start's power and bounds. Sequence n counts weights[n] >=
// 0 times; no weights count all as 1. Within the options' bounds the likelihood
// never falls.
//
// InvalidArgument where shapes, weights or options are wrong;
// FailedPrecondition where frames of positive weight are fewer than states or
// the likelihood or a parameter stops being finite; the status of `check`.
template <typename Scalar>
absl::StatusOr<FittedHiddenMarkov<Scalar>> FitHiddenMarkov(
    const Observations<Scalar>& x, absl::Span<const Scalar> weights,
    const typename HiddenMarkov<Scalar>::Settings& start,
    const FitHiddenMarkovOptions& options, const Workers& workers,
    InterruptCheck check);

// Where a fit may begin, by seed: K frames of x as means, with the data's
// variances; or, where num_symbols is not 0, the data's frequencies of symbols
// with noise. Initial and transition logits are noise of deviation 0.1. Errors
// as above.
template <typename Scalar>
absl::StatusOr<typename HiddenMarkov<Scalar>::Settings> RandomHiddenMarkov(
    const Observations<Scalar>& x, absl::Span<const Scalar> weights,
    Index num_states, Index num_symbols, std::uint64_t seed);

}  // namespace poe

#endif  // POE_EXPERTS_FIT_HIDDEN_MARKOV_H_
