// The message that an HTTP request's URL and body make.
#ifndef POE_SERVER_HTTP_MESSAGE_H_
#define POE_SERVER_HTTP_MESSAGE_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "server/http_routes.h"

namespace poe::server {

// The method that answers a route which has one. Its messages must be part of
// the program.
const google::protobuf::MethodDescriptor* MethodOf(const Route& route);

std::unique_ptr<google::protobuf::Message> NewMessage(
    const google::protobuf::Descriptor* descriptor);

// Whether all characters are ASCII's, and none controls anything.
bool IsPrintable(absl::string_view text);

// Sets the fields that the query and the parts of the path name in a message
// that the body has made. Both without percent-encoding, the path printable.
// InvalidArgument for parameters that the route does not have, for what
// SetFromText refuses, and for versions below 1.
absl::Status SetFields(const RouteMatch& match,
                       const std::multimap<std::string, std::string>& query,
                       google::protobuf::Message& message);

}  // namespace poe::server

#endif  // POE_SERVER_HTTP_MESSAGE_H_
