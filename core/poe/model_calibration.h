// What follows when the products of a model have been trained: the separator
// over their scores, and what scores mean.
#ifndef POE_MODEL_CALIBRATION_H_
#define POE_MODEL_CALIBRATION_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/model.h"
#include "poe/training.h"
#include "poe/training_rows.h"

namespace poe {

// Parts of a Split, by class.
using RowNumbers = absl::Span<const std::vector<std::vector<Index>>* const>;

// What Comparable (scoring.h) has of rows under all classes, with their labels.
// Rows out of support, not comparable, or with missing values are left out.
struct LabelledScores {
  RowMatrix<double> log_scores;
  std::vector<std::int32_t> labels;
};

absl::StatusOr<LabelledScores> ScoreRows(const Model& model,
                                         const TrainingRows& rows,
                                         RowNumbers parts,
                                         const Workers& workers,
                                         InterruptCheck check);

// Fits model.separator to the rows that the settings name. Errors of
// FitSeparator; the status of `check`.
absl::Status FitModelSeparator(const SeparatorSettings& settings,
                               const TrainingRows& rows, const Split& split,
                               const LabelledScores& held_out,
                               const Workers& workers, InterruptCheck check,
                               Model& model);

// Percentiles and, where there is a separator, class probabilities, from held
// out rows; neither unless every class has some.
absl::Status Calibrate(const LabelledScores& held_out, Model& model);

// What experts usually say of the rows of each class that were held out, or
// that trained where none were.
absl::Status LearnUsualVerdicts(const TrainingRows& rows, const Split& split,
                                const Workers& workers, InterruptCheck check,
                                Model& model);

}  // namespace poe

#endif  // POE_MODEL_CALIBRATION_H_
