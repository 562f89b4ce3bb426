// Inference requests and responses of the Open Inference Protocol as its JSON.
#ifndef POE_SERVER_CODEC_OPEN_INFERENCE_JSON_H_
#define POE_SERVER_CODEC_OPEN_INFERENCE_JSON_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference/open_inference.pb.h"

namespace poe::server {

// The request without model and version, which stand in the URL. Elements may
// be nested as the shape says or flat; null is NaN. Whether there are as many
// as the shape says is left to those who read the tensors. Parameters of binary
// tensors stay for TakeBinaryInputs, and their inputs have no contents. No
// tree is made of the text: reading takes little more memory than the text and
// the request have. InvalidArgument naming the place for what is no JSON, has
// members that the protocol does not or one twice, elements that the datatype
// cannot hold or that are more than 16 arrays deep, and more than 64 inputs,
// outputs, parameters of one thing or lengths of a shape.
absl::StatusOr<inference::ModelInferRequest> ReadInferRequest(
    absl::string_view json);

// In one line, elements flat, without those that TakeBinaryOutputs took. A NaN
// or an infinity is null.
std::string InferResponseJson(const inference::ModelInferResponse& response);

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_OPEN_INFERENCE_JSON_H_
