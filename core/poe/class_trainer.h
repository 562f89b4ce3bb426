// The loop of gradient ascent over the rows of one class.
#ifndef POE_CLASS_TRAINER_H_
#define POE_CLASS_TRAINER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "poe/contrastive_divergence.h"
#include "poe/gibbs.h"
#include "poe/hierarchy.h"
#include "poe/training.h"
#include "poe/training_snapshots.h"

namespace poe {

// Rows of a training set by their numbers, preprocessed as they are taken, as a
// layer on top of `below` sees them. What it is given must outlive it.
class RowSelection {
 public:
  RowSelection(const DataSpec& spec, const TrainingRows& rows,
               std::vector<Index> numbers, Layers below = {});

  // Of what is taken: 0, or S where that is symbols.
  int num_symbols() const { return below_.empty() ? spec_.num_symbols : 0; }
  Index size() const { return static_cast<Index>(numbers_.size()); }
  const std::vector<Index>& numbers() const { return numbers_; }
  const DataSpec& spec() const { return spec_; }
  const RawRows& rows() const { return rows_; }

  // The rows at these positions of the selection; row ids are row numbers. What
  // is missing is 0.
  Observations<float> Take(absl::Span<const std::uint32_t> positions,
                           const Workers& workers) const;
  // `count` rows from position `begin` on.
  Observations<float> Take(Index begin, Index count,
                           const Workers& workers) const;
  // Weights of the same rows; empty if the set has none.
  std::vector<float> Weights(absl::Span<const std::uint32_t> positions) const;

 private:
  const DataSpec& spec_;
  const TrainingRows& rows_;
  std::vector<Index> numbers_;
  Layers below_;
};

// Trains `product` on `training` and reports progress of this class:
// `fraction` is that of the class. `held_out` only watches for overfitting.
// FailedPrecondition if the exact gradient is asked for and there is none.
// Internal, naming the update, if a parameter stops being finite: then
// `product` is what it was after update `kept_update` (0: the start), the last
// of those at which all parameters and gradients were seen to be finite.
// Looked at is every epoch's end, and every 50th update. DataLoss if
// `snapshots` has the stage and does not fit.
absl::Status TrainProduct(const ContrastiveDivergenceSettings& settings,
                          const RowSelection& training,
                          const RowSelection& held_out, std::uint64_t seed,
                          const Workers& workers, ProgressCallback progress,
                          InterruptCheck check, Product<float>& product,
                          std::optional<std::int64_t>& kept_update,
                          TrainingSnapshots* snapshots = nullptr);

}  // namespace poe

#endif  // POE_CLASS_TRAINER_H_
