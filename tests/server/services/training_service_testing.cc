#include "tests/server/services/training_service_testing.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/services/train_reactor.h"

namespace poe::server {

grpc::ServerBidiReactor<v1::TrainRequest, v1::TrainResponse>*
TrainOnlyService::Train(grpc::CallbackServerContext* context) {
  return NewTrainReactor(jobs_, executor_, context);
}

TrainingServiceTest::TrainingServiceTest() {
  repository_ = *ModelRepository::Open(folder_ / "models");
  TrainingJobsOptions options;
  options.data_directory = folder_ / "data";
  std::filesystem::create_directory(options.data_directory);
  jobs_ = *TrainingJobs::Open(repository_.get(), std::move(options));
  train_service_ = std::make_unique<TrainOnlyService>(jobs_.get(), &executor_);
  jobs_service_ = std::make_unique<TrainingJobsService>(jobs_.get(), &executor_,
                                                        &executor_);
  int port = 0;
  grpc::ServerBuilder builder;
  builder.RegisterService(train_service_.get());
  builder.RegisterService(jobs_service_.get());
  builder.AddListeningPort("localhost:0", grpc::InsecureServerCredentials(),
                           &port);
  server_ = builder.BuildAndStart();
  const auto local = server_->InProcessChannel(grpc::ChannelArguments());
  const auto remote = grpc::CreateChannel(absl::StrCat("localhost:", port),
                                          grpc::InsecureChannelCredentials());
  train_ = v1::ProductOfExperts::NewStub(local);
  remote_train_ = v1::ProductOfExperts::NewStub(remote);
  stub_ = v1::TrainingJobs::NewStub(local);
}

TrainingServiceTest::~TrainingServiceTest() {
  jobs_->Shutdown();
  server_->Shutdown();
  server_->Wait();
}

std::shared_ptr<TrainingJob> TrainingServiceTest::OnlyJob() const {
  const v1::ListJobsResponse list = *jobs_->List({});
  EXPECT_EQ(list.jobs_size(), 1);
  return *jobs_->Find(list.jobs(0).name());
}

bool TrainCall::Start(const v1::TrainStart& start) {
  v1::TrainRequest request;
  *request.mutable_start() = start;
  return stream_->Write(request);
}

bool TrainCall::Send(const v1::TrainChunk& chunk) {
  v1::TrainRequest request;
  *request.mutable_chunk() = chunk;
  return stream_->Write(request);
}

bool TrainCall::Read() {
  while (stream_->Read(&response_)) {
    if (!response_.has_event()) return true;
    events_.push_back(response_.event());
  }
  return false;
}

grpc::Status TrainCall::Finish() {
  while (Read()) {
  }
  return stream_->Finish();
}

}  // namespace poe::server
