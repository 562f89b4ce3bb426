#include "server/errors.h"

#include <cstdint>
#include <exception>
#include <new>
#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/protobuf/any.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace poe::server {
namespace {

constexpr absl::string_view kTypePrefix = "type.googleapis.com/";
// gRPC allows 8 KiB of trailers; the text is in them twice, once of them in
// base64, and a field's description a third time.
constexpr std::size_t kLongestMessage = 1000;
constexpr std::size_t kLongestDetail = 200;
constexpr std::size_t kLongestQuote = 80;

// At most `bytes` of UTF-8, cut between characters.
std::string Shortened(absl::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  std::size_t end = bytes - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return absl::StrCat(text.substr(0, end), "...");
}

template <typename Detail>
std::string TypeUrl() {
  return absl::StrCat(kTypePrefix, Detail::descriptor()->full_name());
}

template <typename Detail>
void SetDetail(const Detail& detail, absl::Status& status) {
  status.SetPayload(TypeUrl<Detail>(), absl::Cord(detail.SerializeAsString()));
}

template <typename Detail>
std::optional<Detail> GetDetail(const absl::Status& status) {
  const auto payload = status.GetPayload(TypeUrl<Detail>());
  Detail detail;
  if (!payload.has_value() || !detail.ParseFromString(std::string(*payload)))
    return std::nullopt;
  return detail;
}

google::rpc::ErrorInfo InfoOf(const absl::Status& status) {
  auto info = GetDetail<google::rpc::ErrorInfo>(status);
  if (info.has_value()) return *std::move(info);
  google::rpc::ErrorInfo derived;
  derived.set_reason(absl::StatusCodeToString(status.code()));
  derived.set_domain(std::string(kErrorDomain));
  return derived;
}

void AddViolation(absl::string_view field, absl::string_view description,
                  absl::Status& status) {
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field(Shortened(field, kLongestDetail));
  violation->set_description(Shortened(description, kLongestMessage));
  SetDetail(bad, status);
}

// The path that a text begins with, or nothing: a word such as "box_margin" or
// "products[0].groups[1]" but not "the".
absl::string_view LeadingPath(absl::string_view text) {
  const absl::string_view word = text.substr(0, text.find_first_of(" :"));
  const bool path =
      word.find_first_of("_.[") != absl::string_view::npos &&
      word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.[]") ==
          absl::string_view::npos;
  return path ? word : absl::string_view();
}

}  // namespace

absl::Status Error(absl::StatusCode code, absl::string_view reason,
                   absl::string_view message, const ErrorMetadata& metadata) {
  absl::Status status(code, Shortened(message, kLongestMessage));
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(std::string(kErrorDomain));
  for (const auto& [key, value] : metadata)
    (*info.mutable_metadata())[key] = Shortened(value, kLongestDetail);
  SetDetail(info, status);
  return status;
}

absl::Status FieldError(absl::string_view field, absl::string_view reason,
                        absl::string_view description,
                        const ErrorMetadata& metadata) {
  absl::Status status = Error(absl::StatusCode::kInvalidArgument, reason,
                              absl::StrCat(field, " ", description), metadata);
  AddViolation(field, description, status);
  return status;
}

absl::Status AsFieldError(absl::string_view prefix, absl::string_view reason,
                          const absl::Status& status) {
  if (status.code() != absl::StatusCode::kInvalidArgument)
    return WithPrefix(prefix, status);
  const absl::string_view path = LeadingPath(status.message());
  const absl::string_view joint =
      prefix.empty() ? "" : (path.empty() ? ": " : ".");
  absl::Status named = Error(status.code(), reason,
                             absl::StrCat(prefix, joint, status.message()));
  absl::string_view description = status.message();
  description.remove_prefix(path.size());
  while (absl::ConsumePrefix(&description, ":") ||
         absl::ConsumePrefix(&description, " ")) {
  }
  const std::string field =
      path.empty() ? std::string(prefix) : absl::StrCat(prefix, joint, path);
  if (!field.empty()) AddViolation(field, description, named);
  return named;
}

absl::Status WithRetryDelay(absl::Status status, absl::Duration delay) {
  google::rpc::RetryInfo retry;
  const std::int64_t seconds =
      absl::IDivDuration(delay, absl::Seconds(1), &delay);
  retry.mutable_retry_delay()->set_seconds(seconds);
  retry.mutable_retry_delay()->set_nanos(
      static_cast<std::int32_t>(absl::ToInt64Nanoseconds(delay)));
  SetDetail(retry, status);
  return status;
}

absl::Status WithPrefix(absl::string_view prefix, const absl::Status& status) {
  if (status.ok() || prefix.empty()) return status;
  absl::Status prefixed(status.code(),
                        absl::StrCat(prefix, ": ", status.message()));
  status.ForEachPayload(
      [&prefixed](absl::string_view url, const absl::Cord& payload) {
        prefixed.SetPayload(url, payload);
      });
  return prefixed;
}

absl::Status CatchExceptions(absl::FunctionRef<absl::Status()> body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Error(absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY",
                 "the server has not enough memory for this request; ask for "
                 "fewer rows or chains at once");
  } catch (const std::exception& exception) {
    return Error(absl::StatusCode::kInternal, "UNEXPECTED",
                 absl::StrCat("unexpected error: ", exception.what()));
  }
}

std::string ReasonOf(const absl::Status& status) {
  return InfoOf(status).reason();
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat(
      "\"", absl::Utf8SafeCHexEscape(Shortened(text, kLongestQuote)), "\"");
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(Shortened(status.message(), kLongestMessage));
  details.add_details()->PackFrom(InfoOf(status));
  if (auto bad = GetDetail<google::rpc::BadRequest>(status))
    details.add_details()->PackFrom(*bad);
  if (auto retry = GetDetail<google::rpc::RetryInfo>(status))
    details.add_details()->PackFrom(*retry);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      details.message(), details.SerializeAsString());
}

}  // namespace poe::server
