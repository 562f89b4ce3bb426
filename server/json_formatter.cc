#include "server/json_formatter.h"

#include <string>

#include "absl/time/time.h"
#include "nlohmann/json.hpp"

namespace poe::server {
namespace {

using Json = nlohmann::ordered_json;

std::string ToString(spdlog::string_view_t text) {
  return {text.data(), text.size()};
}

}  // namespace

void JsonFormatter::format(const spdlog::details::log_msg& message,
                           spdlog::memory_buf_t& line) {
  Json object = {
      {"time",
       absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromChrono(message.time),
                        absl::UTCTimeZone())},
      {"level", ToString(spdlog::level::to_string_view(message.level))}};
  const std::string text = ToString(message.payload);
  if (ToString(message.logger_name) == kRequestLogger) {
    object.update(Json::parse(text));
  } else {
    object["message"] = text;
  }
  const std::string dumped =
      object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  line.append(dumped.data(), dumped.data() + dumped.size());
}

std::unique_ptr<spdlog::formatter> JsonFormatter::clone() const {
  return std::make_unique<JsonFormatter>();
}

}  // namespace poe::server
