// Greedy training of the layers of one class.
#ifndef POE_LAYER_TRAINING_H_
#define POE_LAYER_TRAINING_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "poe/class_trainer.h"
#include "poe/initialization.h"
#include "poe/training.h"
#include "poe/training_rows.h"
#include "poe/training_snapshots.h"

namespace poe {

// The rows that a product is initialized from, and experts are fitted apart to:
// all of positive weight, of which there must be one; of more than 50,000 rows
// or 8 million values, but no fewer than 10,000 rows, some drawn at random.
// With means of what was observed where values are missing.
Examples InitialRows(const RowSelection& training, std::uint64_t seed,
                     const Workers& workers);

// Trains the products of a class, each on what the one below hides of the
// class's training rows. `layers` has the lowest as it starts, and gets the
// others. `spec` is fitted. Progress is of this class alone, and says nothing
// of seconds. Errors as TrainProduct and of `snapshots`, and then the last of
// `layers` is what TrainProduct leaves.
absl::Status TrainLayers(const TrainingSettings& settings, const DataSpec& spec,
                         const TrainingRows& rows, const Split& split,
                         Index class_index, const Workers& workers,
                         ProgressCallback progress, InterruptCheck check,
                         TrainingSnapshots& snapshots,
                         std::vector<Product<float>>& layers,
                         std::optional<std::int64_t>& kept_update);

}  // namespace poe

#endif  // POE_LAYER_TRAINING_H_
