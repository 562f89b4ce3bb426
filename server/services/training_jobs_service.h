// poe.v1.TrainingJobs.
#ifndef POE_SERVER_SERVICES_TRAINING_JOBS_SERVICE_H_
#define POE_SERVER_SERVICES_TRAINING_JOBS_SERVICE_H_

#include "google/protobuf/empty.pb.h"
#include "grpcpp/grpcpp.h"
#include "poe/v1/training.grpc.pb.h"
#include "server/executor.h"
#include "server/training_jobs.h"

namespace poe::server {

// Thread-safe. What is in memory is answered in the thread that gRPC calls,
// what needs files in an executor's.
class TrainingJobsService final : public v1::TrainingJobs::CallbackService {
 public:
  // All must outlive the service. `publishing` waits for the repository, which
  // may be loading a model; `executor` need not.
  TrainingJobsService(TrainingJobs* jobs, Executor* executor,
                      Executor* publishing)
      : jobs_(*jobs), executor_(*executor), publishing_(*publishing) {}

  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const v1::GetJobRequest* request,
                                   v1::Job* response) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override;
  grpc::ServerWriteReactor<v1::JobEvent>* WatchJob(
      grpc::CallbackServerContext* context,
      const v1::WatchJobRequest* request) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const v1::CancelJobRequest* request,
                                      v1::Job* response) override;
  grpc::ServerUnaryReactor* PublishCheckpoint(
      grpc::CallbackServerContext* context,
      const v1::PublishCheckpointRequest* request, v1::Job* response) override;
  grpc::ServerUnaryReactor* DeleteJob(
      grpc::CallbackServerContext* context, const v1::DeleteJobRequest* request,
      google::protobuf::Empty* response) override;

 private:
  TrainingJobs& jobs_;
  Executor& executor_;
  Executor& publishing_;
};

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_TRAINING_JOBS_SERVICE_H_
