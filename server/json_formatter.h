// The log as JSON, for machines.
#ifndef POE_SERVER_JSON_FORMATTER_H_
#define POE_SERVER_JSON_FORMATTER_H_

#include <memory>

#include "spdlog/formatter.h"

namespace poe::server {

// The name of the logger whose messages are JSON objects already.
inline constexpr char kRequestLogger[] = "requests";

// One object a line: time (RFC 3339, UTC), level, and message, or in its place
// the members of the object that kRequestLogger logs. Bytes that are no UTF-8
// are replaced.
class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message,
              spdlog::memory_buf_t& line) override;
  std::unique_ptr<spdlog::formatter> clone() const override;
};

}  // namespace poe::server

#endif  // POE_SERVER_JSON_FORMATTER_H_
