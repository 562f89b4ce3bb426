#include "server/http_exchange.h"

#include <cstddef>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/errors.h"
#include "server/http_connection.h"
#include "server/http_json.h"
#include "server/http_listener.h"
#include "server/http_message.h"

namespace poe::server {
namespace {

using httplib::ContentReader;
using httplib::Request;
using httplib::Response;

constexpr std::size_t kLongestPath = 2048;

// Reasons whose HTTP status is not that of their code.
constexpr absl::string_view kTooLarge = "BODY_TOO_LARGE";
constexpr absl::string_view kWrongMethod = "METHOD_NOT_ALLOWED";
constexpr absl::string_view kWrongContentType = "WRONG_CONTENT_TYPE";
constexpr absl::string_view kLongPath = "URL_TOO_LONG";

int HttpStatusFor(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  if (reason == kTooLarge) return 413;
  if (reason == kWrongMethod) return 405;
  if (reason == kWrongContentType) return 415;
  if (reason == kLongPath) return 414;
  return HttpStatusOf(static_cast<grpc::StatusCode>(status.code()));
}

absl::Status Refusal(absl::string_view reason, absl::string_view text) {
  return Error(absl::StatusCode::kInvalidArgument, reason, text);
}

}  // namespace

absl::Status WrongMethod(absl::string_view text) {
  return Refusal(kWrongMethod, text);
}

absl::Status TooLarge(absl::string_view what, std::int64_t most) {
  return Error(absl::StatusCode::kResourceExhausted, kTooLarge,
               absl::StrCat(what, " has more than ", most,
                            " bytes; send less at once (--max_message_bytes)"));
}

void Fail(const grpc::Status& status, int http_status, const Request& request,
          Response& response) {
  const bool plain =
      request.path == "/v2" || absl::StartsWith(request.path, "/v2/");
  response.status = http_status;
  response.set_content(
      plain ? PlainErrorJson(status) : ErrorJson(status, http_status),
      kJsonType);
  if (http_status == 401) response.set_header("WWW-Authenticate", "Bearer");
  const std::optional<int> seconds = RetrySeconds(status);
  if (seconds.has_value())
    response.set_header("Retry-After", absl::StrCat(*seconds));
}

void Fail(const grpc::Status& status, const Request& request,
          Response& response) {
  Fail(status, HttpStatusOf(status.error_code()), request, response);
}

void Fail(const absl::Status& status, const Request& request,
          Response& response) {
  Fail(ToGrpcStatus(status), HttpStatusFor(status), request, response);
}

absl::Status CheckForm(const Request& request) {
  // Only web pages have one. Any page that a user of this machine looks at
  // could otherwise ask for what needs no body.
  if (request.has_header("Origin")) {
    return Error(absl::StatusCode::kPermissionDenied, "FROM_WEB_PAGE",
                 "requests of web pages, which have a header Origin, are not "
                 "answered");
  }
  if (request.path.size() > kLongestPath) {
    return Refusal(kLongPath, absl::StrCat("the path has more than ",
                                           kLongestPath, " characters"));
  }
  if (!IsPrintable(request.path)) {
    return Refusal("BAD_URL", "the path has a character that is not ASCII");
  }
  // Where the body ends must be certain, or what is left of it could be taken
  // for another request.
  const std::size_t lengths = request.get_header_value_count("Content-Length");
  const std::size_t encodings =
      request.get_header_value_count("Transfer-Encoding");
  std::uint64_t length = 0;
  if (lengths + encodings > 1 ||
      (encodings == 1 &&
       !absl::EqualsIgnoreCase(request.get_header_value("Transfer-Encoding"),
                               "chunked")) ||
      (lengths == 1 &&
       !absl::SimpleAtoi(request.get_header_value("Content-Length"),
                         &length))) {
    return Refusal("BAD_HEADERS",
                   "the body must have either one Content-Length or "
                   "\"Transfer-Encoding: chunked\"");
  }
  return absl::OkStatus();
}

std::optional<std::string> AuthorizationIn(const Request& request) {
  switch (request.get_header_value_count("Authorization")) {
    case 0:
      return std::nullopt;
    case 1:
      return request.get_header_value("Authorization");
    default:
      return "";
  }
}

absl::Status CheckContentType(const Request& request,
                              absl::Span<const absl::string_view> allowed) {
  const std::string type = request.get_header_value("Content-Type");
  const absl::string_view essence = absl::StripAsciiWhitespace(
      absl::string_view(type).substr(0, type.find(';')));
  for (const absl::string_view one : allowed) {
    if (absl::EqualsIgnoreCase(essence, one)) return absl::OkStatus();
  }
  const std::string taken = absl::StrJoin(
      allowed, " or ", [](std::string* text, absl::string_view one) {
        absl::StrAppend(text, one.empty() ? "none" : one);
      });
  return Refusal(kWrongContentType,
                 absl::StrCat("the Content-Type of the body must be ", taken,
                              "; it is ", Quoted(type)));
}

absl::Status ReadPieces(const ContentReader& content,
                        const httplib::ContentReceiver& take) {
  HttpConnection& connection = HttpListener::Connection();
  bool taken = true;
  const bool complete = content([&](const char* data, std::size_t size) {
    taken = take(data, size);
    return taken;
  });
  if (complete) connection.set_body_unread(false);
  if (complete || !taken) return absl::OkStatus();
  return Refusal("BAD_BODY",
                 "the body ended early, came too slowly, or is not encoded as "
                 "its headers say");
}

absl::StatusOr<HttpBody> ReadBody(const Request& request,
                                  const ContentReader& content,
                                  absl::Span<const absl::string_view> types,
                                  std::int64_t most, ByteBudget& budget) {
  HttpBody body;
  if (!HttpListener::Connection().body_unread()) return body;
  absl::Status status = CheckContentType(request, types);
  if (!status.ok()) return status;
  const auto limit = static_cast<std::size_t>(most);
  std::uint64_t length = 0;
  bool too_large =
      absl::SimpleAtoi(request.get_header_value("Content-Length"), &length) &&
      length > limit;
  absl::Status counted;
  if (!too_large) {
    status = ReadPieces(content, [&](const char* data, std::size_t size) {
      too_large = size > limit - body.text.size();
      if (too_large) return false;
      counted = budget.Resize(
          static_cast<std::int64_t>(body.text.size() + size), body.hold);
      if (!counted.ok()) return false;
      body.text.append(data, size);
      return true;
    });
  }
  if (too_large) return TooLarge("the body", most);
  status.Update(counted);
  if (!status.ok()) return status;
  return body;
}

absl::StatusOr<std::size_t> JsonLengthIn(const Request& request,
                                         absl::string_view body) {
  const std::size_t count = request.get_header_value_count(kJsonLength);
  if (count == 0) return body.size();
  const std::string value = request.get_header_value(kJsonLength);
  std::size_t length = 0;
  if (count == 1 && absl::SimpleAtoi(value, &length) && length <= body.size())
    return length;
  return FieldError(kJsonLength, "INVALID_VALUE",
                    absl::StrCat("is ", Quoted(value),
                                 "; must be given once, and be at most the ",
                                 body.size(), " bytes of the body"));
}

}  // namespace poe::server
