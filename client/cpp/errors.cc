#include "client/cpp/errors.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace poe::client {
namespace {

constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";

void AppendViolations(const google::rpc::BadRequest& request,
                      std::string& message) {
  for (const auto& violation : request.field_violations()) {
    if (absl::StrContains(message, violation.description())) continue;
    absl::StrAppend(&message, message.empty() ? "" : "; ", violation.field(),
                    violation.field().empty() ? "" : ": ",
                    violation.description());
  }
}

}  // namespace

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  std::string message = status.error_message();
  google::rpc::ErrorInfo info;
  google::rpc::Status details;
  if (details.ParseFromString(status.error_details())) {
    google::rpc::BadRequest bad_request;
    for (const auto& detail : details.details()) {
      if (detail.Is<google::rpc::ErrorInfo>()) {
        detail.UnpackTo(&info);
      } else if (detail.UnpackTo(&bad_request)) {
        AppendViolations(bad_request, message);
      }
    }
  }
  if (!info.reason().empty() && !absl::StrContains(message, info.reason())) {
    absl::StrAppend(&message, message.empty() ? "" : " ", "[", info.reason(),
                    "]");
  }
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()),
                      message);
  if (!info.reason().empty()) {
    result.SetPayload(kErrorInfoUrl, absl::Cord(info.SerializeAsString()));
  }
  return result;
}

std::string ErrorReason(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorInfoUrl);
  google::rpc::ErrorInfo info;
  if (!payload || !info.ParseFromString(std::string{*payload})) return "";
  return info.reason();
}

}  // namespace poe::client
