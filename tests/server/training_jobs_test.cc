#include "server/training_jobs.h"

#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "server/errors.h"
#include "tests/server/training_jobs_test.h"

namespace poe::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Events in short: states, "progress", "version 1".
std::vector<std::string> Events(const TrainingJob& job) {
  std::vector<std::string> texts;
  std::int64_t number = 0;
  while (auto event =
             job.NextEvent(number + 1, JobEvents::Skip::kOldProgress)) {
    number = event->number();
    if (event->has_published_version()) {
      texts.push_back(absl::StrCat("version ", event->published_version()));
    } else if (event->has_checkpoint_update()) {
      texts.push_back("checkpoint");
    } else if (!event->has_progress()) {
      texts.push_back(v1::Job::State_Name(event->state()));
    } else if (texts.empty() || texts.back() != "progress") {
      texts.push_back("progress");
    }
  }
  return texts;
}

TEST_F(TrainingJobsTest, RowsBecomeAVersionThatAnswers) {
  const auto job = Start(QuickStart("sides"));
  EXPECT_THAT(job->name(), StartsWith("jobs/"));
  EXPECT_EQ(Spools(), 1u);
  EXPECT_EQ(*job->Append(Chunk(0, 7)), 7);
  EXPECT_EQ(*job->Append(Chunk(7, 13)), 20);
  ASSERT_TRUE(jobs_->CloseData(job).ok());
  ASSERT_EQ(WaitForEnd(*job), v1::Job::STATE_SUCCEEDED) << job->Failure();
  EXPECT_THAT(Events(*job),
              ElementsAre("STATE_RECEIVING", "STATE_QUEUED", "STATE_RUNNING",
                          "progress", "version 1", "STATE_SUCCEEDED"));
  const v1::Job ended = job->Snapshot();
  EXPECT_EQ(ended.version(), 1);
  EXPECT_EQ(ended.rows(), 20);
  EXPECT_EQ(ended.seed(), 7u);
  EXPECT_EQ(ended.model_name(), "sides");
  EXPECT_TRUE(ended.has_finished());
  EXPECT_GT(ended.progress().fraction(), 0);
  EXPECT_EQ(Spools(), 0u);
  const auto served = repository_->Find(Select("sides"));
  ASSERT_TRUE(served.ok()) << served.status();
  EXPECT_EQ(served->version, 1);
  EXPECT_EQ(served->model->num_classes(), 2);
}

TEST_F(TrainingJobsTest, AModelTellsHowItWasMade) {
  const auto job = Send(QuickStart("sides"));
  ASSERT_EQ(WaitForEnd(*job), v1::Job::STATE_SUCCEEDED) << job->Failure();
  const auto stored = repository_->Read("sides", 1);
  ASSERT_TRUE(stored.ok()) << stored.status();
  const v1::TrainingRecord& record = stored->training();
  EXPECT_EQ(record.job(), job->name());
  EXPECT_EQ(record.seed(), 7u);
  EXPECT_EQ(record.rows(), 20);
  EXPECT_EQ(record.program(), "test 1.2.3");
  EXPECT_GT(record.seconds(), 0);
  v1::TrainStart request;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(record.request(),
                                                            &request));
  EXPECT_EQ(request.DebugString(), QuickStart("sides").DebugString());
}

TEST_F(TrainingJobsTest, ChunksOfAnySizeMakeTheSameModel) {
  const auto whole = Send(QuickStart("whole"));
  const auto parts = Start(QuickStart("parts"));
  for (std::int64_t row = 0; row < 20; ++row) {
    ASSERT_EQ(*parts->Append(Chunk(row, 1)), row + 1);
  }
  ASSERT_TRUE(jobs_->CloseData(parts).ok());
  ASSERT_EQ(WaitForEnd(*whole), v1::Job::STATE_SUCCEEDED);
  ASSERT_EQ(WaitForEnd(*parts), v1::Job::STATE_SUCCEEDED);
  v1::Model a = *repository_->Read("whole", 1);
  v1::Model b = *repository_->Read("parts", 1);
  a.clear_training();
  b.clear_training();
  EXPECT_EQ(a.SerializeAsString(), b.SerializeAsString());
}

TEST_F(TrainingJobsTest, AnOffsetOutOfOrderIsToldTheRightOne) {
  const auto job = Start(QuickStart("sides"));
  ASSERT_TRUE(job->Append(Chunk(0, 5)).ok());
  for (const std::int64_t offset : {0, 4, 6, -1}) {
    const absl::Status status = job->Append(Chunk(offset, 5)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
    EXPECT_THAT(std::string(status.message()), HasSubstr("must be 5"));
  }
}

TEST_F(TrainingJobsTest, BadRowsAreNamedAndNothingOfTheirChunkIsKept) {
  const auto job = Start(QuickStart("sides"));
  ASSERT_TRUE(job->Append(Chunk(0, 4)).ok());
  const auto refused = [&](const v1::TrainChunk& chunk) {
    const auto rows = job->Append(chunk);
    EXPECT_EQ(rows.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(job->Snapshot().rows(), 4);
    return std::string(rows.status().message());
  };
  v1::TrainChunk chunk = Chunk(4, 3);
  chunk.set_labels(1, 2);
  EXPECT_THAT(refused(chunk), HasSubstr("labels[1] is 2"));
  chunk.set_labels(1, -1);
  EXPECT_THAT(refused(chunk), HasSubstr("labels[1] is -1"));
  chunk.mutable_labels()->RemoveLast();
  EXPECT_THAT(refused(chunk), HasSubstr("labels has 2 elements; must have 3"));
  chunk.clear_labels();
  EXPECT_THAT(refused(chunk), HasSubstr("labels has 0 elements"));
  chunk = Chunk(4, 3);
  chunk.mutable_observations()->mutable_dense()->set_values(
      6, std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(refused(chunk), HasSubstr("dense[1][2] is NaN"));
  chunk = Chunk(4, 3);
  chunk.mutable_observations()->mutable_dense()->set_shape(1, kDimension + 1);
  EXPECT_THAT(refused(chunk), HasSubstr("[3, 5]"));
  chunk = Chunk(4, 1);
  chunk.mutable_observations()->add_weights(-1);
  EXPECT_THAT(refused(chunk), HasSubstr("weights[0] is -1"));
  chunk = Chunk(4, 1);
  chunk.mutable_observations()->set_mask(std::string("\1\0\1", 3));
  EXPECT_THAT(refused(chunk), HasSubstr("mask has 3 elements"));
  EXPECT_TRUE(job->Append(Chunk(4, 3)).ok());
}

TEST_F(TrainingJobsTest, AClassWithoutRowsFailsBeforeTraining) {
  const auto job = Start(QuickStart("sides"));
  ASSERT_TRUE(job->Append(Chunk(0, 1)).ok());
  const absl::Status closed = jobs_->CloseData(job);
  EXPECT_EQ(closed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(closed.message()), HasSubstr("\"right\""));
  EXPECT_EQ(job->state(), v1::Job::STATE_FAILED);
  const v1::Job failed = job->Snapshot();
  EXPECT_EQ(failed.error_code(), 9);
  EXPECT_EQ(failed.error_message(), closed.message());
  EXPECT_EQ(Spools(), 0u);
}

TEST_F(TrainingJobsTest, RowsMustBeAsManyAsAnnounced) {
  v1::TrainStart start = QuickStart("sides");
  start.set_expected_rows(10);
  const auto less = Start(start);
  ASSERT_TRUE(less->Append(Chunk(0, 9)).ok());
  const absl::Status closed = jobs_->CloseData(less);
  EXPECT_EQ(closed.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(closed.message(),
            "the data ended after 9 of the 10 rows announced");
  const auto more = Start(start);
  EXPECT_EQ(more->Append(Chunk(0, 11)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(TrainingJobsTest, WhatCannotBeTrainedIsRefusedAtTheStart) {
  const auto code = [&](const v1::TrainStart& start) {
    return jobs_->Start(start).status().code();
  };
  v1::TrainStart start = QuickStart("../sides");
  EXPECT_EQ(code(start), absl::StatusCode::kInvalidArgument);
  start = QuickStart("sides");
  start.set_request_id(std::string(129, 'a'));
  EXPECT_EQ(code(start), absl::StatusCode::kInvalidArgument);
  start = QuickStart("sides");
  start.mutable_products(0)->mutable_groups(0)->set_num_experts(0);
  EXPECT_EQ(code(start), absl::StatusCode::kInvalidArgument);
  start = QuickStart("sides");
  start.set_base_version(1);
  start.add_kept_class_names("left");
  EXPECT_EQ(code(start), absl::StatusCode::kNotFound);
  start = QuickStart("sides");
  start.mutable_products(0)->mutable_groups(0)->mutable_hidden_markov();
  EXPECT_EQ(code(start), absl::StatusCode::kInvalidArgument);
  start = QuickStart("sides");
  start.set_expected_rows(SpoolLimits().rows + 1);
  EXPECT_EQ(code(start), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Spools(), 0u);
  EXPECT_EQ(jobs_->List({})->jobs_size(), 0);
}

TEST_F(TrainingJobsTest, AModelHasOneJobAtATime) {
  const auto first = Start(QuickStart("sides"));
  const auto second = jobs_->Start(QuickStart("sides"));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAborted);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(first->name()));
  first->Cancel("enough");
  EXPECT_TRUE(jobs_->Start(QuickStart("sides")).ok());
}

TEST_F(TrainingJobsTest, TheSameRequestIdIsTheSameJob) {
  v1::TrainStart start = QuickStart("sides");
  start.set_request_id("abc");
  start.clear_seed();
  const auto job = Send(start);
  const auto again = jobs_->Start(start);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(again->created);
  EXPECT_EQ(again->job, job);
  start.set_held_out_share(0.5);
  EXPECT_EQ(jobs_->Start(start).status().code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(TrainingJobsTest, AnAbandonedUploadFreesItsRequestId) {
  v1::TrainStart start = QuickStart("sides");
  start.set_request_id("abc");
  const auto job = Start(start);
  ASSERT_TRUE(job->Append(Chunk(0, 5)).ok());
  jobs_->Abandon(job, absl::CancelledError("gone"));
  EXPECT_EQ(job->state(), v1::Job::STATE_CANCELLED);
  EXPECT_EQ(Spools(), 0u);
  EXPECT_EQ(job->Append(Chunk(5, 5)).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_NE(Start(start), job);
}

TEST_F(TrainingJobsTest, AnUploadThatIsLeftWaitsAWhile) {
  TrainingJobsOptions options;
  options.upload_patience = absl::ZeroDuration();
  Reopen(options);
  v1::TrainStart start = QuickStart("sides");
  start.set_request_id("abc");
  const auto job = Start(start);
  ASSERT_TRUE(job->Append(Chunk(0, 10)).ok());
  EXPECT_FALSE(job->Attach().has_value());
  job->Leave();
  const auto sender = job->Attach();
  ASSERT_TRUE(sender.has_value());
  EXPECT_EQ(job->Append(Chunk(10, 2)).status().code(),
            absl::StatusCode::kAborted);
  EXPECT_EQ(*job->Append(Chunk(10, 2), *sender), 12);
  job->Leave();
  // The next start finds that it has waited too long.
  const auto other = Start(QuickStart("sides"));
  EXPECT_EQ(job->state(), v1::Job::STATE_CANCELLED);
}

TEST_F(TrainingJobsTest, AJobOnItsWayIsNotAbandoned) {
  const auto job = Send(QuickStart("sides"));
  jobs_->Abandon(job, absl::CancelledError("gone"));
  EXPECT_EQ(WaitForEnd(*job), v1::Job::STATE_SUCCEEDED);
  EXPECT_EQ(job->Append(Chunk(20, 1)).status().code(),
            absl::StatusCode::kAborted);
}

TEST_F(TrainingJobsTest, ARunningJobIsCancelledAndTheNextOneRuns) {
  const auto endless = Send(EndlessStart("endless"));
  const auto next = Send(QuickStart("sides"));
  ASSERT_EQ(WaitForState(*endless, v1::Job::STATE_RUNNING),
            v1::Job::STATE_RUNNING);
  EXPECT_EQ(next->state(), v1::Job::STATE_QUEUED);
  ASSERT_TRUE(jobs_->Cancel(endless->name()).ok());
  EXPECT_EQ(WaitForEnd(*endless), v1::Job::STATE_CANCELLED);
  EXPECT_EQ(endless->Snapshot().error_code(), 1);
  EXPECT_FALSE(repository_->Find(Select("endless")).ok());
  EXPECT_EQ(WaitForEnd(*next), v1::Job::STATE_SUCCEEDED);
  // Once more harms nothing.
  EXPECT_EQ(jobs_->Cancel(endless->name())->state(), v1::Job::STATE_CANCELLED);
}

TEST_F(TrainingJobsTest, AQueuedJobIsCancelledAtOnce) {
  const auto endless = Send(EndlessStart("endless"));
  const auto queued = Send(QuickStart("sides"));
  const auto cancelled = jobs_->Cancel(queued->name());
  ASSERT_TRUE(cancelled.ok());
  EXPECT_EQ(cancelled->state(), v1::Job::STATE_CANCELLED);
}

TEST_F(TrainingJobsTest, OnlyJobsThatHaveEndedAreDeleted) {
  const auto job = Start(QuickStart("sides"));
  EXPECT_EQ(jobs_->Delete(job->name()).code(),
            absl::StatusCode::kFailedPrecondition);
  job->Cancel("enough");
  EXPECT_TRUE(jobs_->Delete(job->name()).ok());
  EXPECT_EQ(jobs_->Find(job->name()).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(jobs_->Delete(job->name()).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(jobs_->Cancel("").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(TrainingJobsTest, ListsNewestFirstInPages) {
  std::vector<std::string> names;
  for (const char* model : {"a", "b", "a", "c", "a"}) {
    const auto job = Start(QuickStart(model));
    job->Cancel("enough");
    names.push_back(job->name());
  }
  v1::ListJobsRequest request;
  request.set_page_size(2);
  std::vector<std::string> listed;
  do {
    const auto page = jobs_->List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LE(page->jobs_size(), 2);
    for (const v1::Job& job : page->jobs()) listed.push_back(job.name());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(listed,
              ElementsAre(names[4], names[3], names[2], names[1], names[0]));
  request.set_model_name("a");
  request.set_page_size(3);
  EXPECT_EQ(jobs_->List(request)->jobs_size(), 3);
  EXPECT_EQ(jobs_->List(request)->next_page_token(), "");
  request.set_page_size(1001);
  EXPECT_FALSE(jobs_->List(request).ok());
  request.set_page_size(1);
  request.set_page_token("x");
  EXPECT_FALSE(jobs_->List(request).ok());
}

TEST_F(TrainingJobsTest, ADivergedJobKeepsACheckpointThatCanBePublished) {
  const auto job = Send(DivergingStart("wild"));
  ASSERT_EQ(WaitForEnd(*job), v1::Job::STATE_FAILED);
  const v1::Job failed = job->Snapshot();
  ASSERT_TRUE(failed.has_checkpoint());
  EXPECT_GT(failed.checkpoint().update(), 0);
  EXPECT_THAT(failed.checkpoint().class_names(), ElementsAre("left"));
  EXPECT_THAT(
      failed.error_message(),
      AllOf(HasSubstr("class \"left\": a parameter stopped being finite"),
            HasSubstr(absl::StrCat("checkpoint of update ",
                                   failed.checkpoint().update())),
            HasSubstr(job->name())));
  EXPECT_THAT(Events(*job),
              ElementsAre("STATE_RECEIVING", "STATE_QUEUED", "STATE_RUNNING",
                          "progress", "checkpoint", "STATE_FAILED"));
  EXPECT_FALSE(repository_->Find(Select("wild")).ok());

  for (int time = 0; time < 2; ++time) {
    const auto published = jobs_->PublishCheckpoint(job->name());
    ASSERT_TRUE(published.ok()) << published.status();
    EXPECT_EQ(published->version(), 1);
    EXPECT_EQ(published->state(), v1::Job::STATE_FAILED);
  }
  const auto served = repository_->Find(Select("wild"));
  ASSERT_TRUE(served.ok()) << served.status();
  EXPECT_EQ(served->version, 1);
  ASSERT_EQ(served->model->num_classes(), 1);
  EXPECT_TRUE(
      served->model->classes[0].layers[0].base().parameters().allFinite());
  EXPECT_EQ(repository_->Read("wild", 1)->training().job(), job->name());
}

TEST_F(TrainingJobsTest, ACheckpointGoesWithItsJob) {
  auto job = Send(DivergingStart("wild"));
  ASSERT_EQ(WaitForEnd(*job), v1::Job::STATE_FAILED);
  EXPECT_EQ(Spools(), 1u);
  ASSERT_TRUE(jobs_->Delete(job->name()).ok());
  job.reset();
  // The thread that ran it may still hold it.
  for (int i = 0; i < 1000 && Spools() > 0; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(Spools(), 0u);
}

TEST_F(TrainingJobsTest, JobsWithoutACheckpointHaveNoneToPublish) {
  const auto done = Send(QuickStart("sides"));
  WaitForEnd(*done);
  const auto running = Send(EndlessStart("endless"));
  for (const auto& job : {done, running}) {
    const absl::Status status = jobs_->PublishCheckpoint(job->name()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ReasonOf(status), "NO_CHECKPOINT");
  }
  EXPECT_EQ(jobs_->PublishCheckpoint("jobs/nope").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(TrainingJobsTest, ShutdownSuspendsWhatRunsAndTakesNoMore) {
  const auto endless = Send(EndlessStart("endless"));
  const auto queued = Send(QuickStart("queued"));
  const auto receiving = Start(QuickStart("receiving"));
  ASSERT_EQ(WaitForState(*endless, v1::Job::STATE_RUNNING),
            v1::Job::STATE_RUNNING);
  jobs_->Shutdown();
  for (const auto& job : {endless, queued}) {
    EXPECT_TRUE(job->HasEnded());
    EXPECT_EQ(job->Failure().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(job->Failure().message()),
                HasSubstr("goes on when it is back"));
  }
  EXPECT_EQ(receiving->state(), v1::Job::STATE_FAILED);
  EXPECT_EQ(jobs_->Start(QuickStart("more")).status().code(),
            absl::StatusCode::kUnavailable);
}

// Keeps whoever makes a version answer until it is released.
class SlowListener final : public ModelRepository::Listener {
 public:
  void OnLoaded(const std::string&,
                const std::vector<LoadedVersion>&) override {
    loading.Notify();
    released.WaitForNotificationWithTimeout(absl::Seconds(30));
  }

  absl::Notification loading;
  absl::Notification released;
};

TEST_F(TrainingJobsTest, SuspendingDoesNotWaitForWhatRuns) {
  SlowListener listener;
  repository_->SetListener(&listener);
  const auto job = Send(QuickStart("sides"));
  listener.loading.WaitForNotification();
  jobs_->Suspend();
  EXPECT_FALSE(job->HasEnded());
  EXPECT_EQ(jobs_->Start(QuickStart("more")).status().code(),
            absl::StatusCode::kUnavailable);
  listener.released.Notify();
  jobs_->Shutdown();
  EXPECT_EQ(job->state(), v1::Job::STATE_SUCCEEDED);
  repository_->SetListener(nullptr);
}

// Trains "right" anew beside "left" of version 1.
v1::TrainStart KeepingLeft(v1::TrainStart start) {
  start.set_base_version(1);
  start.add_kept_class_names("left");
  start.clear_data_spec();
  start.set_seed(8);
  return start;
}

TEST_F(TrainingJobsTest, ClassesOfAnEarlierVersionAreKept) {
  ASSERT_EQ(WaitForEnd(*Send(QuickStart("sides"))), v1::Job::STATE_SUCCEEDED);
  v1::TrainStart again = QuickStart("sides");
  again.set_seed(8);
  ASSERT_EQ(WaitForEnd(*Send(again)), v1::Job::STATE_SUCCEEDED);
  const auto job = Send(KeepingLeft(QuickStart("sides")));
  ASSERT_EQ(WaitForEnd(*job), v1::Job::STATE_SUCCEEDED) << job->Failure();
  EXPECT_EQ(job->Snapshot().version(), 3);
  const v1::Model base = *repository_->Read("sides", 1);
  const v1::Model anew = *repository_->Read("sides", 2);
  const v1::Model model = *repository_->Read("sides", 3);
  ASSERT_EQ(model.classes_size(), 2);
  EXPECT_EQ(model.data_spec().DebugString(), base.data_spec().DebugString());
  const auto layer = [](const v1::Model& of, int c) {
    return of.classes(c).layers(0).SerializeAsString();
  };
  EXPECT_EQ(layer(model, 0), layer(base, 0));
  EXPECT_NE(layer(model, 0), layer(anew, 0));
  EXPECT_EQ(layer(model, 1), layer(anew, 1));
  EXPECT_TRUE(model.has_separator());
  EXPECT_EQ(Spools(), 0u);
}

TEST_F(TrainingJobsTest, WhatIsKeptMustFitTheVersion) {
  ASSERT_EQ(WaitForEnd(*Send(QuickStart("sides"))), v1::Job::STATE_SUCCEEDED);
  const auto refused = [&](auto change) {
    v1::TrainStart start = KeepingLeft(QuickStart("sides"));
    change(start);
    return jobs_->Start(start).status();
  };
  const absl::Status missing = refused([](auto& s) { s.set_base_version(2); });
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), StartsWith("base_version: "));
  EXPECT_EQ(refused([](auto& s) { s.set_model_name("others"); }).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(refused([](auto& s) { s.clear_kept_class_names(); }).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(refused(
                [](auto& s) { s.mutable_data_spec()->set_dimension(5); })),
            "DIFFERS_FROM_BASE");
  EXPECT_EQ(Spools(), 0u);
}

TEST_F(TrainingJobsTest, RowsOfKeptClassesMayBeMissing) {
  ASSERT_EQ(WaitForEnd(*Send(QuickStart("sides"))), v1::Job::STATE_SUCCEEDED);
  v1::TrainChunk right = Chunk(0, 20);
  for (int& label : *right.mutable_labels()) label = 1;
  v1::TrainStart start = KeepingLeft(QuickStart("sides"));
  const auto with_separator = Start(start);
  ASSERT_TRUE(with_separator->Append(right).ok());
  EXPECT_EQ(jobs_->CloseData(with_separator).code(),
            absl::StatusCode::kFailedPrecondition);
  start.mutable_stages()->RemoveLast();
  const auto without = Start(start);
  ASSERT_TRUE(without->Append(right).ok());
  ASSERT_TRUE(jobs_->CloseData(without).ok());
  ASSERT_EQ(WaitForEnd(*without), v1::Job::STATE_SUCCEEDED)
      << without->Failure();
  const v1::Model model = *repository_->Read("sides", 2);
  EXPECT_EQ(model.classes_size(), 2);
  EXPECT_FALSE(model.has_separator());
}

TEST_F(TrainingJobsTest, ABaseVersionMayBeDeletedOnceTheJobIsAccepted) {
  ASSERT_EQ(WaitForEnd(*Send(QuickStart("sides"))), v1::Job::STATE_SUCCEEDED);
  const v1::Model base = *repository_->Read("sides", 1);
  v1::TrainStart start = KeepingLeft(LongStart("sides"));
  start.set_request_id("abc");
  const auto job = Start(start);
  ASSERT_TRUE(repository_->Delete("sides", 0).ok());
  // The same request is still the same job.
  const auto again = jobs_->Start(start);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(again->created);
  ASSERT_TRUE(job->Append(Chunk(0, 20)).ok());
  ASSERT_TRUE(jobs_->CloseData(job).ok());
  for (int restart = 0; restart < 2; ++restart) {
    WaitForState(**jobs_->Find(job->name()), v1::Job::STATE_RUNNING);
    absl::SleepFor(absl::Milliseconds(30));
    Reopen({});
  }
  const auto after = jobs_->Find(job->name());
  ASSERT_TRUE(after.ok()) << after.status();
  ASSERT_EQ(WaitForEnd(**after), v1::Job::STATE_SUCCEEDED)
      << (*after)->Failure();
  const v1::Model model =
      *repository_->Read("sides", (*after)->Snapshot().version());
  EXPECT_EQ(model.classes(0).layers(0).SerializeAsString(),
            base.classes(0).layers(0).SerializeAsString());
  EXPECT_EQ(Spools(), 0u);
}

TEST_F(TrainingJobsTest, AJobWhoseBaseIsLostFailsAfterARestart) {
  ASSERT_EQ(WaitForEnd(*Send(QuickStart("sides"))), v1::Job::STATE_SUCCEEDED);
  const auto job = Send(KeepingLeft(EndlessStart("sides")));
  WaitForState(*job, v1::Job::STATE_RUNNING);
  jobs_.reset();
  ASSERT_TRUE(std::filesystem::remove(job->files().base));
  ExpectCannotGoOn(job->name());
}

TrainingJobsOptions TightLimits() {
  TrainingJobsOptions options;
  options.unfinished_jobs = 2;
  options.ended_jobs = 2;
  options.spool.rows = 10;
  return options;
}

class LimitedTrainingJobsTest : public TrainingJobsTest {
 protected:
  LimitedTrainingJobsTest() : TrainingJobsTest(TightLimits()) {}
};

TEST_F(LimitedTrainingJobsTest, TooManyUnfinishedJobsAreRefused) {
  const auto a = Start(QuickStart("a"));
  const auto b = Start(QuickStart("b"));
  EXPECT_EQ(jobs_->Start(QuickStart("c")).status().code(),
            absl::StatusCode::kResourceExhausted);
  a->Cancel("enough");
  EXPECT_TRUE(jobs_->Start(QuickStart("c")).ok());
}

TEST_F(LimitedTrainingJobsTest, OldJobsAreForgotten) {
  std::vector<std::string> names;
  for (int i = 0; i < 4; ++i) {
    const auto job = Start(QuickStart("a"));
    job->Cancel("enough");
    names.push_back(job->name());
  }
  // The oldest went when the fourth came.
  EXPECT_FALSE(jobs_->Find(names[0]).ok());
  EXPECT_TRUE(jobs_->Find(names[1]).ok());
}

TEST_F(LimitedTrainingJobsTest, TooManyRowsAreRefused) {
  const auto job = Start(QuickStart("a"));
  ASSERT_TRUE(job->Append(Chunk(0, 10)).ok());
  EXPECT_EQ(job->Append(Chunk(10, 1)).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(TrainingJobsTest, AJobThatRunsTooLongFailsAndKeepsACheckpoint) {
  TrainingJobsOptions options;
  options.running_time = absl::Seconds(1);
  Reopen(std::move(options));
  const auto job = Send(EndlessStart("endless"));
  ASSERT_EQ(WaitForEnd(*job), v1::Job::STATE_FAILED);
  EXPECT_EQ(job->Failure().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(job->Failure().message()),
              AllOf(HasSubstr("has run for 1s, as long as"),
                    HasSubstr("poe jobs publish")));
  const v1::Job failed = job->Snapshot();
  ASSERT_TRUE(failed.has_checkpoint());
  EXPECT_GT(failed.checkpoint().update(), 0);
  EXPECT_THAT(failed.checkpoint().class_names(), ElementsAre("left"));
  const auto published = jobs_->PublishCheckpoint(job->name());
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_EQ(published->version(), 1);
  ASSERT_TRUE(jobs_->Delete(job->name()).ok());
}

TEST_F(TrainingJobsTest, AFinishedModelThatCannotBeStoredIsKept) {
  const std::string in_the_way = folder_ / "models/sides";
  WriteWholeFile(in_the_way, "no folder of versions");
  const auto job = Send(QuickStart("sides"));
  ASSERT_EQ(WaitForEnd(*job), v1::Job::STATE_FAILED);
  EXPECT_THAT(std::string(job->Failure().message()),
              HasSubstr("the finished model is kept with " + job->name()));
  EXPECT_THAT(job->Snapshot().checkpoint().class_names(),
              ElementsAre("left", "right"));
  std::filesystem::remove(in_the_way);
  Reopen({});
  const auto published = jobs_->PublishCheckpoint(job->name());
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_EQ(published->version(), 1);
  EXPECT_TRUE(repository_->Read("sides", 1)->has_separator());
}

class CountingListener : public TrainingJob::Listener {
 public:
  explicit CountingListener(const TrainingJob& job) : job_(job) {}

  void OnNews() override {
    absl::MutexLock lock(&mutex_);
    while (auto event = job_.NextEvent(last_ + 1, JobEvents::Skip::kNothing)) {
      in_order_ = in_order_ && event->number() == last_ + 1;
      last_ = event->number();
      if (job_.HasEnded()) saw_end_ = true;
    }
  }
  void WaitForEnd() {
    absl::MutexLock lock(&mutex_);
    EXPECT_TRUE(
        mutex_.AwaitWithTimeout(absl::Condition(&saw_end_), absl::Minutes(1)));
    EXPECT_TRUE(in_order_);
  }

 private:
  const TrainingJob& job_;
  absl::Mutex mutex_;
  std::int64_t last_ = 0;
  bool in_order_ = true;
  bool saw_end_ = false;
};

TEST_F(TrainingJobsTest, ListenersHearOfEveryEvent) {
  const auto job = Start(QuickStart("sides"));
  const auto listener = std::make_shared<CountingListener>(*job);
  job->Subscribe(listener);
  job->Subscribe(std::make_shared<CountingListener>(*job));  // gone at once
  ASSERT_TRUE(job->Append(Chunk(0, 20)).ok());
  ASSERT_TRUE(jobs_->CloseData(job).ok());
  listener->WaitForEnd();
}

}  // namespace
}  // namespace poe::server
