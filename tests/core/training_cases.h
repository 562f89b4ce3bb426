// Small training runs that several tests share.
#ifndef POE_TESTS_CORE_TRAINING_CASES_H_
#define POE_TESTS_CORE_TRAINING_CASES_H_

#include <cstdint>
#include <vector>

#include "poe/training.h"

namespace poe {

// Rows with labels; `View` must not outlive them.
struct LabelledRows {
  RowMatrix<float> values;
  std::vector<std::int32_t> labels;
  std::vector<float> weights;

  TrainingRows View() const {
    return {{{values.data(), values.rows(), values.cols()}}, labels, weights};
  }
};

// Two classes of binary rows around complementary patterns, each value flipped
// with probability 0.1.
LabelledRows BinaryRows(Index size, Index dimension);

// Two classes of points on two noisy segments.
LabelledRows RealRows(Index size);

// Bernoulli units; two classes, separator, a fifth of the rows held out.
TrainingSettings BinarySettings(Index dimension);

// Unigauss experts and softened Bernoulli units on a Gaussian factor.
TrainingSettings RealSettings();

struct Case {
  TrainingSettings settings;
  LabelledRows rows;
};

// One of each family.
std::vector<Case> Cases();

// One class of four bits that are all equal in training rows and correlated by
// 0.2 in those held out: exact gradients lead past what suits the latter best,
// some epochs after the start and long before the last of 200.
Case Overfitting();

absl::StatusOr<Model> TrainOn(const TrainingSettings& settings,
                              const LabelledRows& rows, int threads = 1);

}  // namespace poe

#endif  // POE_TESTS_CORE_TRAINING_CASES_H_
