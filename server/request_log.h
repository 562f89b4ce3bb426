// A line in the log for calls.
#ifndef POE_SERVER_REQUEST_LOG_H_
#define POE_SERVER_REQUEST_LOG_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "server/access.h"
#include "server/request_observer.h"

namespace spdlog {
class logger;
}  // namespace spdlog

namespace poe::server {

struct RequestLogOptions {
  // The lines are JSON objects, which JsonFormatter must format. Else text.
  bool json = false;
  // One in so many calls that succeed is logged at level info, and all that
  // fail are. 0: only those that fail by the server's fault.
  int sample = 0;
};

// Logs to spdlog's default logger, as it is when the object is made. Calls that
// fail by the server's fault are errors, those not chosen by the options are
// logged at level debug. Nothing of what calls bring or get is logged, beyond
// the name of the model and that of the token; the text of an error only where
// the server is at fault. Thread-safe.
class RequestLog final : public RequestObserver {
 public:
  // `access` knows the names of tokens; null if calls need none.
  RequestLog(const RequestLogOptions& options, std::shared_ptr<Access> access);

  void OnFinish(const RequestReport& report) override;

 private:
  // Whether the options choose a call, which did not fail by the server's
  // fault.
  bool IsChosen(const absl::Status& status);

  const RequestLogOptions options_;
  const std::shared_ptr<Access> access_;
  const std::shared_ptr<spdlog::logger> logger_;
  std::atomic<std::int64_t> successes_ = 0;
};

}  // namespace poe::server

#endif  // POE_SERVER_REQUEST_LOG_H_
