// Some rows of a training set, as a layer sees them.
#ifndef POE_ROW_SELECTION_H_
#define POE_ROW_SELECTION_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "poe/hierarchy.h"
#include "poe/training.h"

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
  // Of what is taken: spec(), or that of what the layer below hides.
  DataSpec seen_spec() const {
    return below_.empty() ? spec_ : HiddenSpec(below_.back().num_hidden());
  }
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

}  // namespace poe

#endif  // POE_ROW_SELECTION_H_
