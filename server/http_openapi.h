// The description of all routes, docs/openapi.json.
#ifndef POE_SERVER_HTTP_OPENAPI_H_
#define POE_SERVER_HTTP_OPENAPI_H_

#include "absl/strings/string_view.h"

namespace poe::server {

absl::string_view OpenApiJson();

}  // namespace poe::server

#endif  // POE_SERVER_HTTP_OPENAPI_H_
