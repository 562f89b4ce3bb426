#include "server/codec/open_inference_scalars.h"

#include <cmath>
#include <limits>

#include "nlohmann/json.hpp"

namespace poe::server {
namespace {

using Json = nlohmann::ordered_json;
using inference::InferParameter;
using inference::InferTensorContents;

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

}  // namespace

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

bool SetParameter(const Json& value, InferParameter* parameter) {
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
    return false;
  }
  return true;
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

}  // namespace poe::server
