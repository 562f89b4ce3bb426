// Input tensors of the Open Inference Protocol as observations of poe.v1.
#ifndef POE_SERVER_CODEC_OPEN_INFERENCE_INPUTS_H_
#define POE_SERVER_CODEC_OPEN_INFERENCE_INPUTS_H_

#include <optional>

#include "absl/status/statusor.h"
#include "inference/open_inference.pb.h"
#include "poe/v1/tensor.pb.h"

namespace poe::server {

// The rows of "x", with the mask of "mask" where it is given; nothing if x is
// not given and not `needed`. InvalidArgument for other inputs and other
// datatypes, and for contents that do not fit shape and datatype; whether they
// fit the model is for DecodeObservations to say.
absl::StatusOr<std::optional<v1::Observations>> DecodeInputTensors(
    const inference::ModelInferRequest& request, bool needed);

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_OPEN_INFERENCE_INPUTS_H_
