// How plausible is this, and which class.
#ifndef POE_SCORING_H_
#define POE_SCORING_H_

#include "poe/gibbs.h"
#include "poe/model.h"

namespace poe {

struct ScoreOptions {
  bool per_expert = false;
};

// N observations, C classes, L layers; fields are empty where the model has
// nothing to say (no separator, no calibration, no held-out rows).
struct Scores {
  // N x (C L), class-major: log p*(x) in raw units; -infinity out of support.
  RowMatrix<double> log_scores;
  std::vector<std::int32_t> labels;  // -1 out of support
  std::vector<double> margins;       // 0 out of support
  RowMatrix<double> probabilities;   // N x C; 0 out of support
  RowMatrix<double> percentiles;     // N x C
  // N, or empty if every row is in support.
  std::vector<bool> out_of_support;
  // C matrices N x M if asked for; NaN out of support.
  std::vector<RowMatrix<double>> expert_log_scores;
};

// Rows must have passed ValidateRows and have no missing values. Fails only
// with the status of `check`, which is asked every few hundred rows.
absl::StatusOr<Scores> Score(const Model& model, const RawRows& rows,
                             const ScoreOptions& options,
                             const Workers& workers, InterruptCheck check);

}  // namespace poe

#endif  // POE_SCORING_H_
