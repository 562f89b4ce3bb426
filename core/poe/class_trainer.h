// The loop of gradient ascent over the rows of one class.
#ifndef POE_CLASS_TRAINER_H_
#define POE_CLASS_TRAINER_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "poe/contrastive_divergence.h"
#include "poe/gibbs.h"
#include "poe/row_selection.h"
#include "poe/training.h"
#include "poe/training_snapshots.h"

namespace poe {

// Trains `product` on `training` and reports progress of this class:
// `fraction` is that of the class. `held_out` only watches for overfitting and
// tells early stopping which epoch was best. FailedPrecondition if the exact
// gradient is asked for and there is none, or early stopping and there is no
// held-out row to go by. Internal, naming the update, if a parameter stops
// being finite: then `product` is what it was after update `kept_update` (0:
// the start), the last of those at which all parameters and gradients were seen
// to be finite. Looked at is every epoch's end, and every 50th update. The same
// where `check` ends it with DeadlineExceeded. DataLoss if the stage that has
// begun is in `snapshots` and does not fit.
absl::Status TrainProduct(const ContrastiveDivergenceSettings& settings,
                          const RowSelection& training,
                          const RowSelection& held_out, std::uint64_t seed,
                          const Workers& workers, ProgressCallback progress,
                          InterruptCheck check, Product<float>& product,
                          std::optional<std::int64_t>& kept_update,
                          TrainingSnapshots* snapshots = nullptr);

}  // namespace poe

#endif  // POE_CLASS_TRAINER_H_
