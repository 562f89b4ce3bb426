// Questions to trained models, and training.
#ifndef POE_SERVER_SERVICES_PRODUCT_OF_EXPERTS_SERVICE_H_
#define POE_SERVER_SERVICES_PRODUCT_OF_EXPERTS_SERVICE_H_

#include <atomic>

#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "poe/numerics/workers.h"
#include "poe/v1/scoring.grpc.pb.h"
#include "server/codec/request_codec.h"
#include "server/executor.h"
#include "server/model_repository.h"
#include "server/services/batched_answer.h"
#include "server/training_jobs.h"

namespace poe::server {

class ProductOfExpertsService final
    : public v1::ProductOfExperts::CallbackService {
 public:
  // All must outlive the service.
  struct Resources {
    const ModelRepository& repository;
    TrainingJobs& jobs;
    // Answer Score and Reconstruct.
    Batching batching;
    // Share the rows of Sample.
    const Workers& workers;
    // Runs Sample, whose threads wait for their clients.
    Executor& sampling;
    // Writes what Train brings; `jobs` must outlive it.
    Executor& uploads;
    RequestLimits limits;
    // Calls of Score that are answered at a time in the threads that gRPC calls
    // back; others of them wait for a batch. Must be fewer than gRPC has, of
    // which there are two at least: the last one takes what comes, so that it
    // is counted and, if it is too much, refused.
    int quick_calls = 1;
    // How long a client of Sample may take over one message.
    absl::Duration patience = absl::Minutes(1);
  };

  explicit ProductOfExpertsService(const Resources& resources)
      : resources_(resources) {}

  grpc::ServerUnaryReactor* Score(grpc::CallbackServerContext* context,
                                  const v1::ScoreRequest* request,
                                  v1::ScoreResponse* response) override;
  grpc::ServerBidiReactor<v1::ScoreRequest, v1::ScoreResponse>* ScoreStream(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Reconstruct(
      grpc::CallbackServerContext* context,
      const v1::ReconstructRequest* request,
      v1::ReconstructResponse* response) override;
  grpc::ServerWriteReactor<v1::SampleResponse>* Sample(
      grpc::CallbackServerContext* context,
      const v1::SampleRequest* request) override;
  grpc::ServerBidiReactor<v1::TrainRequest, v1::TrainResponse>* Train(
      grpc::CallbackServerContext* context) override;

 private:
  const Resources resources_;
  // Small calls of Score on the threads of gRPC, those included that find too
  // many others there.
  std::atomic<int> small_calls_ = 0;
};

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_PRODUCT_OF_EXPERTS_SERVICE_H_
