// Show me more: chains of Gibbs steps.
#ifndef POE_SAMPLING_H_
#define POE_SAMPLING_H_

#include "poe/gibbs.h"
#include "poe/model.h"
#include "poe/raw_rows.h"

namespace poe {

struct SampleOptions {
  Index class_index = 0;
  Index layer = 0;  // whose product the chains run in
  Index chains = 1;
  Index length = 1;  // frames of each chain, for sequences without a start
  int steps = 1000;
  int annealing_steps = 0;
  // Emit every `thinning` steps and after the last; 0: after the last only.
  int thinning = 0;
  bool mean = false;
  std::uint64_t seed = 0;
};

struct SampledChains {
  RowMatrix<float> values;     // chains (their frames) x D, raw units
  std::vector<Index> lengths;  // of sequences; empty for dense data
  int step = 0;                // steps done
  double inverse_temperature = 1;
};

// Starts from the base's own draws, or from `start` (one row for each chain,
// validated), which a conditional model needs; inputs stay as they are, and
// observed values if `clamp`, which needs layer 0. Chains of a higher layer are
// shown as the data that their states stand for (Descend, hierarchy.h). Calls
// `emit` in the order of steps and stops with its status if that is not OK.
absl::Status Sample(const Model& model, const SampleOptions& options,
                    const RawRows* start, bool clamp, const Workers& workers,
                    absl::FunctionRef<absl::Status(const SampledChains&)> emit,
                    InterruptCheck check);

}  // namespace poe

#endif  // POE_SAMPLING_H_
