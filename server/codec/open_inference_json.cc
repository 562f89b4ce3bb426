#include "server/codec/open_inference_json.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "nlohmann/json.hpp"
#include "server/codec/open_inference_binary.h"

namespace poe::server {
namespace {

using Json = nlohmann::ordered_json;
using inference::InferParameter;
using inference::ModelInferResponse;

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
