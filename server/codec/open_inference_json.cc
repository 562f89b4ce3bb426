#include "server/codec/open_inference_json.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "server/codec/open_inference_binary.h"
#include "server/errors.h"

namespace poe::server {
namespace {

using Json = nlohmann::ordered_json;
using inference::InferParameter;
using inference::InferTensorContents;
using inference::ModelInferRequest;
using inference::ModelInferResponse;

// More dimensions than any tensor here has.
constexpr int kMostNesting = 16;

absl::Status WrongJson(const std::string& place, absl::string_view wanted) {
  return FieldError(place.empty() ? "body" : place, "MALFORMED_JSON",
                    absl::StrCat("must be ", wanted));
}

// Reads one member of an object; its place is for messages.
using ReadMember =
    std::function<absl::Status(const Json& value, const std::string& place)>;

absl::Status ReadObject(const Json& json, const std::string& place,
                        const std::map<std::string, ReadMember>& members) {
  if (!json.is_object()) return WrongJson(place, "an object");
  for (const auto& [key, value] : json.items()) {
    const auto member = members.find(key);
    if (member == members.end()) {
      return FieldError(
          place.empty() ? "body" : place, "UNKNOWN_FIELD",
          absl::StrCat("has ", Quoted(key), ", which the protocol does not"));
    }
    absl::Status status = member->second(
        value, place.empty() ? key : absl::StrCat(place, ".", key));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ReadArray(const Json& json, const std::string& place,
                       const ReadMember& read) {
  if (!json.is_array()) return WrongJson(place, "an array");
  for (std::size_t i = 0; i < json.size(); ++i) {
    absl::Status status = read(json[i], absl::StrCat(place, "[", i, "]"));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

ReadMember IntoString(std::string* text) {
  return [text](const Json& value, const std::string& place) {
    if (!value.is_string()) return WrongJson(place, "a string");
    *text = value.get<std::string>();
    return absl::OkStatus();
  };
}

// Whether it is a whole number from `least` to `most`, which goes to `number`.
bool IsWhole(const Json& value, std::int64_t least, std::int64_t most,
             std::int64_t* number) {
  if (!value.is_number_integer()) return false;
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() >
          static_cast<std::uint64_t>(
              std::numeric_limits<std::int64_t>::max())) {
    return false;
  }
  *number = value.get<std::int64_t>();
  return *number >= least && *number <= most;
}

absl::Status ReadParameter(const Json& value, const std::string& place,
                           InferParameter* parameter) {
  std::int64_t number = 0;
  if (value.is_boolean()) {
    parameter->set_bool_param(value.get<bool>());
  } else if (value.is_string()) {
    parameter->set_string_param(value.get<std::string>());
  } else if (IsWhole(value, std::numeric_limits<std::int64_t>::min(),
                     std::numeric_limits<std::int64_t>::max(), &number)) {
    parameter->set_int64_param(number);
  } else if (value.is_number_unsigned()) {
    parameter->set_uint64_param(value.get<std::uint64_t>());
  } else if (value.is_number_float()) {
    parameter->set_double_param(value.get<double>());
  } else {
    return WrongJson(place, "a string, a number, true or false");
  }
  return absl::OkStatus();
}

template <typename Parameters>
ReadMember IntoParameters(Parameters* parameters) {
  return [parameters](const Json& value, const std::string& place) {
    if (!value.is_object()) return WrongJson(place, "an object");
    for (const auto& [key, parameter] : value.items()) {
      absl::Status status = ReadParameter(
          parameter, absl::StrCat(place, ".", key), &(*parameters)[key]);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  };
}

// What the value would have to be; empty if it was added.
absl::string_view AddReal(const Json& value, bool single_precision,
                          InferTensorContents* contents) {
  double number = std::numeric_limits<double>::quiet_NaN();
  if (!value.is_null()) {
    if (!value.is_number()) return "a number or null";
    number = value.get<double>();
    if (single_precision &&
        std::abs(number) > std::numeric_limits<float>::max()) {
      return "within the range of FP32";
    }
  }
  if (single_precision) {
    contents->add_fp32_contents(static_cast<float>(number));
  } else {
    contents->add_fp64_contents(number);
  }
  return "";
}

absl::string_view AddBool(const Json& value, InferTensorContents* contents) {
  std::int64_t number = 0;
  if (value.is_boolean()) {
    contents->add_bool_contents(value.get<bool>());
  } else if (IsWhole(value, 0, 1, &number)) {
    contents->add_bool_contents(number == 1);
  } else {
    return "true or false";
  }
  return "";
}

absl::string_view AddElement(const Json& value, absl::string_view datatype,
                             InferTensorContents* contents) {
  std::int64_t number = 0;
  if (datatype == "FP32" || datatype == "FP64")
    return AddReal(value, datatype == "FP32", contents);
  if (datatype == "BOOL") return AddBool(value, contents);
  if (datatype == "UINT8") {
    if (!IsWhole(value, 0, std::numeric_limits<std::uint8_t>::max(), &number))
      return "a whole number from 0 to 255";
    contents->add_uint_contents(static_cast<std::uint32_t>(number));
    return "";
  }
  if (datatype == "INT32") {
    if (!IsWhole(value, std::numeric_limits<std::int32_t>::min(),
                 std::numeric_limits<std::int32_t>::max(), &number)) {
      return "a whole number of 32 bits";
    }
    contents->add_int_contents(static_cast<std::int32_t>(number));
    return "";
  }
  if (datatype == "INT64") {
    if (!IsWhole(value, std::numeric_limits<std::int64_t>::min(),
                 std::numeric_limits<std::int64_t>::max(), &number)) {
      return "a whole number of 64 bits";
    }
    contents->add_int64_contents(number);
    return "";
  }
  return "of a tensor with the datatype FP32, FP64, UINT8, INT32, INT64 "
         "or BOOL";
}

absl::Status ReadElements(const Json& json, const std::string& place, int depth,
                          absl::string_view datatype,
                          InferTensorContents* contents) {
  if (!json.is_array()) return WrongJson(place, "an array");
  if (depth > kMostNesting) {
    return WrongJson(place,
                     absl::StrCat("at most ", kMostNesting, " arrays deep"));
  }
  for (std::size_t i = 0; i < json.size(); ++i) {
    const auto inner = [&] { return absl::StrCat(place, "[", i, "]"); };
    if (json[i].is_array()) {
      absl::Status status =
          ReadElements(json[i], inner(), depth + 1, datatype, contents);
      if (!status.ok()) return status;
      continue;
    }
    const absl::string_view wanted = AddElement(json[i], datatype, contents);
    if (!wanted.empty()) return WrongJson(inner(), wanted);
  }
  return absl::OkStatus();
}

absl::Status ReadInput(const Json& json, const std::string& place,
                       ModelInferRequest::InferInputTensor* input) {
  const Json* data = nullptr;
  absl::Status status = ReadObject(
      json, place,
      {{"name", IntoString(input->mutable_name())},
       {"datatype", IntoString(input->mutable_datatype())},
       {"shape",
        [input](const Json& value, const std::string& inner) {
          return ReadArray(
              value, inner, [input](const Json& one, const std::string& where) {
                std::int64_t length = 0;
                if (!IsWhole(one, 0, std::numeric_limits<std::int64_t>::max(),
                             &length)) {
                  return WrongJson(where, "a whole number, at least 0");
                }
                input->add_shape(length);
                return absl::OkStatus();
              });
        }},
       {"parameters", IntoParameters(input->mutable_parameters())},
       {"data", [&data](const Json& value, const std::string&) {
          data = &value;
          return absl::OkStatus();
        }}});
  if (!status.ok()) return status;
  // After all other members, whose order is free.
  const std::string data_place = absl::StrCat(place, ".data");
  if (data == nullptr) {
    if (input->parameters().contains(kBinaryDataSize)) return absl::OkStatus();
    return WrongJson(data_place, "given");
  }
  return ReadElements(*data, data_place, 1, input->datatype(),
                      input->mutable_contents());
}

absl::Status ReadOutput(const Json& json, const std::string& place,
                        ModelInferRequest::InferRequestedOutputTensor* output) {
  return ReadObject(
      json, place,
      {{"name", IntoString(output->mutable_name())},
       {"parameters", IntoParameters(output->mutable_parameters())}});
}

// The elements that stand one after another in `raw`.
template <typename T>
Json RawElements(const std::string& raw) {
  Json elements = Json::array();
  for (std::size_t i = 0; i + sizeof(T) <= raw.size(); i += sizeof(T)) {
    T element;
    std::memcpy(&element, raw.data() + i, sizeof(T));
    elements.push_back(element);
  }
  return elements;
}

Json RawStrings(const std::string& raw) {
  Json elements = Json::array();
  for (std::size_t i = 0; i + sizeof(std::uint32_t) <= raw.size();) {
    std::uint32_t length = 0;
    std::memcpy(&length, raw.data() + i, sizeof(length));
    i += sizeof(length);
    elements.push_back(raw.substr(i, length));
    i += length;
  }
  return elements;
}

Json OutputElements(const std::string& datatype, const std::string& raw) {
  if (datatype == "FP32") return RawElements<float>(raw);
  if (datatype == "FP64") return RawElements<double>(raw);
  if (datatype == "INT64") return RawElements<std::int64_t>(raw);
  return RawStrings(raw);
}

Json ParameterJson(const InferParameter& parameter) {
  switch (parameter.parameter_choice_case()) {
    case InferParameter::kBoolParam:
      return parameter.bool_param();
    case InferParameter::kInt64Param:
      return parameter.int64_param();
    case InferParameter::kStringParam:
      return parameter.string_param();
    case InferParameter::kDoubleParam:
      return parameter.double_param();
    case InferParameter::kUint64Param:
      return parameter.uint64_param();
    case InferParameter::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<ModelInferRequest> ReadInferRequest(absl::string_view json) {
  Json body;
  try {
    body = Json::parse(json.begin(), json.end());
  } catch (const Json::exception& exception) {
    return Error(absl::StatusCode::kInvalidArgument, "MALFORMED_JSON",
                 absl::StrCat("this is no JSON: ", exception.what()));
  }
  ModelInferRequest request;
  absl::Status status = ReadObject(
      body, "",
      {{"id", IntoString(request.mutable_id())},
       {"parameters", IntoParameters(request.mutable_parameters())},
       {"inputs",
        [&request](const Json& value, const std::string& place) {
          return ReadArray(
              value, place, [&](const Json& input, const std::string& inner) {
                return ReadInput(input, inner, request.add_inputs());
              });
        }},
       {"outputs", [&request](const Json& value, const std::string& place) {
          return ReadArray(
              value, place, [&](const Json& output, const std::string& inner) {
                return ReadOutput(output, inner, request.add_outputs());
              });
        }}});
  if (!status.ok()) return status;
  return request;
}

std::string InferResponseJson(const ModelInferResponse& response) {
  Json json = {{"model_name", response.model_name()},
               {"model_version", response.model_version()}};
  if (!response.id().empty()) json["id"] = response.id();
  for (const auto& [key, parameter] : response.parameters())
    json["parameters"][key] = ParameterJson(parameter);
  json["outputs"] = Json::array();
  for (int i = 0; i < response.outputs_size(); ++i) {
    const auto& output = response.outputs(i);
    Json shape = Json::array();
    for (const std::int64_t length : output.shape()) shape.push_back(length);
    Json one = {{"name", output.name()},
                {"datatype", output.datatype()},
                {"shape", std::move(shape)}};
    for (const auto& [key, parameter] : output.parameters())
      one["parameters"][key] = ParameterJson(parameter);
    if (!output.parameters().contains(kBinaryDataSize))
      one["data"] =
          OutputElements(output.datatype(), response.raw_output_contents(i));
    json["outputs"].push_back(std::move(one));
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace poe::server
