#include "server/http_routes.h"

#include <cstddef>
#include <optional>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace poe::server {
namespace {

using Kind = RouteKind;
using RouteValues = std::vector<std::pair<std::string, std::string>>;

constexpr Route kRoutes[] = {
    {"GET", "/healthz", Kind::kAlive},
    {"GET", "/readyz", Kind::kReady, "/grpc.health.v1.Health/Check"},
    {"GET", "/openapi.json", Kind::kOpenApi},

    {"POST", "/v1/score", Kind::kUnary, "/poe.v1.ProductOfExperts/Score"},
    {"POST", "/v1/score:stream", Kind::kScoreStream,
     "/poe.v1.ProductOfExperts/ScoreStream"},
    {"POST", "/v1/reconstruct", Kind::kUnary,
     "/poe.v1.ProductOfExperts/Reconstruct"},
    {"POST", "/v1/sample", Kind::kStream, "/poe.v1.ProductOfExperts/Sample"},
    {"POST", "/v1/train", Kind::kTrain, "/poe.v1.ProductOfExperts/Train"},

    {"GET", "/v1/models", Kind::kUnary, "/poe.v1.ModelRegistry/ListModels",
     "page_size,page_token"},
    {"GET", "/v1/models/{model.name}", Kind::kUnary,
     "/poe.v1.ModelRegistry/GetModel", "include_parameters"},
    {"DELETE", "/v1/models/{name}", Kind::kUnary,
     "/poe.v1.ModelRegistry/DeleteModel"},
    {"POST", "/v1/models/{name}:load", Kind::kUnary,
     "/poe.v1.ModelRegistry/LoadModel"},
    {"POST", "/v1/models/{name}:unload", Kind::kUnary,
     "/poe.v1.ModelRegistry/UnloadModel"},
    {"GET", "/v1/models/{model.name}/versions/{model.version}", Kind::kUnary,
     "/poe.v1.ModelRegistry/GetModel", "include_parameters"},
    {"DELETE", "/v1/models/{name}/versions/{version}", Kind::kUnary,
     "/poe.v1.ModelRegistry/DeleteModel"},
    {"POST", "/v1/models/{name}/versions/{version}:load", Kind::kUnary,
     "/poe.v1.ModelRegistry/LoadModel"},
    {"POST", "/v1/models/{name}/versions/{version}:unload", Kind::kUnary,
     "/poe.v1.ModelRegistry/UnloadModel"},
    {"PUT", "/v1/models/{name}/labels/{label}", Kind::kUnary,
     "/poe.v1.ModelRegistry/SetLabel"},
    {"DELETE", "/v1/models/{name}/labels/{label}", Kind::kUnary,
     "/poe.v1.ModelRegistry/ClearLabel"},

    {"GET", "/v1/jobs", Kind::kUnary, "/poe.v1.TrainingJobs/ListJobs",
     "model_name,page_size,page_token"},
    {"GET", "/v1/jobs/{name}", Kind::kUnary, "/poe.v1.TrainingJobs/GetJob", "",
     "", "jobs/"},
    {"DELETE", "/v1/jobs/{name}", Kind::kUnary,
     "/poe.v1.TrainingJobs/DeleteJob", "", "", "jobs/"},
    {"GET", "/v1/jobs/{name}/events", Kind::kStream,
     "/poe.v1.TrainingJobs/WatchJob", "from_event", "", "jobs/"},
    {"POST", "/v1/jobs/{name}:cancel", Kind::kUnary,
     "/poe.v1.TrainingJobs/CancelJob", "", "", "jobs/"},
    {"POST", "/v1/jobs/{name}:publish", Kind::kUnary,
     "/poe.v1.TrainingJobs/PublishCheckpoint", "", "", "jobs/"},

    {"GET", "/v2", Kind::kPlain,
     "/inference.GRPCInferenceService/ServerMetadata"},
    {"GET", "/v2/health/live", Kind::kTruth,
     "/inference.GRPCInferenceService/ServerLive"},
    {"GET", "/v2/health/ready", Kind::kTruth,
     "/inference.GRPCInferenceService/ServerReady"},
    {"GET", "/v2/models/stats", Kind::kPlain,
     "/inference.GRPCInferenceService/ModelStatistics"},
    {"GET", "/v2/models/{name}", Kind::kPlain,
     "/inference.GRPCInferenceService/ModelMetadata"},
    {"GET", "/v2/models/{name}/ready", Kind::kTruth,
     "/inference.GRPCInferenceService/ModelReady"},
    {"GET", "/v2/models/{name}/config", Kind::kPlain,
     "/inference.GRPCInferenceService/ModelConfig", "", "config"},
    {"GET", "/v2/models/{name}/stats", Kind::kPlain,
     "/inference.GRPCInferenceService/ModelStatistics"},
    {"POST", "/v2/models/{model_name}/infer", Kind::kInfer,
     "/inference.GRPCInferenceService/ModelInfer"},
    {"GET", "/v2/models/{name}/versions/{version}", Kind::kPlain,
     "/inference.GRPCInferenceService/ModelMetadata"},
    {"GET", "/v2/models/{name}/versions/{version}/ready", Kind::kTruth,
     "/inference.GRPCInferenceService/ModelReady"},
    {"GET", "/v2/models/{name}/versions/{version}/config", Kind::kPlain,
     "/inference.GRPCInferenceService/ModelConfig", "", "config"},
    {"GET", "/v2/models/{name}/versions/{version}/stats", Kind::kPlain,
     "/inference.GRPCInferenceService/ModelStatistics"},
    {"POST", "/v2/models/{model_name}/versions/{model_version}/infer",
     Kind::kInfer, "/inference.GRPCInferenceService/ModelInfer"},
    {"POST", "/v2/repository/index", Kind::kRepository,
     "/inference.GRPCInferenceService/RepositoryIndex", "", "models"},
    {"POST", "/v2/repository/models/{model_name}/load", Kind::kRepository,
     "/inference.GRPCInferenceService/RepositoryModelLoad"},
    {"POST", "/v2/repository/models/{model_name}/unload", Kind::kRepository,
     "/inference.GRPCInferenceService/RepositoryModelUnload"},
};

// One part of a path against one of a route. A value has no colon, which parts
// it from what is to be done.
bool MatchPart(absl::string_view wanted, absl::string_view part,
               absl::string_view prefix, RouteValues& values) {
  if (!absl::ConsumePrefix(&wanted, "{")) return part == wanted;
  const std::size_t brace = wanted.find('}');
  if (!absl::ConsumeSuffix(&part, wanted.substr(brace + 1)) || part.empty() ||
      absl::StrContains(part, ':')) {
    return false;
  }
  values.emplace_back(std::string(wanted.substr(0, brace)),
                      absl::StrCat(prefix, part));
  return true;
}

std::optional<RouteValues> MatchPath(
    const Route& route, const std::vector<absl::string_view>& parts) {
  const std::vector<absl::string_view> wanted = absl::StrSplit(route.path, '/');
  if (wanted.size() != parts.size()) return std::nullopt;
  RouteValues values;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!MatchPart(wanted[i], parts[i], route.prefix, values))
      return std::nullopt;
  }
  return values;
}

}  // namespace

absl::Span<const Route> HttpRoutes() { return kRoutes; }

RouteMatch FindRoute(absl::string_view method, absl::string_view path) {
  if (method == "HEAD") method = "GET";
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  RouteMatch match;
  for (const Route& route : kRoutes) {
    std::optional<RouteValues> values = MatchPath(route, parts);
    if (!values.has_value()) continue;
    if (!absl::c_linear_search(match.methods, route.method))
      match.methods.push_back(route.method);
    if (route.method == method && match.route == nullptr) {
      match.route = &route;
      match.values = *std::move(values);
    }
  }
  return match;
}

}  // namespace poe::server
