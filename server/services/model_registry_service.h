// poe.v1.ModelRegistry.
#ifndef POE_SERVER_SERVICES_MODEL_REGISTRY_SERVICE_H_
#define POE_SERVER_SERVICES_MODEL_REGISTRY_SERVICE_H_

#include <memory>
#include <utility>

#include "google/protobuf/empty.pb.h"
#include "grpcpp/grpcpp.h"
#include "poe/v1/registry.grpc.pb.h"
#include "server/access.h"
#include "server/executor.h"
#include "server/model_repository.h"

namespace poe::server {

// Thread-safe. What is in memory is answered in the thread that gRPC calls,
// what needs files in the executor's.
class ModelRegistryService final : public v1::ModelRegistry::CallbackService {
 public:
  // Repository and executors must outlive the service. `uploads` writes what
  // ImportModel brings. `access` is asked whether who asks for a model's
  // parameters may have the model; null: anybody may.
  ModelRegistryService(ModelRepository& repository, Executor& executor,
                       Executor& uploads, std::shared_ptr<Access> access)
      : repository_(repository),
        executor_(executor),
        uploads_(uploads),
        access_(std::move(access)) {}

  grpc::ServerUnaryReactor* ListModels(
      grpc::CallbackServerContext* context,
      const v1::ListModelsRequest* request,
      v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override;
  grpc::ServerUnaryReactor* LoadModel(grpc::CallbackServerContext* context,
                                      const v1::LoadModelRequest* request,
                                      v1::ModelInfo* response) override;
  grpc::ServerUnaryReactor* UnloadModel(grpc::CallbackServerContext* context,
                                        const v1::UnloadModelRequest* request,
                                        v1::ModelInfo* response) override;
  grpc::ServerUnaryReactor* DeleteModel(
      grpc::CallbackServerContext* context,
      const v1::DeleteModelRequest* request,
      google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* SetLabel(grpc::CallbackServerContext* context,
                                     const v1::SetLabelRequest* request,
                                     v1::ModelInfo* response) override;
  grpc::ServerUnaryReactor* ClearLabel(grpc::CallbackServerContext* context,
                                       const v1::ClearLabelRequest* request,
                                       v1::ModelInfo* response) override;
  grpc::ServerWriteReactor<v1::ModelFileChunk>* ExportModel(
      grpc::CallbackServerContext* context,
      const v1::ExportModelRequest* request) override;
  grpc::ServerReadReactor<v1::ImportModelRequest>* ImportModel(
      grpc::CallbackServerContext* context, v1::ModelInfo* response) override;

 private:
  ModelRepository& repository_;
  Executor& executor_;
  Executor& uploads_;
  const std::shared_ptr<Access> access_;
};

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_MODEL_REGISTRY_SERVICE_H_
