#include "client/cpp/command/format.h"

#include <cmath>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

namespace poe::client {

std::string FormatCount(int64_t count) {
  std::string digits = absl::StrCat(count);
  const int first = count < 0 ? 1 : 0;
  for (int i = static_cast<int>(digits.size()) - 3; i > first; i -= 3) {
    digits.insert(i, 1, ',');
  }
  return digits;
}

std::string FormatCount(int64_t count, absl::string_view noun) {
  absl::string_view plural = "s";
  if (count == 1) {
    plural = "";
  } else if (noun.size() > 1 && noun.substr(noun.size() - 2) == "ss") {
    plural = "es";
  }
  return absl::StrCat(FormatCount(count), " ", noun, plural);
}

std::string FormatBytes(int64_t bytes) {
  if (bytes < 1000) return absl::StrCat(bytes, " B");
  constexpr absl::string_view kPrefixes = "kMGTPE";
  double value = bytes / 1000.0;
  size_t prefix = 0;
  while (value >= 999.5 && prefix + 1 < kPrefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  return absl::StrFormat("%.*f %cB", value < 9.95 ? 1 : 0, value,
                         kPrefixes[prefix]);
}

std::string FormatClock(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::fmax(seconds, 0)));
  const int64_t minutes = whole / 60;
  if (minutes < 60) return absl::StrFormat("%d:%02d", minutes, whole % 60);
  return absl::StrFormat("%d:%02d:%02d", minutes / 60, minutes % 60,
                         whole % 60);
}

std::string FormatNumber(double value) {
  if (std::isnan(value)) return "-";
  return absl::StrFormat("%.4g", value);
}

std::string FormatShare(int64_t part, int64_t whole) {
  if (whole == 0) return "-";
  return absl::StrFormat("%.1f%%", 100.0 * part / whole);
}

std::string FormatTime(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0) return "-";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S",
                          absl::FromUnixSeconds(time.seconds()),
                          absl::LocalTimeZone());
}

}  // namespace poe::client
