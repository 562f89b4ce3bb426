#include "server/services/model_registry_service.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/errors.h"
#include "server/request_identity.h"
#include "server/request_scope.h"
#include "server/services/export_reactor.h"
#include "server/services/import_reactor.h"

namespace poe::server {
namespace {

constexpr int kDefaultPageSize = 100;
constexpr int kGreatestPageSize = 1000;

// A list is an overview: what grows with the dimension stays out of it.
void Abridge(v1::ModelInfo& model) {
  for (v1::VersionInfo& version : *model.mutable_versions()) {
    version.clear_log_partitions();
    version.clear_log_partition_differences();
    if (!version.has_data_spec()) continue;
    v1::DataSpec& spec = *version.mutable_data_spec();
    spec.clear_coordinate_names();
    spec.clear_box();
    if (spec.has_preprocessing()) {
      spec.mutable_preprocessing()->clear_shift();
      spec.mutable_preprocessing()->clear_scale();
    }
  }
}

// The token of a page is the name before its first.
absl::Status AnswerList(const v1::ListModelsRequest& request,
                        const ModelRepository& repository,
                        v1::ListModelsResponse& response) {
  if (request.page_size() < 0 || request.page_size() > kGreatestPageSize) {
    return FieldError(
        "page_size", "OUT_OF_RANGE",
        absl::StrCat("is ", request.page_size(), "; must be from 0 (for ",
                     kDefaultPageSize, ") to ", kGreatestPageSize));
  }
  const std::size_t page_size =
      request.page_size() == 0 ? kDefaultPageSize : request.page_size();
  std::vector<v1::ModelInfo> models = repository.List();
  const auto begin = std::upper_bound(
      models.begin(), models.end(), request.page_token(),
      [](const std::string& token, const v1::ModelInfo& model) {
        return token < model.name();
      });
  const std::size_t left = models.end() - begin;
  const auto end = begin + std::min(page_size, left);
  for (auto model = begin; model != end; ++model) {
    Abridge(*model);
    *response.add_models() = std::move(*model);
  }
  if (end != models.end()) {
    response.set_next_page_token(response.models().rbegin()->name());
  }
  return absl::OkStatus();
}

absl::Status AnswerGet(const v1::GetModelRequest& request,
                       const ModelRepository& repository, RequestScope& scope,
                       v1::GetModelResponse& response) {
  absl::StatusOr<v1::ModelVersion> found = repository.Resolve(request.model());
  if (!found.ok()) return found.status();
  *response.mutable_model() = *std::move(found);
  const v1::ModelVersion& model = response.model();
  scope.SetModel(model.name(), model.version());
  absl::StatusOr<v1::VersionInfo> info =
      repository.GetVersion(model.name(), model.version());
  if (!info.ok()) return info.status();
  *response.mutable_info() = *std::move(info);
  return absl::OkStatus();
}

// What AnswerGet gives, and the parameters.
absl::Status AnswerGetWhole(const v1::GetModelRequest& request,
                            const ModelRepository& repository,
                            RequestScope& scope,
                            v1::GetModelResponse& response) {
  absl::Status status = AnswerGet(request, repository, scope, response);
  if (!status.ok()) return status;
  const v1::ModelVersion& model = response.model();
  absl::StatusOr<v1::Model> stored =
      repository.Read(model.name(), model.version());
  if (!stored.ok()) return stored.status();
  *response.mutable_parameters() = *std::move(stored);
  return absl::OkStatus();
}

// With its parameters a model is as good as exported, and needs that role.
absl::Status CheckMayExport(const grpc::CallbackServerContext& context,
                            Access* access) {
  if (access == nullptr) return absl::OkStatus();
  return WithPrefix("include_parameters",
                    access->Check("/poe.v1.ModelRegistry/ExportModel",
                                  AuthorizationIn(context.client_metadata())));
}

absl::Status AnswerWith(absl::StatusOr<v1::ModelInfo> info,
                        v1::ModelInfo& response) {
  if (info.ok()) response = *std::move(info);
  return info.status();
}

}  // namespace

grpc::ServerUnaryReactor* ModelRegistryService::ListModels(
    grpc::CallbackServerContext* context, const v1::ListModelsRequest* request,
    v1::ListModelsResponse* response) {
  return AnswerNow(RequestScope("ListModels", context), [&](RequestScope&) {
    return AnswerList(*request, repository_, *response);
  });
}

grpc::ServerUnaryReactor* ModelRegistryService::GetModel(
    grpc::CallbackServerContext* context, const v1::GetModelRequest* request,
    v1::GetModelResponse* response) {
  RequestScope scope("GetModel", context);
  if (!request->include_parameters()) {
    return AnswerNow(std::move(scope), [&](RequestScope& scope) {
      return AnswerGet(*request, repository_, scope, *response);
    });
  }
  absl::Status allowed = CheckMayExport(*context, access_.get());
  if (!allowed.ok()) return Refuse(std::move(scope), allowed);
  return AnswerOn(executor_, std::move(scope),
                  [this, request, response](RequestScope& scope) {
                    return AnswerGetWhole(*request, repository_, scope,
                                          *response);
                  });
}

grpc::ServerUnaryReactor* ModelRegistryService::LoadModel(
    grpc::CallbackServerContext* context, const v1::LoadModelRequest* request,
    v1::ModelInfo* response) {
  RequestScope scope("LoadModel", context);
  scope.SetModel(request->name(), request->version());
  return AnswerOn(
      executor_, std::move(scope), [this, request, response](RequestScope&) {
        return AnswerWith(repository_.Load(request->name(), request->version()),
                          *response);
      });
}

grpc::ServerUnaryReactor* ModelRegistryService::UnloadModel(
    grpc::CallbackServerContext* context, const v1::UnloadModelRequest* request,
    v1::ModelInfo* response) {
  RequestScope scope("UnloadModel", context);
  scope.SetModel(request->name(), request->version());
  return AnswerOn(
      executor_, std::move(scope), [this, request, response](RequestScope&) {
        return AnswerWith(
            repository_.Unload(request->name(), request->version()), *response);
      });
}

grpc::ServerUnaryReactor* ModelRegistryService::DeleteModel(
    grpc::CallbackServerContext* context, const v1::DeleteModelRequest* request,
    google::protobuf::Empty*) {
  RequestScope scope("DeleteModel", context);
  scope.SetModel(request->name(), request->version());
  return AnswerOn(executor_, std::move(scope), [this, request](RequestScope&) {
    return repository_.Delete(request->name(), request->version());
  });
}

grpc::ServerUnaryReactor* ModelRegistryService::SetLabel(
    grpc::CallbackServerContext* context, const v1::SetLabelRequest* request,
    v1::ModelInfo* response) {
  RequestScope scope("SetLabel", context);
  scope.SetModel(request->name(), request->version());
  return AnswerOn(executor_, std::move(scope),
                  [this, request, response](RequestScope&) {
                    return AnswerWith(
                        repository_.SetLabel(request->name(), request->label(),
                                             request->version()),
                        *response);
                  });
}

grpc::ServerUnaryReactor* ModelRegistryService::ClearLabel(
    grpc::CallbackServerContext* context, const v1::ClearLabelRequest* request,
    v1::ModelInfo* response) {
  RequestScope scope("ClearLabel", context);
  scope.SetModel(request->name(), 0);
  return AnswerOn(
      executor_, std::move(scope), [this, request, response](RequestScope&) {
        return AnswerWith(
            repository_.ClearLabel(request->name(), request->label()),
            *response);
      });
}

grpc::ServerWriteReactor<v1::ModelFileChunk>* ModelRegistryService::ExportModel(
    grpc::CallbackServerContext* context,
    const v1::ExportModelRequest* request) {
  auto* reactor = new ExportReactor(RequestScope("ExportModel", context),
                                    *request, repository_);
  reactor->Start(executor_);
  return reactor;
}

grpc::ServerReadReactor<v1::ImportModelRequest>*
ModelRegistryService::ImportModel(grpc::CallbackServerContext* context,
                                  v1::ModelInfo* response) {
  return new ImportReactor(RequestScope("ImportModel", context), repository_,
                           uploads_, executor_, *response);
}

}  // namespace poe::server
