#ifndef POE_CLIENT_CPP_COMMAND_JSON_H_
#define POE_CLIENT_CPP_COMMAND_JSON_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "nlohmann/json.hpp"
#include "poe/v1/tensor.pb.h"

namespace poe::client {

// JSON whose objects keep the order in which their members were added.
using Json = nlohmann::ordered_json;

// A finite number, and null for any other.
Json JsonNumber(double value);

// A message by protobuf's JSON mapping, with the field names of the .proto
// files and fields of value 0 included.
absl::StatusOr<Json> MessageJson(const google::protobuf::Message& message);

// The tensor with its elements as plain numbers, for people.
absl::StatusOr<v1::Tensor> Readable(const v1::Tensor& tensor);

// Prints a document on standard output, in one line.
void PrintJson(const Json& document);

// The same for a message, in lines that people can read.
absl::Status PrintJson(const google::protobuf::Message& message);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_JSON_H_
