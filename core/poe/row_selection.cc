#include "poe/row_selection.h"

#include <numeric>
#include <utility>

namespace poe {

RowSelection::RowSelection(const DataSpec& spec, const TrainingRows& rows,
                           std::vector<Index> numbers, Layers below)
    : spec_(spec), rows_(rows), numbers_(std::move(numbers)), below_(below) {}

Observations<float> RowSelection::Take(
    absl::Span<const std::uint32_t> positions, const Workers& workers) const {
  std::vector<Index> numbers;
  numbers.reserve(positions.size());
  for (std::uint32_t position : positions)
    numbers.push_back(numbers_[position]);
  const GatheredRows gathered(rows_, numbers, workers);
  return Climb(below_,
               Preprocess(spec_, gathered.View(), 0,
                          static_cast<Index>(numbers.size()), workers),
               workers);
}

Observations<float> RowSelection::Take(Index begin, Index count,
                                       const Workers& workers) const {
  std::vector<std::uint32_t> positions(count);
  std::iota(positions.begin(), positions.end(),
            static_cast<std::uint32_t>(begin));
  return Take(positions, workers);
}

std::vector<float> RowSelection::Weights(
    absl::Span<const std::uint32_t> positions) const {
  std::vector<float> weights;
  if (rows_.weights.empty()) return weights;
  for (std::uint32_t position : positions)
    weights.push_back(rows_.weights[numbers_[position]]);
  return weights;
}

}  // namespace poe
