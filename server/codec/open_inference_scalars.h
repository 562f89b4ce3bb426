// Scalars of the Open Inference Protocol's JSON as parameters and as elements
// of tensors.
#ifndef POE_SERVER_CODEC_OPEN_INFERENCE_SCALARS_H_
#define POE_SERVER_CODEC_OPEN_INFERENCE_SCALARS_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "inference/open_inference.pb.h"
#include "nlohmann/json_fwd.hpp"

namespace poe::server {

// Whether it is a whole number from `least` to `most`, which goes to `number`.
bool IsWhole(const nlohmann::ordered_json& value, std::int64_t least,
             std::int64_t most, std::int64_t* number);

// False if the value is no string, number, true or false.
bool SetParameter(const nlohmann::ordered_json& value,
                  inference::InferParameter* parameter);

// Adds the value to the contents of its datatype; null is NaN. What the value
// would have to be; empty if it was added.
absl::string_view AddElement(const nlohmann::ordered_json& value,
                             absl::string_view datatype,
                             inference::InferTensorContents* contents);

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_OPEN_INFERENCE_SCALARS_H_
