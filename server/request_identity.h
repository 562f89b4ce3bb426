// Which call it was: what joins the server's log to those of its clients.
#ifndef POE_SERVER_REQUEST_IDENTITY_H_
#define POE_SERVER_REQUEST_IDENTITY_H_

#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "grpcpp/support/string_ref.h"

namespace poe::server {

// The headers that came with a call.
using CallHeaders = std::multimap<grpc::string_ref, grpc::string_ref>;

// The header that brings a request's id and, in the answer, names it.
inline constexpr absl::string_view kRequestIdHeader = "x-request-id";

// The id that the call came with, if it is 1 to 128 of [A-Za-z0-9._:/+=@-] and
// came once; else a new one, 32 hexadecimal digits.
std::string RequestIdOf(const CallHeaders& headers);

// The trace id in the header `traceparent`, 32 hexadecimal digits; empty if
// there is none or it is not as W3C's Trace Context says.
absl::string_view TraceIdOf(const CallHeaders& headers);

// The header `authorization`; none if it is not there, empty if it comes more
// than once.
std::optional<absl::string_view> AuthorizationIn(const CallHeaders& headers);

}  // namespace poe::server

#endif  // POE_SERVER_REQUEST_IDENTITY_H_
