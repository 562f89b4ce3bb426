// Maximum likelihood for one mixture of axis-aligned Gaussians apart from any
// product: where Gaussian mixture experts, and emissions, may start from.
#ifndef POE_EXPERTS_FIT_GAUSSIAN_MIXTURE_H_
#define POE_EXPERTS_FIT_GAUSSIAN_MIXTURE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/experts/fit_convergence.h"
#include "poe/experts/gaussian_mixture.h"
#include "poe/interrupt_check.h"
#include "poe/numerics/workers.h"
#include "poe/observations.h"

namespace poe {

struct FitGaussianMixtureOptions {
  Index num_components = 1;  // K
  // Of expectation maximization, after the start; 0 leaves the start.
  int max_iterations = 100;
  // Stops when the mean log likelihood grows by less, nats per row.
  double tolerance = 1e-6;
  // No variance falls below; 1e-6 of the coordinates' mean variance unless
  // given. It becomes the expert's bound.
  std::optional<double> least_variance = std::nullopt;
  std::uint64_t seed = 0;
};

template <typename Scalar>
struct FittedGaussianMixture : FitConvergence {
  // One expert of K components, power 1.
  typename GaussianMixture<Scalar>::Settings settings;
  // Weighted mean log likelihood per row, nats: of the start, and after each
  // iteration. It never falls, but for rounding. The last is the expert's,
  // before its parameters were rounded to Scalar.
  std::vector<double> log_likelihoods;
};

// Fits K components to the rows of x (its frames, if it is sequential), each
// counted `weights` times; no weights means 1 each. Starts from the clusters
// nearest to K rows drawn by k-means++ (each with probability proportional to
// its weight times its squared distance from the rows drawn before), and goes
// on by expectation maximization. The same result at any thread count.
//
// InvalidArgument for options out of range, values or weights that are not
// finite, negative weights, or a number of weights other than of rows.
// FailedPrecondition where fewer than K distinct rows have weight, or a
// likelihood is not finite. The status of `check`.
template <typename Scalar>
absl::StatusOr<FittedGaussianMixture<Scalar>> FitGaussianMixture(
    const Observations<Scalar>& x, absl::Span<const double> weights,
    const FitGaussianMixtureOptions& options, const Workers& workers,
    InterruptCheck check);

}  // namespace poe

#endif  // POE_EXPERTS_FIT_GAUSSIAN_MIXTURE_H_
