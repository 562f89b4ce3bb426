#include "server/server_options.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/errors.h"
#include "server/listen_address.h"
#include "server/version_policy.h"

namespace poe::server {
namespace {

constexpr std::int64_t kLeastMessageBytes = 64 << 10;
constexpr int kMillisecondsPerSecond = 1000;

absl::Status CheckOption(absl::string_view name, std::int64_t value,
                         std::int64_t least) {
  if (value >= least) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " is ", value, "; must be at least ", least));
}

absl::Status CheckNumbers(const ServerOptions& options) {
  absl::Status status;
  status.Update(CheckOption("threads", options.threads, 0));
  status.Update(CheckOption("training_threads", options.training_threads, 0));
  status.Update(CheckOption("keep_versions", options.keep_versions, 0));
  status.Update(CheckOption("max_rows", options.limits.rows, 1));
  status.Update(CheckOption("max_steps", options.limits.steps, 1));
  status.Update(CheckOption("max_work", options.limits.work, 1));
  status.Update(CheckOption("max_training_rows", options.spool.rows, 1));
  status.Update(CheckOption("max_training_bytes", options.spool.bytes, 1));
  status.Update(CheckOption("max_experts", options.max_experts, 1));
  status.Update(CheckOption("max_message_bytes", options.max_message_bytes,
                            kLeastMessageBytes));
  if (status.ok() &&
      options.max_message_bytes > std::numeric_limits<int>::max()) {
    status = absl::InvalidArgumentError("max_message_bytes must be below 2^31");
  }
  status.Update(CheckOption("batch_rows", options.batch_rows, 1));
  status.Update(CheckOption("queue_calls", options.queue_calls, 1));
  if (status.ok() && options.batch_delay < absl::ZeroDuration()) {
    status = absl::InvalidArgumentError(absl::StrCat(
        "batch_delay_ms is ", absl::ToDoubleMilliseconds(options.batch_delay),
        "; must not be negative"));
  }
  if (status.ok() && options.max_bytes_in_flight < options.max_message_bytes) {
    status = absl::InvalidArgumentError(absl::StrCat(
        "max_bytes_in_flight is ", options.max_bytes_in_flight,
        "; must be at least max_message_bytes, ", options.max_message_bytes));
  }
  status.Update(
      CheckOption("max_concurrent_streams", options.max_concurrent_streams, 1));
  status.Update(
      CheckOption("connections_per_client", options.connections_per_client, 1));
  status.Update(CheckOption("max_connections", options.max_connections, 1));
  status.Update(CheckOption("http_connections_per_client",
                            options.http_connections_per_client, 1));
  status.Update(CheckOption("max_connection_age_seconds",
                            options.max_connection_age_seconds, 0));
  constexpr int kMostSeconds =
      std::numeric_limits<int>::max() / kMillisecondsPerSecond;
  status.Update(CheckOption("log_sample", options.request_log.sample, 0));
  if (status.ok() && options.max_connection_age_seconds > kMostSeconds) {
    status = absl::InvalidArgumentError(absl::StrCat(
        "max_connection_age_seconds is ", options.max_connection_age_seconds,
        "; must be at most ", kMostSeconds));
  }
  return status;
}

}  // namespace

absl::Status CheckOptions(const ServerOptions& options) {
  absl::Status status = CheckNumbers(options);
  status.Update(ParseListenAddress(options.listen).status());
  if (!options.http.empty()) {
    status.Update(
        WithPrefix("http", ParseListenAddress(options.http).status()));
  }
  status.Update(WithPrefix(
      "version_policy", ParseVersionPolicies(options.version_policy).status()));
  if (UsesTls(options.tls)) status.Update(CheckNamed(options.tls));
  return status;
}

}  // namespace poe::server
