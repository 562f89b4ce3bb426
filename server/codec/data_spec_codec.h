// What one observation is: poe.v1.DataSpec to poe::DataSpec and back.
#ifndef POE_SERVER_CODEC_DATA_SPEC_CODEC_H_
#define POE_SERVER_CODEC_DATA_SPEC_CODEC_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "poe/model.h"
#include "poe/v1/tensor.pb.h"

namespace poe::server {

v1::DataSpec EncodeDataSpec(const DataSpec& spec);

// Where a spec comes from: in a request to train, preprocessing is yet to be
// fitted and only its kind may be given; in a stored model it is there, and so
// is the box of Family::kGaussian.
enum class SpecOrigin { kTrainStart, kStoredModel };

// InvalidArgument naming the field below `field`. What is returned has passed
// poe::Validate.
absl::StatusOr<DataSpec> DecodeDataSpec(
    const v1::DataSpec& spec, SpecOrigin origin = SpecOrigin::kStoredModel,
    absl::string_view field = "data_spec");

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_DATA_SPEC_CODEC_H_
