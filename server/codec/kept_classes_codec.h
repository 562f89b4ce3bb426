// The part of a TrainStart that names an earlier version of its model, of which
// some classes are kept.
#ifndef POE_SERVER_CODEC_KEPT_CLASSES_CODEC_H_
#define POE_SERVER_CODEC_KEPT_CLASSES_CODEC_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/model.h"
#include "poe/v1/training.pb.h"

namespace poe::server {

// InvalidArgument unless base_version and kept_class_names are given both or
// neither; NotFound if base_version is given and `base`, its model, is null.
absl::Status CheckBaseVersion(const v1::TrainStart& start, const Model* base);

// That of `base`. InvalidArgument naming the field where the start's own states
// something else.
absl::StatusOr<DataSpec> DecodeKeptDataSpec(const v1::TrainStart& start,
                                            const Model& base);

// Indices into `class_names`, ascending; none if `base` is null.
// InvalidArgument for a name that is not in there, comes twice, or is no class
// of `base`.
absl::StatusOr<std::vector<Index>> DecodeKeptClassNames(
    const v1::TrainStart& start, absl::Span<const std::string> class_names,
    const Model* base);

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_KEPT_CLASSES_CODEC_H_
