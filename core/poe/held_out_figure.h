// How well a product speaks of rows that it does not learn from: the figure
// that early stopping goes by. The gap of free energy between held-out and
// training rows cannot be that: it has no optimum, and is 0 for a product that
// has learned nothing.
#ifndef POE_HELD_OUT_FIGURE_H_
#define POE_HELD_OUT_FIGURE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "poe/interrupt_check.h"
#include "poe/product.h"
#include "poe/row_selection.h"

namespace poe {

// One of the two, preprocessed units, rows by their weights.
struct HeldOutFigure {
  // Mean over rows; of conditional models log p(outputs | inputs).
  std::optional<double> log_probability;
  // Mean squared difference of data and reconstruction, per coordinate.
  std::optional<double> reconstruction_error;

  // The greater the better.
  double value() const {
    return log_probability.has_value() ? *log_probability
                                       : -*reconstruction_error;
  }
};

// Judges products of one shape: by log probabilities where log Z is exact and
// cheap (log_partition.h) for each of the rows' lengths, or that of outputs
// given inputs is; otherwise by one Gibbs step from the rows, with draws that
// are functions of seed and row alone, so that two figures differ by parameters
// and not by chance. Thread-safe.
class HeldOutJudge {
 public:
  // `rows`, which must be complete and outlive it, are those that the product
  // is to speak of; `reconstruction` is what it makes of them.
  HeldOutJudge(const RowSelection& rows, const Product<float>& product,
               Reconstruction reconstruction, std::uint64_t seed);

  // Rows out of support say nothing. FailedPrecondition if none is left that
  // has a weight; the status of `check`, asked every few hundred rows and at
  // each length.
  absl::StatusOr<HeldOutFigure> Judge(const Product<float>& product,
                                      const Workers& workers,
                                      InterruptCheck check) const;

 private:
  enum class Way { kLogPartition, kConditional, kReconstruction };

  Way ChooseWay(const Product<float>& product) const;

  const RowSelection& rows_;
  const DataSpec spec_;  // of what the product sees
  const Reconstruction reconstruction_;
  const std::uint64_t seed_;
  // Of sequences, each once, ascending; {0} for dense rows.
  std::vector<Index> lengths_;
  Way way_;
};

}  // namespace poe

#endif  // POE_HELD_OUT_FIGURE_H_
