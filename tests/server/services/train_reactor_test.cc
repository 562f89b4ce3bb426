#include "server/services/train_reactor.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/services/training_service_testing.h"
#include "tests/server/training_testing.h"

namespace poe::server {
namespace {

using ::testing::HasSubstr;

class TrainReactorTest : public TrainingServiceTest {};

TEST_F(TrainReactorTest, RowsGoInAndAVersionComesOut) {
  TrainCall call(*train_);
  ASSERT_TRUE(call.Start(QuickStart("sides")));
  ASSERT_TRUE(call.Read());
  ASSERT_TRUE(call.response().has_accepted());
  const v1::Job accepted = call.response().accepted();
  EXPECT_EQ(accepted.state(), v1::Job::STATE_RECEIVING);
  ASSERT_TRUE(call.Send(Chunk(0, 12)));
  ASSERT_TRUE(call.Send(Chunk(12, 8)));
  call.HalfClose();
  ASSERT_TRUE(call.Read());
  EXPECT_EQ(call.response().acknowledged_rows(), 20);
  ASSERT_TRUE(call.Read());
  ASSERT_TRUE(call.response().has_completed());
  const v1::Job completed = call.response().completed();
  EXPECT_EQ(completed.name(), accepted.name());
  EXPECT_EQ(completed.state(), v1::Job::STATE_SUCCEEDED);
  EXPECT_EQ(completed.version(), 1);
  const grpc::Status status = call.Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(repository_->Find(Select("sides")).ok());
  EXPECT_TRUE(std::any_of(
      call.events().begin(), call.events().end(),
      [](const v1::JobEvent& event) { return event.has_progress(); }));
  for (std::size_t i = 1; i < call.events().size(); ++i) {
    EXPECT_GT(call.events()[i].number(), call.events()[i - 1].number());
  }
  EXPECT_EQ(call.events().back().state(), v1::Job::STATE_SUCCEEDED);
}

TEST_F(TrainReactorTest, LargeChunksAreAcknowledgedAsTheyCome) {
  TrainCall call(*remote_train_);
  ASSERT_TRUE(call.Start(QuickStart("sides")));
  ASSERT_TRUE(call.Read());
  // Over a megabyte each.
  constexpr std::int64_t kRows = 80'000;
  for (std::int64_t chunk = 0; chunk < 3; ++chunk) {
    ASSERT_TRUE(call.Send(Chunk(chunk * kRows, kRows)));
    ASSERT_TRUE(call.Read());
    EXPECT_EQ(call.response().acknowledged_rows(), (chunk + 1) * kRows);
  }
  call.Cancel();
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(TrainReactorTest, AChunkFirstIsRefused) {
  TrainCall call(*train_);
  call.Send(Chunk(0, 2));
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              HasSubstr("the first message must be start"));
}

v1::TrainStart FileStart() {
  v1::TrainStart start = QuickStart("sides");
  start.set_data_file("rows.csv");
  start.set_label_file("labels.csv");
  return start;
}

TEST_F(TrainReactorTest, AStartThatNamesFilesNeedsNoChunk) {
  StoreData("rows.csv", CsvRows(20));
  StoreData("labels.csv", CsvLabels(20));
  TrainCall call(*remote_train_);
  ASSERT_TRUE(call.Start(FileStart()));
  ASSERT_TRUE(call.Read());
  EXPECT_EQ(call.response().accepted().state(), v1::Job::STATE_RECEIVING);
  call.HalfClose();
  ASSERT_TRUE(call.Read());
  EXPECT_EQ(call.response().acknowledged_rows(), 0);
  ASSERT_TRUE(call.Read());
  ASSERT_TRUE(call.response().has_completed());
  EXPECT_EQ(call.response().completed().rows(), 20);
  EXPECT_TRUE(call.Finish().ok());
}

TEST_F(TrainReactorTest, AChunkBesideFilesIsRefused) {
  StoreData("rows.csv", CsvRows(20));
  StoreData("labels.csv", CsvLabels(20));
  TrainCall call(*train_);
  ASSERT_TRUE(call.Start(FileStart()));
  ASSERT_TRUE(call.Read());
  call.Send(Chunk(0, 20));
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("start has a data_file"));
  EXPECT_EQ(WaitForEnd(*OnlyJob()), v1::Job::STATE_FAILED);
}

TEST_F(TrainReactorTest, WhatIsWrongWithAFileEndsStreamAndJobAlike) {
  StoreData("rows.csv", absl::StrCat(CsvRows(20), "1,0,x,0\n"));
  StoreData("labels.csv", CsvLabels(21));
  TrainCall call(*remote_train_);
  ASSERT_TRUE(call.Start(FileStart()));
  call.HalfClose();
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              HasSubstr("data_file cannot be read: rows.csv: line 21, column "
                        "3: 'x'"));
  const v1::Job job = OnlyJob()->Snapshot();
  EXPECT_EQ(job.state(), v1::Job::STATE_FAILED);
  EXPECT_EQ(job.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(job.error_message(), status.error_message());
}

TEST_F(TrainReactorTest, AFileThatIsNotThereIsNotFound) {
  TrainCall call(*remote_train_);
  ASSERT_TRUE(call.Start(FileStart()));
  call.HalfClose();
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("data_file: cannot read"));
}

TEST_F(TrainReactorTest, ADetachedJobReadsItsFilesAndIsFoundAgain) {
  StoreData("rows.csv", CsvRows(20));
  StoreData("labels.csv", CsvLabels(20));
  v1::TrainStart start = FileStart();
  start.set_detach(true);
  start.set_request_id("abc");
  {
    TrainCall call(*remote_train_);
    ASSERT_TRUE(call.Start(start));
    call.HalfClose();
    ASSERT_TRUE(call.Read());
    ASSERT_TRUE(call.Read());
    while (!OnlyJob()->has_begun_reading()) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    call.Cancel();
    call.Finish();
  }
  TrainCall again(*train_);
  ASSERT_TRUE(again.Start(start));
  again.HalfClose();
  const grpc::Status status = again.Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(OnlyJob()->Snapshot().rows(), 20);
}

TEST_F(TrainReactorTest, AStreamWithoutAMessageIsRefused) {
  TrainCall call(*train_);
  call.HalfClose();
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(TrainReactorTest, AnEmptyMessageIsRefused) {
  grpc::ClientContext context;
  const auto stream = train_->Train(&context);
  stream->Write(v1::TrainRequest());
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(TrainReactorTest, ASecondStartEndsTheJob) {
  TrainCall call(*train_);
  ASSERT_TRUE(call.Start(QuickStart("sides")));
  call.Start(QuickStart("sides"));
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(WaitForEnd(*OnlyJob()), v1::Job::STATE_FAILED);
}

TEST_F(TrainReactorTest, ABadStartMakesNoJob) {
  v1::TrainStart start = QuickStart("sides");
  start.set_class_names(1, "left");
  TrainCall call(*train_);
  call.Start(start);
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(jobs_->List({})->jobs_size(), 0);
}

// What a chunk can get wrong, and what the client is told.
struct BadChunk {
  const char* name;
  void (*spoil)(v1::TrainChunk& chunk);
  grpc::StatusCode code;
  const char* text;
};

class BadChunkTest : public TrainReactorTest,
                     public ::testing::WithParamInterface<BadChunk> {};

TEST_P(BadChunkTest, EndsStreamAndJob) {
  TrainCall call(*train_);
  ASSERT_TRUE(call.Start(QuickStart("sides")));
  ASSERT_TRUE(call.Send(Chunk(0, 4)));
  v1::TrainChunk bad = Chunk(4, 4);
  GetParam().spoil(bad);
  call.Send(bad);
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), GetParam().code);
  EXPECT_THAT(status.error_message(), HasSubstr(GetParam().text));
  const auto job = OnlyJob();
  EXPECT_EQ(WaitForEnd(*job), v1::Job::STATE_FAILED);
  EXPECT_EQ(job->Snapshot().error_code(), GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadChunkTest,
    ::testing::Values(
        BadChunk{"OutOfOrder",
                 [](v1::TrainChunk& chunk) { chunk.set_row_offset(8); },
                 grpc::StatusCode::OUT_OF_RANGE, "must be 4"},
        BadChunk{"WrongDimension",
                 [](v1::TrainChunk& chunk) {
                   auto* dense = chunk.mutable_observations()->mutable_dense();
                   dense->set_shape(0, 8);
                   dense->set_shape(1, 2);
                 },
                 grpc::StatusCode::INVALID_ARGUMENT, "[8, 2]"},
        BadChunk{"BadLabel",
                 [](v1::TrainChunk& chunk) { chunk.set_labels(3, 9); },
                 grpc::StatusCode::INVALID_ARGUMENT, "labels[3] is 9"},
        BadChunk{"NoRows",
                 [](v1::TrainChunk& chunk) { chunk.clear_observations(); },
                 grpc::StatusCode::INVALID_ARGUMENT, "observations"}),
    [](const auto& info) { return info.param.name; });

TEST_F(TrainReactorTest, AClassWithoutRowsIsNamed) {
  TrainCall call(*train_);
  ASSERT_TRUE(call.Start(QuickStart("sides")));
  ASSERT_TRUE(call.Send(Chunk(0, 1)));
  call.HalfClose();
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("\"right\""));
}

TEST_F(TrainReactorTest, AStreamThatEndsBeforeItsRowsIsTold) {
  v1::TrainStart start = QuickStart("sides");
  start.set_expected_rows(100);
  TrainCall call(*train_);
  ASSERT_TRUE(call.Start(start));
  ASSERT_TRUE(call.Send(Chunk(0, 10)));
  call.HalfClose();
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("10 of the 100 rows"));
}

// A stream that is reset must not pass for one that is complete.
TEST_F(TrainReactorTest, AStreamThatBreaksWhileItSendsCancelsTheJob) {
  for (auto* stub : {train_.get(), remote_train_.get()}) {
    for (int i = 0; i < 20; ++i) {
      v1::TrainStart start = QuickStart("sides");
      start.set_detach(true);
      std::string name;
      {
        TrainCall call(*stub);
        ASSERT_TRUE(call.Start(start));
        ASSERT_TRUE(call.Read());
        name = call.response().accepted().name();
        ASSERT_TRUE(call.Send(Chunk(0, 10)));
        call.Cancel();
        EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::CANCELLED);
      }
      const auto job = *jobs_->Find(name);
      EXPECT_EQ(WaitForEnd(*job), v1::Job::STATE_CANCELLED);
    }
  }
  EXPECT_FALSE(repository_->Find(Select("sides")).ok());
}

TEST_F(TrainReactorTest, ABrokenUploadGoesOnWhereItGotTo) {
  v1::TrainStart start = QuickStart("sides");
  start.set_request_id("abc");
  {
    TrainCall call(*remote_train_);
    ASSERT_TRUE(call.Start(start));
    ASSERT_TRUE(call.Read());
    ASSERT_TRUE(call.Send(Chunk(0, 10)));
    call.Cancel();
    EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  const auto job = OnlyJob();
  for (int i = 0; i < 1000 && job->left_at() == SteadyTime::max(); ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(job->state(), v1::Job::STATE_RECEIVING);
  TrainCall again(*remote_train_);
  ASSERT_TRUE(again.Start(start));
  ASSERT_TRUE(again.Read());
  EXPECT_EQ(again.response().accepted().name(), job->name());
  const std::int64_t rows = again.response().accepted().rows();
  EXPECT_TRUE(rows == 0 || rows == 10) << rows;
  // The first sender is too late.
  EXPECT_EQ(job->Append(Chunk(rows, 2)).status().code(),
            absl::StatusCode::kAborted);
  ASSERT_TRUE(again.Send(Chunk(rows, 20 - rows)));
  again.HalfClose();
  EXPECT_TRUE(again.Finish().ok());
  EXPECT_EQ(job->state(), v1::Job::STATE_SUCCEEDED);
  EXPECT_EQ(job->Snapshot().rows(), 20);
}

TEST_F(TrainReactorTest, AStreamThatBreaksLaterCancelsTheJobToo) {
  TrainCall call(*remote_train_);
  ASSERT_TRUE(call.Start(EndlessStart("sides")));
  ASSERT_TRUE(call.Send(Chunk(0, 10)));
  call.HalfClose();
  ASSERT_TRUE(call.Read());
  const auto job = OnlyJob();
  ASSERT_EQ(WaitForState(*job, v1::Job::STATE_RUNNING), v1::Job::STATE_RUNNING);
  call.Cancel();
  EXPECT_EQ(WaitForEnd(*job), v1::Job::STATE_CANCELLED);
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(TrainReactorTest, ADetachedJobGoesOnAndIsFoundAgain) {
  v1::TrainStart start = EndlessStart("sides");
  start.set_detach(true);
  start.set_request_id("abc");
  {
    TrainCall call(*remote_train_);
    ASSERT_TRUE(call.Start(start));
    ASSERT_TRUE(call.Send(Chunk(0, 10)));
    call.HalfClose();
    ASSERT_TRUE(call.Read());
    ASSERT_EQ(WaitForState(*OnlyJob(), v1::Job::STATE_RUNNING),
              v1::Job::STATE_RUNNING);
    call.Cancel();
    EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  const auto job = OnlyJob();
  TrainCall again(*train_);
  ASSERT_TRUE(again.Start(start));
  ASSERT_TRUE(again.Read());
  EXPECT_EQ(again.response().accepted().name(), job->name());
  EXPECT_EQ(again.response().accepted().rows(), 10);
  // Rows that are there already do no harm.
  ASSERT_TRUE(again.Send(Chunk(0, 10)));
  again.HalfClose();
  EXPECT_EQ(job->state(), v1::Job::STATE_RUNNING);
  job->Cancel("the test is over");
  const grpc::Status status = again.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(status.error_message(), "the test is over");
  EXPECT_EQ(again.events().back().state(), v1::Job::STATE_CANCELLED);
}

TEST_F(TrainReactorTest, TwoStreamsDoNotSendTheSameJob) {
  v1::TrainStart start = QuickStart("sides");
  start.set_request_id("abc");
  TrainCall first(*train_);
  ASSERT_TRUE(first.Start(start));
  ASSERT_TRUE(first.Read());
  TrainCall second(*train_);
  second.Start(start);
  EXPECT_EQ(second.Finish().error_code(), grpc::StatusCode::ABORTED);
  ASSERT_TRUE(first.Send(Chunk(0, 10)));
  first.HalfClose();
  EXPECT_TRUE(first.Finish().ok());
}

TEST_F(TrainReactorTest, CancellingTheJobEndsAStreamThatSends) {
  TrainCall call(*train_);
  ASSERT_TRUE(call.Start(QuickStart("sides")));
  ASSERT_TRUE(call.Read());
  OnlyJob()->Cancel("somebody else said so");
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(status.error_message(), "somebody else said so");
}

// Holds the only thread of an executor, as a disk that stalls would.
class StalledDisk {
 public:
  explicit StalledDisk(Executor& executor) {
    const auto begun = std::make_shared<absl::Notification>();
    const absl::Status submitted =
        executor.Submit({.check = [] { return absl::OkStatus(); },
                         .run =
                             [begun, end = end_](const absl::Status&) {
                               begun->Notify();
                               end->WaitForNotification();
                             }});
    EXPECT_TRUE(submitted.ok()) << submitted;
    if (submitted.ok()) begun->WaitForNotification();
  }
  ~StalledDisk() { end_->Notify(); }
  StalledDisk(const StalledDisk&) = delete;
  StalledDisk& operator=(const StalledDisk&) = delete;

 private:
  const std::shared_ptr<absl::Notification> end_ =
      std::make_shared<absl::Notification>();
};

// Whether so many tasks come to wait for the executor.
bool ComeToWait(const Executor& executor, std::size_t tasks) {
  for (int i = 0; i < 5000 && executor.QueueDepth() != tasks; ++i) {
    absl::SleepFor(absl::Milliseconds(2));
  }
  return executor.QueueDepth() == tasks;
}

TEST_F(TrainReactorTest, WhileTheDiskStallsOtherCallsAreAnswered) {
  constexpr std::size_t kCalls = 12;
  std::vector<std::unique_ptr<TrainCall>> calls;
  {
    const StalledDisk stalled(executor_);
    for (std::size_t i = 0; i < kCalls; ++i) {
      calls.push_back(std::make_unique<TrainCall>(*remote_train_));
      ASSERT_TRUE(calls[i]->Start(QuickStart(absl::StrCat("model", i))));
    }
    EXPECT_TRUE(ComeToWait(executor_, kCalls));
    grpc::ClientContext context;
    v1::ListJobsResponse listed;
    EXPECT_TRUE(stub_->ListJobs(&context, {}, &listed).ok());
    EXPECT_EQ(listed.jobs_size(), 0);
  }
  for (const auto& call : calls) {
    ASSERT_TRUE(call->Read());
    EXPECT_TRUE(call->response().has_accepted());
    call->Cancel();
    EXPECT_EQ(call->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
}

TEST_F(TrainReactorTest, OneChunkAtATimeWaitsForTheDisk) {
  TrainCall call(*remote_train_);
  ASSERT_TRUE(call.Start(QuickStart("sides")));
  ASSERT_TRUE(call.Read());
  const auto job = OnlyJob();
  {
    const StalledDisk stalled(executor_);
    ASSERT_TRUE(call.Send(Chunk(0, 12)));
    ASSERT_TRUE(call.Send(Chunk(12, 8)));
    call.HalfClose();
    EXPECT_TRUE(ComeToWait(executor_, 1));
    absl::SleepFor(absl::Milliseconds(20));
    EXPECT_EQ(executor_.QueueDepth(), 1u);
    EXPECT_EQ(job->Snapshot().rows(), 0);
  }
  ASSERT_TRUE(call.Read());
  EXPECT_EQ(call.response().acknowledged_rows(), 20);
  EXPECT_TRUE(call.Finish().ok());
  EXPECT_EQ(job->state(), v1::Job::STATE_SUCCEEDED);
}

TEST_F(TrainReactorTest, AnUploadThatBreaksWhileTheDiskStallsGoesOn) {
  v1::TrainStart start = QuickStart("sides");
  start.set_request_id("abc");
  TrainCall call(*remote_train_);
  ASSERT_TRUE(call.Start(start));
  ASSERT_TRUE(call.Read());
  const auto job = OnlyJob();
  {
    const StalledDisk stalled(executor_);
    ASSERT_TRUE(call.Send(Chunk(0, 10)));
    EXPECT_TRUE(ComeToWait(executor_, 1));
    call.Cancel();
    EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::CANCELLED);
    // The server hears of it a little later.
    absl::SleepFor(absl::Milliseconds(100));
  }
  for (int i = 0; i < 1000 && job->left_at() == SteadyTime::max(); ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(job->state(), v1::Job::STATE_RECEIVING);
  const std::int64_t rows = job->Snapshot().rows();
  TrainCall again(*remote_train_);
  ASSERT_TRUE(again.Start(start));
  ASSERT_TRUE(again.Read());
  EXPECT_EQ(again.response().accepted().rows(), rows);
  ASSERT_TRUE(again.Send(Chunk(rows, 20 - rows)));
  again.HalfClose();
  EXPECT_TRUE(again.Finish().ok());
}

TEST_F(TrainReactorTest, ADetachedJobWhoseDataAreBeingClosedOutlivesItsClient) {
  v1::TrainStart start = QuickStart("sides");
  start.set_detach(true);
  TrainCall call(*remote_train_);
  ASSERT_TRUE(call.Start(start));
  ASSERT_TRUE(call.Read());
  const auto job = OnlyJob();
  ASSERT_TRUE(call.Send(Chunk(0, 20)));
  for (int i = 0; i < 1000 && job->Snapshot().rows() < 20; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  {
    const StalledDisk stalled(executor_);
    call.HalfClose();
    ASSERT_TRUE(call.Read());
    EXPECT_EQ(call.response().acknowledged_rows(), 20);
    EXPECT_TRUE(ComeToWait(executor_, 1));
    EXPECT_EQ(job->state(), v1::Job::STATE_RECEIVING);
    call.Cancel();
    EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::CANCELLED);
    absl::SleepFor(absl::Milliseconds(100));
  }
  EXPECT_EQ(WaitForEnd(*job), v1::Job::STATE_SUCCEEDED);
}

TEST_F(TrainReactorTest, AClientThatNeverReadsIsServedAllTheSame) {
  TrainCall call(*remote_train_);
  ASSERT_TRUE(call.Start(QuickStart("sides")));
  ASSERT_TRUE(call.Send(Chunk(0, 20)));
  call.HalfClose();
  const auto found = [&] { return repository_->Find(Select("sides")).ok(); };
  for (int i = 0; i < 10'000 && !found(); ++i) {
    absl::SleepFor(absl::Milliseconds(2));
  }
  EXPECT_TRUE(found());
  EXPECT_TRUE(call.Finish().ok());
}

}  // namespace
}  // namespace poe::server
