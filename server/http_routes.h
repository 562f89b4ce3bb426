// Which HTTP request is which call.
#ifndef POE_SERVER_HTTP_ROUTES_H_
#define POE_SERVER_HTTP_ROUTES_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace poe::server {

// How a route is answered.
enum class RouteKind {
  kUnary,        // one message, by protobuf's JSON mapping
  kPlain,        // the same as the Open Inference Protocol wants its JSON
  kRepository,   // the same; the type of the body may be left unsaid, and
                 // parameters are plain values in it
  kTruth,        // as kPlain; 404 if the one field of the answer is false
  kInfer,        // the inference of that protocol
  kStream,       // one message in, lines out
  kScoreStream,  // lines in, a line out for each
  kTrain,        // lines in, and when all are there, lines out
  kAlive,
  kReady,
  kOpenApi,
};

struct Route {
  absl::string_view method;
  // Parts in braces stand for one part of a URL's path and name the field of
  // the request that it is the value of. What follows them, as in
  // "{name}:load", is meant as it is.
  absl::string_view path;
  RouteKind kind = RouteKind::kUnary;
  // Full name of the method that answers, as in
  // "/poe.v1.ProductOfExperts/Score".
  absl::string_view rpc = "";
  // Fields that the query may set, parted by commas.
  absl::string_view query = "";
  // Of kPlain: the field that is the whole answer; empty: all.
  absl::string_view answer = "";
  // Goes before the value of a part in braces.
  absl::string_view prefix = "";
};

// All routes but those that are added to a gateway.
absl::Span<const Route> HttpRoutes();

struct RouteMatch {
  // Null if no route has this path and method.
  const Route* route = nullptr;
  // Fields and their values.
  std::vector<std::pair<std::string, std::string>> values;
  // Methods that this path has; none: there is no such path.
  std::vector<absl::string_view> methods;
};

// `path` without percent-encoding. Of several routes it is the first that fits.
// HEAD finds what GET does.
RouteMatch FindRoute(absl::string_view method, absl::string_view path);

}  // namespace poe::server

#endif  // POE_SERVER_HTTP_ROUTES_H_
