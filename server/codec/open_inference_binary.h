// Tensors of the Open Inference Protocol's JSON whose contents follow it as
// bytes: the extension binary_tensor_data.
#ifndef POE_SERVER_CODEC_OPEN_INFERENCE_BINARY_H_
#define POE_SERVER_CODEC_OPEN_INFERENCE_BINARY_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference/open_inference.pb.h"

namespace poe::server {

// The parameter of a tensor that has its contents as so many bytes.
inline constexpr char kBinaryDataSize[] = "binary_data_size";

// Which outputs a client wants as bytes.
struct BinaryOutputs {
  bool others = false;  // those that are not in `named`
  std::map<std::string, bool> named;
};

// Takes the extension's parameters out of a request from ReadInferRequest. If
// inputs have their contents in `bytes`, one after the other, those of all
// become raw. InvalidArgument for values of other types, and where there are
// more or fewer bytes than the inputs say; whether they fit the shape is left
// to those who read the tensors.
absl::StatusOr<BinaryOutputs> TakeBinaryInputs(
    absl::string_view bytes, inference::ModelInferRequest* request);

// Takes the raw contents of the outputs that are wanted as bytes, one after the
// other, and leaves their size as a parameter.
std::string TakeBinaryOutputs(const BinaryOutputs& wanted,
                              inference::ModelInferResponse* response);

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_OPEN_INFERENCE_BINARY_H_
