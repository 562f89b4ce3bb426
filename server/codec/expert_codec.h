// Groups of experts as they are stored: the one switch over kinds.
#ifndef POE_SERVER_CODEC_EXPERT_CODEC_H_
#define POE_SERVER_CODEC_EXPERT_CODEC_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "poe/expert_group.h"
#include "poe/model.h"
#include "poe/v1/model.pb.h"

namespace poe::server {

// `columns` is how many a coordinate has in the frames that experts see.
void EncodeGroup(const ExpertGroup<float>& group, Index columns,
                 v1::ExpertGroup* message);

// Total over hostile input. InvalidArgument naming the field below `field`.
absl::StatusOr<std::unique_ptr<ExpertGroup<float>>> DecodeGroup(
    const v1::ExpertGroup& message, const DataSpec& spec,
    absl::string_view field);

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_EXPERT_CODEC_H_
