#ifndef POE_CLIENT_CPP_COMMAND_FORMAT_H_
#define POE_CLIENT_CPP_COMMAND_FORMAT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/timestamp.pb.h"

namespace poe::client {

// 60000 as "60,000".
std::string FormatCount(int64_t count);

// 1 as "1 row", 2 as "2 rows".
std::string FormatCount(int64_t count, absl::string_view noun);

// "973 B", "1.2 MB" (powers of 1000).
std::string FormatBytes(int64_t bytes);

// "0:07", "12:34", "1:02:03".
std::string FormatClock(double seconds);

// With 4 significant digits; "-" for NaN, "-inf" and "inf" for infinities.
std::string FormatNumber(double value);

// `part` of `whole` as "15.3%"; "-" of nothing.
std::string FormatShare(int64_t part, int64_t whole);

// "2026-01-31 14:05:00" in the local time zone; "-" for the time 0.
std::string FormatTime(const google::protobuf::Timestamp& time);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_FORMAT_H_
