// Gibbs sampling: from data, from random starts with annealing, and with some
// values clamped.
#ifndef POE_GIBBS_H_
#define POE_GIBBS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "poe/interrupt_check.h"
#include "poe/product.h"

namespace poe {

struct GibbsOptions {
  std::uint64_t seed = 0;
  // Inverse temperature of each step; its size is the number of steps.
  std::vector<double> inverse_temperatures;
  // Number of the first step among all draws with this seed.
  std::uint32_t first_step = 0;
  // What the last step returns; all others draw.
  Reconstruction last = Reconstruction::kSample;
};

// `steps` steps of which the first `annealing_steps` rise linearly to 1.
std::vector<double> AnnealingSchedule(int steps, int annealing_steps);

// Runs parallel Gibbs steps on x. Clamped values stay as they are. Fails only
// with the status of `check`, asked before each step of as many observations as
// take some ten milliseconds, or of one; x is then between steps.
template <typename Scalar>
absl::Status RunGibbs(const Product<Scalar>& product,
                      const GibbsOptions& options, const Workers& workers,
                      InterruptCheck check, Observations<Scalar>& x);

}  // namespace poe

#endif  // POE_GIBBS_H_
