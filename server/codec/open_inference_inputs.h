// Input tensors of the Open Inference Protocol as observations of poe.v1.
#ifndef POE_SERVER_CODEC_OPEN_INFERENCE_INPUTS_H_
#define POE_SERVER_CODEC_OPEN_INFERENCE_INPUTS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference/open_inference.pb.h"
#include "poe/v1/tensor.pb.h"

namespace poe::server {

// The rows of "x", with the mask of "mask" where it is given; nothing if x is
// not given and not `needed`. InvalidArgument for other inputs and other
// datatypes, and for contents that do not fit shape and datatype; whether they
// fit the model is for DecodeObservations to say.
absl::StatusOr<std::optional<v1::Observations>> DecodeInputTensors(
    const inference::ModelInferRequest& request, bool needed);

// Typed contents of one of those datatypes, as they would stand in raw ones;
// `path` is the tensor's in the request. InvalidArgument for elements in the
// field of another datatype, and for what a UINT8 cannot hold.
absl::StatusOr<std::string> PackContents(
    const inference::ModelInferRequest::InferInputTensor& tensor,
    absl::string_view path);

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_OPEN_INFERENCE_INPUTS_H_
