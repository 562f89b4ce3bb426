// How a fit by expectation maximization ended, and whether that is good enough
// for an expert.
#ifndef POE_EXPERTS_FIT_CONVERGENCE_H_
#define POE_EXPERTS_FIT_CONVERGENCE_H_

#include <limits>

#include "absl/status/status.h"
#include "poe/observations.h"

namespace poe {

struct FitConvergence {
  int iterations = 0;  // done after the start
  // By which the last of them raised the mean log likelihood of a row, or of a
  // frame of a sequence, nats; infinite after none.
  double last_gain = std::numeric_limits<double>::infinity();
  // Whether that was less than the fit's tolerance.
  bool converged = false;
};

// FailedPrecondition where the iterations ran out while the log likelihood
// still changed by 1e-3 nats or more for each of the `values` of a row or
// frame. What changes less is the tail of a fit that would take long to end.
absl::Status CheckConverged(const FitConvergence& fit, Index values);

}  // namespace poe

#endif  // POE_EXPERTS_FIT_CONVERGENCE_H_
