// Errors as clients see them: a gRPC code, a text that says what, where and
// what would be right, and google.rpc details. Inside the server they travel as
// absl::Status with the details as payloads; one function turns them into what
// leaves.
#ifndef POE_SERVER_ERRORS_H_
#define POE_SERVER_ERRORS_H_

#include <map>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpcpp/support/status.h"

namespace poe::server {

using ErrorMetadata = std::map<std::string, std::string>;

// The domain of every reason.
inline constexpr absl::string_view kErrorDomain = "poe.v1";

// An error with a google.rpc.ErrorInfo. `reason` is UPPER_SNAKE; `code` is not
// kOk.
absl::Status Error(absl::StatusCode code, absl::string_view reason,
                   absl::string_view message,
                   const ErrorMetadata& metadata = {});

// InvalidArgument for one field of a request, with a google.rpc.BadRequest. The
// text is "<field> <description>": FieldError("steps", "OUT_OF_RANGE",
// "is -1; must be at least 0").
absl::Status FieldError(absl::string_view field, absl::string_view reason,
                        absl::string_view description,
                        const ErrorMetadata& metadata = {});

// An InvalidArgument of the core as a FieldError. Where its text begins with
// the path of a field ("optimizer.rate is ..."), `prefix` and that path are the
// field; otherwise `prefix` is. Other statuses get the prefix alone.
absl::Status AsFieldError(absl::string_view prefix, absl::string_view reason,
                          const absl::Status& status);

// `status` with a google.rpc.RetryInfo.
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);

// `status` with "<prefix>: " before its text; details stay. OK stays OK.
absl::Status WithPrefix(absl::string_view prefix, const absl::Status& status);

// The status of `body`; ResourceExhausted if memory runs out in it, Internal
// if it throws anything else.
absl::Status CatchExceptions(absl::FunctionRef<absl::Status()> body);

// The reason in the status's ErrorInfo, or that derived from its code.
std::string ReasonOf(const absl::Status& status);

// Text from outside, for use in a message: in quotes, escaped, and shortened.
std::string Quoted(absl::string_view text);

// What leaves the server. The details hold exactly one ErrorInfo, whose reason
// is the name of the code if the status brought none. Texts are cut to what
// fits into HTTP/2 trailers.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace poe::server

#endif  // POE_SERVER_ERRORS_H_
