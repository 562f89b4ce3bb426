#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/message.h"
#include "grpc/health/v1/health.pb.h"
#include "inference/open_inference.pb.h"
#include "nlohmann/json.hpp"
#include "poe/v1/registry.pb.h"
#include "poe/v1/scoring.pb.h"
#include "poe/v1/training.pb.h"
#include "server/codec/open_inference_json.h"
#include "server/errors.h"
#include "server/http_json.h"
#include "server/http_message.h"
#include "server/http_routes.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/targets.h"

namespace poe::fuzz {
namespace {

using google::protobuf::LinkMessageReflection;
using google::protobuf::Message;
using StringPair = std::pair<std::string, std::string>;

// Makes the methods of all routes part of the program.
void LinkMethods() {
  LinkMessageReflection<grpc::health::v1::HealthCheckRequest>();
  LinkMessageReflection<inference::ModelInferRequest>();
  LinkMessageReflection<v1::GetModelRequest>();
  LinkMessageReflection<v1::ScoreRequest>();
  LinkMessageReflection<v1::GetJobRequest>();
}

// The two sides of the first separator; the second is empty without one.
StringPair CutAt(absl::string_view text, char separator) {
  return absl::StrSplit(text, absl::MaxSplits(separator, 1));
}

absl::Status ReadBody(const server::Route& route, const std::string& body,
                      Message& message) {
  if (route.method == "GET" || route.method == "DELETE")
    return absl::OkStatus();
  if (route.kind == server::RouteKind::kRepository)
    return server::ReadRepositoryJson(body, message);
  if (route.kind != server::RouteKind::kInfer)
    return server::ReadJson(body, message);
  const absl::StatusOr<inference::ModelInferRequest> request =
      server::ReadInferRequest(body);
  if (request.ok()) message.CopyFrom(*request);
  return request.status();
}

std::multimap<std::string, std::string> ReadQuery(const std::string& text) {
  std::multimap<std::string, std::string> query;
  for (absl::string_view part : absl::StrSplit(text, '&', absl::SkipEmpty()))
    query.insert(CutAt(part, '='));
  return query;
}

void RequireJson(const std::string& text) {
  Require(nlohmann::json::accept(text), "what is answered is JSON");
}

}  // namespace

void FuzzHttpRequest(absl::string_view input) {
  LinkMethods();
  const auto [line, body] = CutAt(input, '\n');
  const auto [method_name, url] = CutAt(line, ' ');
  const auto [path, query] = CutAt(url, '?');
  if (!server::IsPrintable(path)) return;
  const server::RouteMatch match = server::FindRoute(method_name, path);
  if (match.route == nullptr || match.route->rpc.empty()) return;
  const server::Route& route = *match.route;
  Require(std::find(match.methods.begin(), match.methods.end(), route.method) !=
              match.methods.end(),
          "a path has the method that it was found by");

  const google::protobuf::MethodDescriptor* method = server::MethodOf(route);
  Require(method != nullptr, "each route has a method that answers it");
  const std::unique_ptr<Message> message =
      server::NewMessage(method->input_type());
  absl::Status status = ReadBody(route, body, *message);
  if (status.ok())
    status = server::SetFields(match, ReadQuery(query), *message);
  if (!status.ok()) {
    Require(absl::IsInvalidArgument(status),
            "what is wrong with a request is the client's mistake");
    RequireJson(server::ErrorJson(server::ToGrpcStatus(status), 400));
    RequireJson(server::PlainErrorJson(server::ToGrpcStatus(status)));
    return;
  }
  for (const auto& [field, value] : match.values)
    Require(!server::SetFromText(field, value, *message).ok(),
            "what the path says is in the message");
  RequireJson(server::ToJson(*message));
  RequireJson(server::ToPlainJson(*message));
}

}  // namespace poe::fuzz
