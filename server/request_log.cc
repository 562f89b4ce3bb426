#include "server/request_log.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "server/errors.h"
#include "server/json_formatter.h"
#include "server/request_identity.h"
#include "spdlog/fmt/fmt.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

using Json = nlohmann::ordered_json;

// A name that a client has made up can be as long as a message.
constexpr std::size_t kMostNameBytes = 128;

// Whether the server, rather than the request, is at fault.
bool IsServersFault(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal ||
         code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss;
}

std::string TextLine(const RequestReport& report, absl::string_view token,
                     bool with_error) {
  std::string line = fmt::format(
      "{} model={} version={} rows={} code={} ms={:.3f} request_id={}",
      std::string(report.method),
      absl::Utf8SafeCHexEscape(report.model.substr(0, kMostNameBytes)),
      report.version, report.rows,
      absl::StatusCodeToString(report.status.code()),
      absl::ToDoubleMilliseconds(report.total), std::string(report.request_id));
  const absl::string_view trace = TraceIdOf(report.context.client_metadata());
  if (!trace.empty()) absl::StrAppend(&line, " trace_id=", trace);
  if (!token.empty()) absl::StrAppend(&line, " token=", token);
  if (with_error) absl::StrAppend(&line, " ", report.status.message());
  return line;
}

std::string JsonLine(const RequestReport& report, absl::string_view token,
                     bool with_error) {
  Json line = {{"message", "request"},
               {"request_id", std::string(report.request_id)}};
  const absl::string_view trace = TraceIdOf(report.context.client_metadata());
  if (!trace.empty()) line["trace_id"] = std::string(trace);
  if (!token.empty()) line["token"] = std::string(token);
  line["method"] = std::string(report.method);
  line["model"] = std::string(report.model.substr(0, kMostNameBytes));
  line["version"] = report.version;
  line["code"] = absl::StatusCodeToString(report.status.code());
  if (!report.status.ok()) line["reason"] = ReasonOf(report.status);
  if (with_error) line["error"] = std::string(report.status.message());
  line["rows"] = report.rows;
  line["total_seconds"] = absl::ToDoubleSeconds(report.total);
  line["queue_seconds"] = absl::ToDoubleSeconds(report.queue);
  line["compute_seconds"] = absl::ToDoubleSeconds(report.compute);
  line["peer"] = report.context.peer();
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

RequestLog::RequestLog(const RequestLogOptions& options,
                       std::shared_ptr<Access> access)
    : options_(options),
      access_(std::move(access)),
      logger_(options.json ? spdlog::default_logger()->clone(kRequestLogger)
                           : spdlog::default_logger()) {
  // A copy would stay at the level that there is now; OnFinish asks for the one
  // that there is then.
  if (options_.json) logger_->set_level(spdlog::level::trace);
}

bool RequestLog::IsChosen(const absl::Status& status) {
  if (options_.sample == 0) return false;
  return !status.ok() || successes_++ % options_.sample == 0;
}

void RequestLog::OnFinish(const RequestReport& report) {
  const bool with_error = IsServersFault(report.status.code());
  const auto level = with_error                ? spdlog::level::err
                     : IsChosen(report.status) ? spdlog::level::info
                                               : spdlog::level::debug;
  if (!spdlog::should_log(level)) return;
  const std::string token = access_ == nullptr
                                ? ""
                                : access_->TokenName(AuthorizationIn(
                                      report.context.client_metadata()));
  const std::string line = options_.json ? JsonLine(report, token, with_error)
                                         : TextLine(report, token, with_error);
  logger_->log(spdlog::source_loc{}, level, spdlog::string_view_t(line));
}

}  // namespace poe::server
