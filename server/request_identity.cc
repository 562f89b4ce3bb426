#include "server/request_identity.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/request_scope.h"

namespace poe::server {
namespace {

constexpr std::size_t kMostIdBytes = 128;

// The header's value; empty if it is not there or comes more than once.
absl::string_view Find(const CallHeaders& headers, absl::string_view name) {
  const auto [begin, end] =
      headers.equal_range(grpc::string_ref(name.data(), name.size()));
  if (begin == end || std::next(begin) != end) return {};
  return {begin->second.data(), begin->second.size()};
}

bool IsRequestId(absl::string_view id) {
  return !id.empty() && id.size() <= kMostIdBytes &&
         std::all_of(id.begin(), id.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) ||
                  absl::string_view("._:/+=@-").find(static_cast<char>(c)) !=
                      absl::string_view::npos;
         });
}

std::string NewRequestId() {
  return absl::StrCat(absl::Hex(FreshSeed(), absl::kZeroPad16),
                      absl::Hex(FreshSeed(), absl::kZeroPad16));
}

// Lower case only, as the standard says.
bool IsHex(absl::string_view text, std::size_t digits) {
  return text.size() == digits &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

bool IsZero(absl::string_view hex) {
  return hex.find_first_not_of('0') == absl::string_view::npos;
}

}  // namespace

std::string RequestIdOf(const CallHeaders& headers) {
  const absl::string_view id = Find(headers, kRequestIdHeader);
  return IsRequestId(id) ? std::string(id) : NewRequestId();
}

std::optional<absl::string_view> AuthorizationIn(const CallHeaders& headers) {
  constexpr absl::string_view kAuthorization = "authorization";
  if (headers.count({kAuthorization.data(), kAuthorization.size()}) == 0) {
    return std::nullopt;
  }
  return Find(headers, kAuthorization);
}

absl::string_view TraceIdOf(const CallHeaders& headers) {
  // VERSION-TRACE-PARENT-FLAGS; versions to come may add more.
  const std::vector<absl::string_view> parts =
      absl::StrSplit(Find(headers, "traceparent"), '-');
  if (parts.size() < 4) return {};
  const bool known = IsHex(parts[0], 2) && parts[0] != "ff" &&
                     (parts[0] != "00" || parts.size() == 4);
  const bool whole = IsHex(parts[1], 32) && !IsZero(parts[1]) &&
                     IsHex(parts[2], 16) && !IsZero(parts[2]) &&
                     IsHex(parts[3], 2);
  return known && whole ? parts[1] : absl::string_view();
}

}  // namespace poe::server
