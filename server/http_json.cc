#include "server/http_json.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/util/json_util.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "nlohmann/json.hpp"
#include "server/errors.h"

namespace poe::server {
namespace {

using Json = nlohmann::ordered_json;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kInternalServerError = 500;
constexpr std::ptrdiff_t kMostMembers = 1 << 16;
constexpr std::size_t kMostRepositoryBytes = 64 << 10;
constexpr int kMostRetrySeconds = 3600;

// Text that is no UTF-8 gets replacement characters.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json PlainMessage(const Message& message);

// `index` is -1 for a field that is not repeated.
Json PlainValue(const Message& message, const FieldDescriptor& field,
                int index) {
  const Reflection& get = *message.GetReflection();
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return one ? get.GetInt32(message, &field)
                 : get.GetRepeatedInt32(message, &field, index);
    case FieldDescriptor::CPPTYPE_INT64:
      return one ? get.GetInt64(message, &field)
                 : get.GetRepeatedInt64(message, &field, index);
    case FieldDescriptor::CPPTYPE_UINT32:
      return one ? get.GetUInt32(message, &field)
                 : get.GetRepeatedUInt32(message, &field, index);
    case FieldDescriptor::CPPTYPE_UINT64:
      return one ? get.GetUInt64(message, &field)
                 : get.GetRepeatedUInt64(message, &field, index);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return one ? get.GetDouble(message, &field)
                 : get.GetRepeatedDouble(message, &field, index);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return one ? get.GetFloat(message, &field)
                 : get.GetRepeatedFloat(message, &field, index);
    case FieldDescriptor::CPPTYPE_BOOL:
      return one ? get.GetBool(message, &field)
                 : get.GetRepeatedBool(message, &field, index);
    case FieldDescriptor::CPPTYPE_ENUM:
      return (one ? get.GetEnum(message, &field)
                  : get.GetRepeatedEnum(message, &field, index))
          ->name();
    case FieldDescriptor::CPPTYPE_STRING:
      return one ? get.GetString(message, &field)
                 : get.GetRepeatedString(message, &field, index);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return PlainMessage(one ? get.GetMessage(message, &field)
                              : get.GetRepeatedMessage(message, &field, index));
  }
  return nullptr;
}

Json PlainField(const Message& message, const FieldDescriptor& field) {
  if (!field.is_repeated()) return PlainValue(message, field, -1);
  Json values = Json::array();
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i)
    values.push_back(PlainValue(message, field, i));
  return values;
}

Json PlainMessage(const Message& message) {
  Json json = Json::object();
  const auto& descriptor = *message.GetDescriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor& field = *descriptor.field(i);
    if (field.type() == FieldDescriptor::TYPE_BYTES) continue;
    if (field.has_presence() &&
        !message.GetReflection()->HasField(message, &field)) {
      continue;
    }
    json[field.name()] = PlainField(message, field);
  }
  return json;
}

absl::Status NotOfType(absl::string_view path, absl::string_view text,
                       absl::string_view wanted) {
  return FieldError(path, "INVALID_VALUE",
                    absl::StrCat("is ", Quoted(text), "; must be ", wanted));
}

// The field of a ModelRepositoryParameter that holds such a value; null if none
// does.
const char* ParameterTypeOf(const Json& value) {
  if (value.is_boolean()) return "bool_param";
  if (value.is_number_integer()) return "int64_param";
  if (value.is_string()) return "string_param";
  return nullptr;
}

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) details.Clear();
  return details;
}

}  // namespace

absl::Status ReadJson(absl::string_view text, Message& message) {
  if (absl::StripAsciiWhitespace(text).empty()) return absl::OkStatus();
  // Each takes three bytes of text at least, and of a message some hundred.
  const std::ptrdiff_t members = std::count_if(
      text.begin(), text.end(), [](char c) { return c == '{' || c == ':'; });
  if (members > kMostMembers) {
    return Error(absl::StatusCode::kInvalidArgument, "TOO_MANY_MEMBERS",
                 absl::StrCat("this JSON has ", members,
                              " objects and members of objects; at most ",
                              kMostMembers, " are read at once"));
  }
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(text.data(), text.size()), &message);
  if (status.ok()) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "MALFORMED_JSON",
               absl::StrCat("this is not ", message.GetTypeName(),
                            " in JSON: ", std::string(status.message())));
}

absl::Status ReadRepositoryJson(absl::string_view text, Message& message) {
  if (absl::StripAsciiWhitespace(text).empty()) return absl::OkStatus();
  if (text.size() > kMostRepositoryBytes) {
    return Error(absl::StatusCode::kInvalidArgument, "BODY_TOO_LARGE",
                 absl::StrCat("the body has ", text.size(),
                              " bytes; a request about the repository has at "
                              "most ",
                              kMostRepositoryBytes));
  }
  Json request = Json::parse(text.begin(), text.end(), nullptr,
                             /*allow_exceptions=*/false);
  if (request.is_discarded()) {
    return Error(absl::StatusCode::kInvalidArgument, "MALFORMED_JSON",
                 "this is no JSON");
  }
  const auto parameters = request.find("parameters");
  if (parameters != request.end() && parameters->is_object()) {
    for (Json& value : *parameters) {
      const char* const type = ParameterTypeOf(value);
      if (type == nullptr) {
        return FieldError("parameters", "INVALID_VALUE",
                          "has a value that is no text, whole number, true or "
                          "false");
      }
      Json typed = Json::object();
      typed[type] = std::move(value);
      value = std::move(typed);
    }
  }
  return ReadJson(Dump(request), message);
}

std::string ToJson(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &json, options);
  // Only a google.protobuf.Any of an unknown type has no JSON; there is none.
  return status.ok() ? json : "{}";
}

std::string ToPlainJson(const Message& message, absl::string_view field) {
  if (field.empty()) return Dump(PlainMessage(message));
  return Dump(PlainField(
      message, *message.GetDescriptor()->FindFieldByName(std::string(field))));
}

absl::Status SetFromText(absl::string_view path, absl::string_view text,
                         Message& message) {
  Message* owner = &message;
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (std::size_t i = 0; i + 1 < names.size(); ++i) {
    owner = owner->GetReflection()->MutableMessage(
        owner, owner->GetDescriptor()->FindFieldByName(names[i]));
  }
  const FieldDescriptor* field =
      owner->GetDescriptor()->FindFieldByName(names.back());
  const Reflection& set = *owner->GetReflection();
  if (set.HasField(*owner, field)) {
    return FieldError(path, "CONFLICT",
                      "is given twice, in the URL or there and in the body");
  }
  constexpr absl::string_view kWholeNumber = "a whole number";
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      std::int32_t number = 0;
      if (!absl::SimpleAtoi(text, &number))
        return NotOfType(path, text, kWholeNumber);
      set.SetInt32(owner, field, number);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      std::int64_t number = 0;
      if (!absl::SimpleAtoi(text, &number))
        return NotOfType(path, text, kWholeNumber);
      set.SetInt64(owner, field, number);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text != "true" && text != "false")
        return NotOfType(path, text, "true or false");
      set.SetBool(owner, field, text == "true");
      return absl::OkStatus();
    default:
      set.SetString(owner, field, std::string(text));
      return absl::OkStatus();
  }
}

int HttpStatusOf(grpc::StatusCode code) {
  switch (code) {
    case grpc::OK:
      return 200;
    case grpc::INVALID_ARGUMENT:
    case grpc::FAILED_PRECONDITION:
    case grpc::OUT_OF_RANGE:
      return 400;
    case grpc::UNAUTHENTICATED:
      return 401;
    case grpc::PERMISSION_DENIED:
      return 403;
    case grpc::NOT_FOUND:
      return 404;
    case grpc::ABORTED:
    case grpc::ALREADY_EXISTS:
      return 409;
    case grpc::RESOURCE_EXHAUSTED:
      return 429;
    case grpc::CANCELLED:
      return 499;
    case grpc::UNIMPLEMENTED:
      return 501;
    case grpc::UNAVAILABLE:
      return 503;
    case grpc::DEADLINE_EXCEEDED:
      return 504;
    default:
      return kInternalServerError;
  }
}

std::string ErrorJson(const grpc::Status& status, int http_status) {
  const std::string code = absl::StatusCodeToString(
      static_cast<absl::StatusCode>(status.error_code()));
  Json error = {{"code", http_status},
                {"status", code},
                {"message", status.error_message()},
                {"reason", code},
                {"metadata", Json::object()},
                {"field_violations", Json::array()}};
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad;
  const google::rpc::Status details = DetailsOf(status);
  for (const auto& detail : details.details()) {
    if (detail.UnpackTo(&info)) {
      error["reason"] = info.reason();
      for (const auto& [key, value] : info.metadata())
        error["metadata"][key] = value;
    } else if (detail.UnpackTo(&bad)) {
      for (const auto& violation : bad.field_violations()) {
        error["field_violations"].push_back(
            {{"field", violation.field()},
             {"description", violation.description()}});
      }
    }
  }
  Json body = Json::object();
  body["error"] = std::move(error);
  return Dump(body);
}

std::string PlainErrorJson(const grpc::Status& status) {
  Json body = Json::object();
  body["error"] = status.error_message();
  return Dump(body);
}

std::optional<int> RetrySeconds(const grpc::Status& status) {
  google::rpc::RetryInfo retry;
  const google::rpc::Status details = DetailsOf(status);
  for (const auto& detail : details.details()) {
    if (!detail.UnpackTo(&retry)) continue;
    const auto& delay = retry.retry_delay();
    return static_cast<int>(std::clamp<std::int64_t>(
        delay.seconds() + (delay.nanos() > 0 ? 1 : 0), 0, kMostRetrySeconds));
  }
  return std::nullopt;
}

}  // namespace poe::server
