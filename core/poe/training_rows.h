// What training does with its rows before it learns from them: checks them,
// holds some out, and fits preprocessing and box.
#ifndef POE_TRAINING_ROWS_H_
#define POE_TRAINING_ROWS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "poe/training.h"

namespace poe {

// InvalidArgument, naming the row, where values, labels or weights are not what
// the settings speak of, or where values are missing and the settings need them
// or nothing else is there.
absl::Status ValidateTrainingRows(const TrainingSettings& settings,
                                  const TrainingRows& rows);

// Row numbers of each class, split by chance into training and held out. Rows
// with missing values are never held out.
struct Split {
  std::vector<std::vector<Index>> training, held_out;  // by class
};

// Rows must have been validated. FailedPrecondition, naming the class, where a
// class that needs rows (TrainingSettings::NeedsRows) is left without any to
// train on.
absl::StatusOr<Split> SplitRows(const TrainingSettings& settings,
                                const TrainingRows& rows);

// FailedPrecondition, naming class, group and coordinate, where experts that
// are fitted apart, or trees, see a real coordinate without a given box that
// has one value in all of the class's training rows `numbers`, which are
// complete and of which one has weight.
absl::Status CheckVaries(const TrainingSettings& settings,
                         const TrainingRows& rows,
                         const std::vector<Index>& numbers, Index class_index);

// Fits preprocessing (beside real inputs theirs alone), and the box if none is
// given, to the training rows of positive weight of all classes, each counted
// by its weight. InvalidArgument where a coordinate without a box never varies,
// or is never observed.
absl::Status FitDataSpec(const TrainingRows& rows, const Split& split,
                         DataSpec& spec);

}  // namespace poe

#endif  // POE_TRAINING_ROWS_H_
