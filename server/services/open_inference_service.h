// inference.GRPCInferenceService: the Open Inference Protocol.
#ifndef POE_SERVER_SERVICES_OPEN_INFERENCE_SERVICE_H_
#define POE_SERVER_SERVICES_OPEN_INFERENCE_SERVICE_H_

#include <atomic>

#include "grpcpp/grpcpp.h"
#include "inference/open_inference.grpc.pb.h"
#include "poe/numerics/workers.h"
#include "server/codec/request_codec.h"
#include "server/executor.h"
#include "server/inference_statistics.h"
#include "server/model_repository.h"
#include "server/services/batched_answer.h"

namespace poe::server {

// Thread-safe. Errors are those of poe.v1.
class OpenInferenceService final
    : public inference::GRPCInferenceService::CallbackService {
 public:
  // All must outlive the service.
  struct Resources {
    ModelRepository& repository;
    // Answer scoring and reconstruction.
    Batching batching;
    // Share the rows of sampling.
    const Workers& workers;
    // Runs sampling, which takes long.
    Executor& sampling;
    // Loads and unloads.
    Executor& files;
    InferenceStatistics& statistics;
    RequestLimits limits;
  };

  explicit OpenInferenceService(const Resources& resources)
      : resources_(resources) {}

  // From now on neither the server nor any model is ready. Calls are answered
  // as before.
  void ReportNotServing() { serving_ = false; }

  grpc::ServerUnaryReactor* ServerLive(
      grpc::CallbackServerContext* context,
      const inference::ServerLiveRequest* request,
      inference::ServerLiveResponse* response) override;
  grpc::ServerUnaryReactor* ServerReady(
      grpc::CallbackServerContext* context,
      const inference::ServerReadyRequest* request,
      inference::ServerReadyResponse* response) override;
  grpc::ServerUnaryReactor* ModelReady(
      grpc::CallbackServerContext* context,
      const inference::ModelReadyRequest* request,
      inference::ModelReadyResponse* response) override;
  grpc::ServerUnaryReactor* ServerMetadata(
      grpc::CallbackServerContext* context,
      const inference::ServerMetadataRequest* request,
      inference::ServerMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelMetadata(
      grpc::CallbackServerContext* context,
      const inference::ModelMetadataRequest* request,
      inference::ModelMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelInfer(
      grpc::CallbackServerContext* context,
      const inference::ModelInferRequest* request,
      inference::ModelInferResponse* response) override;
  grpc::ServerUnaryReactor* ModelConfig(
      grpc::CallbackServerContext* context,
      const inference::ModelConfigRequest* request,
      inference::ModelConfigResponse* response) override;
  grpc::ServerUnaryReactor* ModelStatistics(
      grpc::CallbackServerContext* context,
      const inference::ModelStatisticsRequest* request,
      inference::ModelStatisticsResponse* response) override;
  grpc::ServerUnaryReactor* RepositoryIndex(
      grpc::CallbackServerContext* context,
      const inference::RepositoryIndexRequest* request,
      inference::RepositoryIndexResponse* response) override;
  grpc::ServerUnaryReactor* RepositoryModelLoad(
      grpc::CallbackServerContext* context,
      const inference::RepositoryModelLoadRequest* request,
      inference::RepositoryModelLoadResponse* response) override;
  grpc::ServerUnaryReactor* RepositoryModelUnload(
      grpc::CallbackServerContext* context,
      const inference::RepositoryModelUnloadRequest* request,
      inference::RepositoryModelUnloadResponse* response) override;

 private:
  const Resources resources_;
  std::atomic<bool> serving_ = true;
};

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_OPEN_INFERENCE_SERVICE_H_
