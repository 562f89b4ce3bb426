// Experts fitted each on its own: what they are before they meet.
#ifndef POE_FIT_APART_H_
#define POE_FIT_APART_H_

#include "absl/status/statusor.h"
#include "poe/initialization.h"
#include "poe/training.h"

namespace poe {

// The product's settings with every expert that is to see a share of the
// coordinates in a group of its own; as they are where the share is 1.
ProductSettings SpreadCoordinates(const FitApartSettings& settings,
                                  const ProductSettings& shape,
                                  const DataSpec& spec, std::uint64_t seed);

// Replaces every group of the product whose kind has a fit of its own (see
// FitApartSettings) by experts fitted to their shares of `examples`, softened
// by the settings' power beside the group's own. FailedPrecondition, naming
// group and expert, where an expert cannot be fitted, its likelihood stops
// being finite, or the iterations run out before it has converged (see
// experts/fit_convergence.h); the status of `check`, which is asked once an
// iteration.
absl::Status FitApart(const FitApartSettings& settings,
                      const ProductSettings& shape, const DataSpec& spec,
                      const Examples& examples, std::uint64_t seed,
                      const Workers& workers, InterruptCheck check,
                      Product<float>& product);

}  // namespace poe

#endif  // POE_FIT_APART_H_
