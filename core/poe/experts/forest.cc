#include "poe/experts/forest.h"

#include <vector>

#include "absl/strings/str_cat.h"

namespace poe {

absl::Status ValidateForest(absl::Span<const std::int32_t> parents) {
  const auto dimension = static_cast<std::int32_t>(parents.size());
  for (std::int32_t i = 0; i < dimension; ++i)
    if (parents[i] < kNoParent || parents[i] >= dimension)
      return absl::InvalidArgumentError(absl::StrCat(
          "the parent of coordinate ", i, " is ", parents[i],
          "; parents are coordinates 0 to ", dimension - 1, ", or -1"));
  // The walk towards a root on which each coordinate was first met.
  std::vector<std::int32_t> walk(dimension, kNoParent);
  for (std::int32_t start = 0; start < dimension; ++start) {
    std::int32_t i = start;
    while (i != kNoParent && walk[i] == kNoParent) {
      walk[i] = start;
      i = parents[i];
    }
    if (i != kNoParent && walk[i] == start)
      return absl::InvalidArgumentError(absl::StrCat(
          "coordinate ", i, " is its own ancestor; trees have no cycles"));
  }
  return absl::OkStatus();
}

}  // namespace poe
