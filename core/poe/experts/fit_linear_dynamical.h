// One linear dynamical system fitted to sequences by expectation maximization.
#ifndef POE_EXPERTS_FIT_LINEAR_DYNAMICAL_H_
#define POE_EXPERTS_FIT_LINEAR_DYNAMICAL_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/experts/fit_convergence.h"
#include "poe/experts/linear_dynamical.h"
#include "poe/interrupt_check.h"
#include "poe/numerics/workers.h"
#include "poe/observations.h"

namespace poe {

struct FitLinearDynamicalOptions {
  Index num_latent = 1;  // L; that of `start` where there is one
  // Names the random start: a damped rotation that sees the data from random
  // directions.
  std::uint64_t seed = 0;
  // One expert to start from instead; its bounds and power are kept.
  std::optional<LinearDynamical<double>::Settings> start;
  // Least emission variance of a coordinate: this share of its variance in the
  // data, and this variance.
  double least_variance_share = 1e-6;
  double least_variance = 1e-30;
  // Least eigenvalue of P_1 and Q; latents start with a variance of 1.
  double least_latent_variance = 1e-6;
  int max_iterations = 100;
  // Stops once an iteration gains less than this for each frame.
  double tolerance = 1e-6;
};

struct FittedLinearDynamical : FitConvergence {
  LinearDynamical<double>::Settings settings;  // M = 1
  // sum_n weights[n] log f(x_n) at power 1: of `settings`, and of the start and
  // after each iteration.
  double log_likelihood = 0;
  std::vector<double> log_likelihoods;
};

// Sequences of preprocessed frames, each with its weight >= 0; no weights count
// all as 1. The log likelihood never falls but for rounding, and what an
// iteration takes back is not kept. InvalidArgument for weights or options that
// make no sense; FailedPrecondition where sequences of positive weight have
// fewer than L + 2 frames or L + 1 transitions, values stop being finite, or an
// iteration takes back more than the tolerance and 1e-9 of the log likelihood;
// the status of `check`. O(iterations frames (L D + L^2)).
absl::StatusOr<FittedLinearDynamical> FitLinearDynamical(
    const Observations<double>& x, absl::Span<const double> weights,
    const FitLinearDynamicalOptions& options, const Workers& workers,
    InterruptCheck check);

}  // namespace poe

#endif  // POE_EXPERTS_FIT_LINEAR_DYNAMICAL_H_
