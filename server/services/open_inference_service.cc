#include "server/services/open_inference_service.h"

#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/codec/open_inference_codec.h"
#include "server/errors.h"
#include "server/request_scope.h"
#include "server/services/infer_handler.h"
#include "server/steady_time.h"

namespace poe::server {
namespace {

constexpr char kPlatform[] = "poe";

bool Answers(const v1::VersionInfo& version) {
  return version.state() == v1::VersionInfo::STATE_AVAILABLE;
}

absl::StatusOr<ServedModel> FindServed(const ModelRepository& repository,
                                       const std::string& name,
                                       const std::string& version,
                                       RequestScope& scope) {
  const absl::StatusOr<v1::ModelSelector> selector = SelectModel(name, version);
  if (!selector.ok()) return selector.status();
  absl::StatusOr<ServedModel> served = repository.Find(*selector);
  if (served.ok()) scope.SetModel(*served);
  return served;
}

absl::Status AnswerReady(const inference::ModelReadyRequest& request,
                         const ModelRepository& repository, bool serving,
                         RequestScope& scope,
                         inference::ModelReadyResponse& response) {
  absl::Status status =
      FindServed(repository, request.name(), request.version(), scope).status();
  response.set_ready(serving && status.ok());
  if (absl::IsNotFound(status) || absl::IsFailedPrecondition(status)) {
    return absl::OkStatus();
  }
  return status;
}

absl::Status AnswerMetadata(const inference::ModelMetadataRequest& request,
                            const ModelRepository& repository,
                            RequestScope& scope,
                            inference::ModelMetadataResponse& response) {
  const absl::StatusOr<ServedModel> served =
      FindServed(repository, request.name(), request.version(), scope);
  if (!served.ok()) return served.status();
  absl::Status status = CheckNotSequential(*served->model);
  if (!status.ok()) return status;
  const absl::StatusOr<v1::ModelInfo> info = repository.Get(served->name);
  if (!info.ok()) return info.status();
  response.set_name(served->name);
  for (const v1::VersionInfo& version : info->versions()) {
    if (Answers(version))
      response.add_versions(absl::StrCat(version.version()));
  }
  response.set_platform(kPlatform);
  EncodeTensorMetadata(*served->model, &response);
  return absl::OkStatus();
}

absl::Status AnswerConfig(const inference::ModelConfigRequest& request,
                          const ModelRepository& repository,
                          RequestScope& scope,
                          inference::ModelConfigResponse& response) {
  const absl::StatusOr<ServedModel> served =
      FindServed(repository, request.name(), request.version(), scope);
  if (!served.ok()) return served.status();
  absl::Status status = CheckNotSequential(*served->model);
  if (!status.ok()) return status;
  response.mutable_config()->set_name(served->name);
  response.mutable_config()->set_platform(kPlatform);
  EncodeTensorMetadata(*served->model, response.mutable_config());
  return absl::OkStatus();
}

// Of all versions of a model that answer.
void AddStatistics(const v1::ModelInfo& info, const ModelRepository& repository,
                   const InferenceStatistics& statistics,
                   inference::ModelStatisticsResponse& response) {
  for (const v1::VersionInfo& version : info.versions()) {
    v1::ModelSelector selector;
    selector.set_name(info.name());
    selector.set_version(version.version());
    const absl::StatusOr<ServedModel> served = repository.Find(selector);
    if (served.ok()) *response.add_model_stats() = statistics.Get(*served);
  }
}

absl::Status AnswerStatistics(const inference::ModelStatisticsRequest& request,
                              const ModelRepository& repository,
                              const InferenceStatistics& statistics,
                              RequestScope& scope,
                              inference::ModelStatisticsResponse& response) {
  if (!request.version().empty()) {
    const absl::StatusOr<ServedModel> served =
        FindServed(repository, request.name(), request.version(), scope);
    if (!served.ok()) return served.status();
    *response.add_model_stats() = statistics.Get(*served);
    return absl::OkStatus();
  }
  if (request.name().empty()) {
    for (const v1::ModelInfo& info : repository.List()) {
      AddStatistics(info, repository, statistics, response);
    }
    return absl::OkStatus();
  }
  const absl::StatusOr<v1::ModelInfo> info = repository.Get(request.name());
  if (info.ok()) AddStatistics(*info, repository, statistics, response);
  return info.status();
}

absl::Status CheckRepositoryName(const std::string& name) {
  if (name.empty()) return absl::OkStatus();
  return FieldError("repository_name", "NOT_ALLOWED",
                    absl::StrCat("is ", Quoted(name),
                                 "; must be empty, there is one repository"));
}

absl::Status AnswerIndex(const inference::RepositoryIndexRequest& request,
                         const ModelRepository& repository,
                         inference::RepositoryIndexResponse& response) {
  absl::Status status = CheckRepositoryName(request.repository_name());
  if (!status.ok()) return status;
  for (const v1::ModelInfo& info : repository.List()) {
    for (const v1::VersionInfo& version : info.versions()) {
      if (request.ready() && !Answers(version)) continue;
      auto& index = *response.add_models();
      index.set_name(info.name());
      index.set_version(absl::StrCat(version.version()));
      index.set_state(Answers(version) ? "READY" : "UNAVAILABLE");
      index.set_reason(version.state() == v1::VersionInfo::STATE_UNLOADED
                           ? "unloaded"
                           : version.reason());
    }
  }
  return absl::OkStatus();
}

// `allowed` is a parameter that changes nothing here.
template <typename Request>
absl::Status CheckChange(const Request& request, absl::string_view allowed) {
  absl::Status status = CheckRepositoryName(request.repository_name());
  if (!status.ok()) return status;
  for (const auto& [name, value] : request.parameters()) {
    if (name == allowed) continue;
    return FieldError(
        "parameters", "UNKNOWN_PARAMETER",
        absl::StrCat("has ", Quoted(name), "; there are none here"));
  }
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* OpenInferenceService::ServerLive(
    grpc::CallbackServerContext* context, const inference::ServerLiveRequest*,
    inference::ServerLiveResponse* response) {
  return AnswerNow(RequestScope("ServerLive", context), [&](RequestScope&) {
    response->set_live(true);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* OpenInferenceService::ServerReady(
    grpc::CallbackServerContext* context, const inference::ServerReadyRequest*,
    inference::ServerReadyResponse* response) {
  return AnswerNow(RequestScope("ServerReady", context), [&](RequestScope&) {
    response->set_ready(serving_);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* OpenInferenceService::ModelReady(
    grpc::CallbackServerContext* context,
    const inference::ModelReadyRequest* request,
    inference::ModelReadyResponse* response) {
  return AnswerNow(RequestScope("ModelReady", context),
                   [&](RequestScope& scope) {
                     return AnswerReady(*request, resources_.repository,
                                        serving_, scope, *response);
                   });
}

grpc::ServerUnaryReactor* OpenInferenceService::ServerMetadata(
    grpc::CallbackServerContext* context,
    const inference::ServerMetadataRequest*,
    inference::ServerMetadataResponse* response) {
  return AnswerNow(RequestScope("ServerMetadata", context), [&](RequestScope&) {
    response->set_name("poe-server");
    response->set_version(POE_VERSION);
    for (const char* extension : {"binary_tensor_data", "model_configuration",
                                  "model_repository", "statistics"}) {
      response->add_extensions(extension);
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* OpenInferenceService::ModelMetadata(
    grpc::CallbackServerContext* context,
    const inference::ModelMetadataRequest* request,
    inference::ModelMetadataResponse* response) {
  return AnswerNow(RequestScope("ModelMetadata", context),
                   [&](RequestScope& scope) {
                     return AnswerMetadata(*request, resources_.repository,
                                           scope, *response);
                   });
}

grpc::ServerUnaryReactor* OpenInferenceService::ModelInfer(
    grpc::CallbackServerContext* context,
    const inference::ModelInferRequest* request,
    inference::ModelInferResponse* response) {
  RequestScope scope("ModelInfer", context);
  scope.HoldBytes(request->ByteSizeLong());
  const absl::StatusOr<InferTask> task = FindTask(*request);
  if (!task.ok()) return Refuse(std::move(scope), task.status());
  const absl::StatusOr<absl::Duration> timeout = FindTimeout(*request);
  if (!timeout.ok()) return Refuse(std::move(scope), timeout.status());
  scope.LimitTo(SteadyTimeAfter(*timeout));
  absl::StatusOr<ServedModel> served =
      FindServed(resources_.repository, request->model_name(),
                 request->model_version(), scope);
  if (!served.ok()) return Refuse(std::move(scope), served.status());
  InferenceTimer timer(resources_.statistics, *served);
  if (*task != InferTask::kSample) {
    return AnswerLater(
        std::move(scope),
        [&](RequestScope& scope, absl::AnyInvocable<void(absl::Status)> done) {
          InferInBatch(*request, *task, *served, resources_.limits,
                       resources_.batching, scope, std::move(timer), *response,
                       std::move(done));
        });
  }
  absl::StatusOr<ByteBudget::Hold> hold =
      resources_.batching.budget.Take(*request);
  if (!hold.ok()) return Refuse(std::move(scope), hold.status());
  return AnswerOn(resources_.sampling, std::move(scope),
                  [this, served = *std::move(served), request, response,
                   timer = std::move(timer),
                   hold = *std::move(hold)](RequestScope& scope) mutable {
                    return InferSamples(*request, served, resources_.limits,
                                        resources_.workers, scope, timer,
                                        *response);
                  });
}

grpc::ServerUnaryReactor* OpenInferenceService::ModelConfig(
    grpc::CallbackServerContext* context,
    const inference::ModelConfigRequest* request,
    inference::ModelConfigResponse* response) {
  return AnswerNow(
      RequestScope("ModelConfig", context), [&](RequestScope& scope) {
        return AnswerConfig(*request, resources_.repository, scope, *response);
      });
}

grpc::ServerUnaryReactor* OpenInferenceService::ModelStatistics(
    grpc::CallbackServerContext* context,
    const inference::ModelStatisticsRequest* request,
    inference::ModelStatisticsResponse* response) {
  return AnswerNow(
      RequestScope("ModelStatistics", context), [&](RequestScope& scope) {
        return AnswerStatistics(*request, resources_.repository,
                                resources_.statistics, scope, *response);
      });
}

grpc::ServerUnaryReactor* OpenInferenceService::RepositoryIndex(
    grpc::CallbackServerContext* context,
    const inference::RepositoryIndexRequest* request,
    inference::RepositoryIndexResponse* response) {
  return AnswerNow(
      RequestScope("RepositoryIndex", context), [&](RequestScope&) {
        return AnswerIndex(*request, resources_.repository, *response);
      });
}

grpc::ServerUnaryReactor* OpenInferenceService::RepositoryModelLoad(
    grpc::CallbackServerContext* context,
    const inference::RepositoryModelLoadRequest* request,
    inference::RepositoryModelLoadResponse*) {
  RequestScope scope("RepositoryModelLoad", context);
  scope.SetModel(request->model_name(), 0);
  return AnswerOn(
      resources_.files, std::move(scope), [this, request](RequestScope&) {
        absl::Status status = CheckChange(*request, "");
        if (!status.ok()) return status;
        return resources_.repository.Load(request->model_name(), 0).status();
      });
}

grpc::ServerUnaryReactor* OpenInferenceService::RepositoryModelUnload(
    grpc::CallbackServerContext* context,
    const inference::RepositoryModelUnloadRequest* request,
    inference::RepositoryModelUnloadResponse*) {
  RequestScope scope("RepositoryModelUnload", context);
  scope.SetModel(request->model_name(), 0);
  return AnswerOn(
      resources_.files, std::move(scope), [this, request](RequestScope&) {
        // Python's client always sends it. No model depends on another.
        absl::Status status = CheckChange(*request, "unload_dependents");
        if (!status.ok()) return status;
        return resources_.repository.Unload(request->model_name(), 0).status();
      });
}

}  // namespace poe::server
