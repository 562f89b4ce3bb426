#include "client/cpp/command/json.h"

#include <cmath>
#include <iostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/tensor.h"
#include "google/protobuf/util/json_util.h"

namespace poe::client {

Json JsonNumber(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

absl::StatusOr<Json> MessageJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &text, options);
  if (!status.ok()) return absl::InternalError(status.ToString());
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

absl::StatusOr<v1::Tensor> Readable(const v1::Tensor& tensor) {
  const absl::StatusOr<std::vector<float>> values = TensorFloats(tensor);
  if (!values.ok()) return values.status();
  v1::Tensor readable;
  *readable.mutable_shape() = tensor.shape();
  readable.mutable_values()->Add(values->begin(), values->end());
  return readable;
}

void PrintJson(const Json& document) {
  std::cout << document.dump(-1, ' ', false, Json::error_handler_t::replace)
            << "\n";
}

absl::Status PrintJson(const google::protobuf::Message& message) {
  const absl::StatusOr<Json> document = MessageJson(message);
  if (!document.ok()) return document.status();
  std::cout << document->dump(2, ' ', false, Json::error_handler_t::replace)
            << "\n";
  return absl::OkStatus();
}

}  // namespace poe::client
