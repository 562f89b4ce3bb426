#include "poe/experts/fit_convergence.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace poe {

absl::Status CheckConverged(const FitConvergence& fit, Index values) {
  constexpr double kGreatestGain = 1e-3;  // nats a value
  const double gain = fit.last_gain / static_cast<double>(values);
  if (fit.converged || std::abs(gain) < kGreatestGain) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "it has not converged: the last of ", fit.iterations,
      " iterations changed its log likelihood by ", gain,
      " nats for each value, where less than ", kGreatestGain,
      " is enough; raise max_iterations, or ask for fewer states"));
}

}  // namespace poe
