// Latents with a few states each, known by their log joint with x.
#ifndef POE_EXPERTS_LATENT_STATES_H_
#define POE_EXPERTS_LATENT_STATES_H_

#include "absl/types/span.h"
#include "poe/numerics/matrix_product.h"

namespace poe {

// A state with probability proportional to exp(log_joint), from a uniform draw
// on (0, 1). At least one state, all finite.
Index DrawState(absl::Span<const double> log_joint, double uniform);

// log_joint <- the states' probabilities.
void NormalizeStates(absl::Span<double> log_joint);

}  // namespace poe

#endif  // POE_EXPERTS_LATENT_STATES_H_
