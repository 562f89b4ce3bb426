#include "server/services/training_jobs_service.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/services/training_service_testing.h"
#include "tests/server/training_testing.h"

namespace poe::server {
namespace {

class TrainingJobsServiceTest : public TrainingServiceTest {
 protected:
  std::shared_ptr<TrainingJob> Send(const v1::TrainStart& start) {
    const auto job = jobs_->Start(start)->job;
    EXPECT_TRUE(job->Append(Chunk(0, 20)).ok());
    EXPECT_TRUE(jobs_->CloseData(job).ok());
    return job;
  }

  grpc::Status Get(const std::string& name, v1::Job* job) {
    grpc::ClientContext context;
    v1::GetJobRequest request;
    request.set_name(name);
    return stub_->GetJob(&context, request, job);
  }

  // All events from a number on.
  grpc::Status Watch(const std::string& name, std::int64_t from,
                     std::vector<v1::JobEvent>* events) {
    grpc::ClientContext context;
    v1::WatchJobRequest request;
    request.set_name(name);
    request.set_from_event(from);
    const auto stream = stub_->WatchJob(&context, request);
    v1::JobEvent event;
    while (stream->Read(&event)) events->push_back(event);
    return stream->Finish();
  }
};

TEST_F(TrainingJobsServiceTest, TellsOfAJob) {
  const auto job = Send(QuickStart("sides"));
  WaitForEnd(*job);
  v1::Job told;
  ASSERT_TRUE(Get(job->name(), &told).ok());
  EXPECT_EQ(told.DebugString(), job->Snapshot().DebugString());
  grpc::ClientContext context;
  v1::ListJobsResponse list;
  ASSERT_TRUE(stub_->ListJobs(&context, {}, &list).ok());
  ASSERT_EQ(list.jobs_size(), 1);
  EXPECT_EQ(list.jobs(0).name(), job->name());
}

TEST_F(TrainingJobsServiceTest, UnknownJobsAreNotFound) {
  v1::Job job;
  EXPECT_EQ(Get("jobs/nope", &job).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Get("", &job).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  std::vector<v1::JobEvent> events;
  EXPECT_EQ(Watch("jobs/nope", 1, &events).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(TrainingJobsServiceTest, AWatcherSeesEveryEventOnce) {
  const auto job = jobs_->Start(QuickStart("sides"))->job;
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_name(job->name());
  const auto stream = stub_->WatchJob(&context, request);
  v1::JobEvent event;
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.state(), v1::Job::STATE_RECEIVING);
  ASSERT_TRUE(job->Append(Chunk(0, 20)).ok());
  ASSERT_TRUE(jobs_->CloseData(job).ok());
  std::int64_t number = 1;
  while (stream->Read(&event)) EXPECT_EQ(event.number(), ++number);
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(event.state(), v1::Job::STATE_SUCCEEDED);

  std::vector<v1::JobEvent> rest;
  EXPECT_TRUE(Watch(job->name(), number - 1, &rest).ok());
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(rest[0].published_version(), 1);
  EXPECT_EQ(rest[1].number(), number);
  rest.clear();
  EXPECT_TRUE(Watch(job->name(), number + 1, &rest).ok());
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(Watch(job->name(), -1, &rest).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(TrainingJobsServiceTest, BeyondTheLastEventComesTheNext) {
  const auto job = Send(EndlessStart("sides"));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::minutes(1));
  v1::WatchJobRequest request;
  request.set_name(job->name());
  request.set_from_event(1'000'000);
  const auto stream = stub_->WatchJob(&context, request);
  v1::JobEvent event;
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_LT(event.number(), 1'000);
  job->Cancel("enough");
  while (stream->Read(&event)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(event.state(), v1::Job::STATE_CANCELLED);
}

TEST_F(TrainingJobsServiceTest, AWatcherMayLeaveWhileTheJobRuns) {
  const auto job = Send(EndlessStart("sides"));
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    v1::WatchJobRequest request;
    request.set_name(job->name());
    const auto stream = stub_->WatchJob(&context, request);
    v1::JobEvent event;
    ASSERT_TRUE(stream->Read(&event));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_FALSE(job->HasEnded());
}

TEST_F(TrainingJobsServiceTest, PublishesACheckpoint) {
  const auto job = Send(DivergingStart("wild"));
  ASSERT_EQ(WaitForEnd(*job), v1::Job::STATE_FAILED);
  v1::PublishCheckpointRequest request;
  request.set_name(job->name());
  v1::Job told;
  grpc::ClientContext context;
  const grpc::Status status =
      stub_->PublishCheckpoint(&context, request, &told);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(told.version(), 1);
  EXPECT_EQ(told.DebugString(), job->Snapshot().DebugString());
}

TEST_F(TrainingJobsServiceTest, CancelsAndDeletes) {
  const auto job = Send(EndlessStart("sides"));
  v1::DeleteJobRequest remove;
  remove.set_name(job->name());
  google::protobuf::Empty empty;
  {
    grpc::ClientContext context;
    EXPECT_EQ(stub_->DeleteJob(&context, remove, &empty).error_code(),
              grpc::StatusCode::FAILED_PRECONDITION);
  }
  {
    grpc::ClientContext context;
    v1::CancelJobRequest cancel;
    cancel.set_name(job->name());
    v1::Job told;
    EXPECT_TRUE(stub_->CancelJob(&context, cancel, &told).ok());
  }
  EXPECT_EQ(WaitForEnd(*job), v1::Job::STATE_CANCELLED);
  grpc::ClientContext context;
  EXPECT_TRUE(stub_->DeleteJob(&context, remove, &empty).ok());
  v1::Job told;
  EXPECT_EQ(Get(job->name(), &told).error_code(), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace poe::server
