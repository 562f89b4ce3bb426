// Messages as JSON and back, and errors as HTTP says them.
#ifndef POE_SERVER_HTTP_JSON_H_
#define POE_SERVER_HTTP_JSON_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "grpcpp/support/status.h"

namespace poe::server {

// Reads a message by protobuf's JSON mapping. An empty text is {}.
// InvalidArgument, reason MALFORMED_JSON, saying where and what, for anything
// that is no JSON or has fields that the message does not; TOO_MANY_MEMBERS for
// more than 65536 objects and members of objects, before anything is read.
absl::Status ReadJson(absl::string_view text,
                      google::protobuf::Message& message);

// The same of a request about the repository by the Open Inference Protocol,
// whose parameters are texts, whole numbers, true or false, where the mapping
// has objects that name their type. BODY_TOO_LARGE for more than 64 KiB.
absl::Status ReadRepositoryJson(absl::string_view text,
                                google::protobuf::Message& message);

// By protobuf's JSON mapping, in one line: fields have their names of the
// schema, those with default values are there too, 64-bit integers are strings
// and bytes base64.
std::string ToJson(const google::protobuf::Message& message);

// As the Open Inference Protocol wants it: all numbers are numbers, bytes are
// left out. If `field` is not empty, the value of that field alone.
std::string ToPlainJson(const google::protobuf::Message& message,
                        absl::string_view field = "");

// Sets the field at a path such as "model.version" from text of a URL.
// InvalidArgument if it is set already, or the text is no value of its type,
// which is string, bool or a signed integer.
absl::Status SetFromText(absl::string_view path, absl::string_view text,
                         google::protobuf::Message& message);

// As google.rpc.Code maps them.
int HttpStatusOf(grpc::StatusCode code);

// {"error": {...}} in one line, with the google.rpc details of the status.
std::string ErrorJson(const grpc::Status& status, int http_status);

// As the Open Inference Protocol wants it: {"error": "..."}, the text alone.
std::string PlainErrorJson(const grpc::Status& status);

// Whole seconds, rounded up, after which a RetryInfo in the status says to try
// again.
std::optional<int> RetrySeconds(const grpc::Status& status);

}  // namespace poe::server

#endif  // POE_SERVER_HTTP_JSON_H_
