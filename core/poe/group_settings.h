// Which settings of groups make sense for which data.
#ifndef POE_GROUP_SETTINGS_H_
#define POE_GROUP_SETTINGS_H_

#include "absl/status/status.h"
#include "poe/training.h"

namespace poe {

// InvalidArgument naming what is out of range, or why experts of this kind
// cannot see data of the spec. Needs no data.
absl::Status ValidateGroup(const GroupSettings& group, const DataSpec& spec);

absl::Status Validate(const FitApartSettings& settings);

// FailedPrecondition where an expert has more components, states, latent
// dimensions or trees than there are frames to learn them from.
absl::Status CheckEnoughFrames(const GroupSettings& group, Index frames);

// Hidden probabilities that a group shows to a next layer; 0 if it has none.
Index NumHidden(const GroupSettings& group);

// The same of a product; 0 if one of its groups has none.
Index NumHidden(const ProductSettings& product);

// Parameters that a group has over rows of so many columns; in double, so that
// no count overflows.
double NumParameters(const GroupSettings& group, const DataSpec& spec);

}  // namespace poe

#endif  // POE_GROUP_SETTINGS_H_
