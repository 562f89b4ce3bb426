// How long work is asked to stop.
#ifndef POE_INTERRUPT_CHECK_H_
#define POE_INTERRUPT_CHECK_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace poe {

// Asked at least once each Gibbs step, update or iteration of a fit; a status
// other than OK ends the work with that status.
using InterruptCheck = absl::FunctionRef<absl::Status()>;

inline absl::Status NeverInterrupt() { return absl::OkStatus(); }

}  // namespace poe

#endif  // POE_INTERRUPT_CHECK_H_
