// Forests over coordinates, each coordinate pointing at its parent.
#ifndef POE_EXPERTS_FOREST_H_
#define POE_EXPERTS_FOREST_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace poe {

inline constexpr std::int32_t kNoParent = -1;  // a root

// InvalidArgument naming the coordinate where `parents` (one entry for each of
// D coordinates) is no forest: a parent outside -1 .. D-1, or a cycle.
absl::Status ValidateForest(absl::Span<const std::int32_t> parents);

}  // namespace poe

#endif  // POE_EXPERTS_FOREST_H_
