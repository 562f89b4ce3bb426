#include "server/http_message.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/errors.h"
#include "server/http_json.h"

namespace poe::server {
namespace {

using google::protobuf::Message;

}  // namespace

// "/poe.v1.ModelRegistry/GetModel" is poe.v1.ModelRegistry.GetModel.
const google::protobuf::MethodDescriptor* MethodOf(const Route& route) {
  return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(
      absl::StrReplaceAll(absl::StripPrefix(route.rpc, "/"), {{"/", "."}}));
}

std::unique_ptr<Message> NewMessage(
    const google::protobuf::Descriptor* descriptor) {
  return std::unique_ptr<Message>(
      google::protobuf::MessageFactory::generated_factory()
          ->GetPrototype(descriptor)
          ->New());
}

bool IsPrintable(absl::string_view text) {
  for (const char c : text) {
    if (c < ' ' || c > '~') return false;
  }
  return true;
}

absl::Status SetFields(const RouteMatch& match,
                       const std::multimap<std::string, std::string>& query,
                       Message& message) {
  const std::vector<std::string> allowed =
      absl::StrSplit(match.route->query, ',', absl::SkipEmpty());
  for (const auto& [key, value] : query) {
    if (std::find(allowed.begin(), allowed.end(), key) == allowed.end()) {
      return FieldError(
          "query", "UNKNOWN_PARAMETER",
          absl::StrCat(
              "has ", Quoted(key), "; here it may have ",
              allowed.empty() ? "nothing" : absl::StrJoin(allowed, ", ")));
    }
    if (!IsPrintable(value)) {
      return FieldError(key, "INVALID_VALUE",
                        "has a character that is not ASCII");
    }
    absl::Status status = SetFromText(key, value, message);
    if (!status.ok()) return status;
  }
  for (const auto& [path, value] : match.values) {
    std::int64_t number = 0;
    // Messages say by 0 that they mean all versions, or the newest.
    if (absl::EndsWith(path, "version") && absl::SimpleAtoi(value, &number) &&
        number < 1) {
      return FieldError(path, "OUT_OF_RANGE",
                        absl::StrCat("is ", number, "; must be at least 1"));
    }
    absl::Status status = SetFromText(path, value, message);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace poe::server
