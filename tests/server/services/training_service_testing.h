// The services that train, in this process, with stubs to talk to them.
#ifndef POE_TESTS_SERVER_SERVICES_TRAINING_SERVICE_TESTING_H_
#define POE_TESTS_SERVER_SERVICES_TRAINING_SERVICE_TESTING_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "poe/v1/scoring.grpc.pb.h"
#include "poe/v1/training.grpc.pb.h"
#include "server/executor.h"
#include "server/model_repository.h"
#include "server/services/training_jobs_service.h"
#include "server/training_jobs.h"
#include "tests/server/repository_testing.h"

namespace poe::server {

// Train alone of the service that it is part of.
class TrainOnlyService final : public v1::ProductOfExperts::CallbackService {
 public:
  TrainOnlyService(TrainingJobs* jobs, Executor* executor)
      : jobs_(*jobs), executor_(*executor) {}
  grpc::ServerBidiReactor<v1::TrainRequest, v1::TrainResponse>* Train(
      grpc::CallbackServerContext* context) override;

 private:
  TrainingJobs& jobs_;
  Executor& executor_;
};

class TrainingServiceTest : public ::testing::Test {
 protected:
  TrainingServiceTest();
  ~TrainingServiceTest() override;

  // A file below the folder that trainings may read.
  void StoreData(absl::string_view name, absl::string_view contents) const {
    WriteWholeFile(folder_.path() / "data" / std::string(name), contents);
  }
  // The only job there is.
  std::shared_ptr<TrainingJob> OnlyJob() const;

  TemporaryFolder folder_;
  std::unique_ptr<ModelRepository> repository_;
  std::unique_ptr<TrainingJobs> jobs_;
  Executor executor_{1, 16};
  std::unique_ptr<TrainOnlyService> train_service_;
  std::unique_ptr<TrainingJobsService> jobs_service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::ProductOfExperts::Stub> train_;
  // The same over a socket.
  std::unique_ptr<v1::ProductOfExperts::Stub> remote_train_;
  std::unique_ptr<v1::TrainingJobs::Stub> stub_;
};

// A Train call by hand.
class TrainCall {
 public:
  explicit TrainCall(v1::ProductOfExperts::Stub& stub)
      : stream_(stub.Train(&context_)) {}

  bool Start(const v1::TrainStart& start);
  bool Send(const v1::TrainChunk& chunk);
  // The next response but events, which are collected; false at the end.
  bool Read();
  void HalfClose() { stream_->WritesDone(); }
  void Cancel() { context_.TryCancel(); }
  // Reads to the end.
  grpc::Status Finish();

  const v1::TrainResponse& response() const { return response_; }
  const std::vector<v1::JobEvent>& events() const { return events_; }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::TrainRequest, v1::TrainResponse>>
      stream_;
  v1::TrainResponse response_;
  std::vector<v1::JobEvent> events_;
};

}  // namespace poe::server

#endif  // POE_TESTS_SERVER_SERVICES_TRAINING_SERVICE_TESTING_H_
