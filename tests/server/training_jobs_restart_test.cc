// Jobs that an earlier process has left.
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/v1/job_record.pb.h"
#include "server/training_jobs.h"
#include "tests/server/training_jobs_test.h"

namespace poe::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A stored model but for the record of its training.
std::string StoredBytes(const ModelRepository& repository,
                        absl::string_view name) {
  auto model = repository.Read(name, 1);
  EXPECT_TRUE(model.ok()) << model.status();
  if (!model.ok()) return "";
  model->clear_training();
  return model->SerializeAsString();
}

TEST_F(TrainingJobsTest, ASuspendedJobEndsWithTheSameBits) {
  ASSERT_EQ(WaitForEnd(*Send(LongStart("undisturbed"))),
            v1::Job::STATE_SUCCEEDED);
  v1::TrainStart start = LongStart("disturbed");
  start.set_request_id("abc");
  std::string name = Send(start)->name();
  for (int restart = 0; restart < 3; ++restart) {
    WaitForState(**jobs_->Find(name), v1::Job::STATE_RUNNING);
    absl::SleepFor(absl::Milliseconds(30));
    Reopen({});
    EXPECT_EQ((*jobs_->Find(name))->Snapshot().rows(), 20);
  }
  // The same request is still the same job.
  const auto again = jobs_->Start(start);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(again->created);
  EXPECT_EQ(again->job->name(), name);
  ASSERT_EQ(WaitForEnd(*again->job), v1::Job::STATE_SUCCEEDED);
  EXPECT_EQ(StoredBytes(*repository_, "disturbed"),
            StoredBytes(*repository_, "undisturbed"));
  EXPECT_EQ(Spools(), 0u);
}

// Files that are replaced or removed meanwhile may be left out.
void CopyWhatIsThere(const std::filesystem::path& from,
                     const std::filesystem::path& to) {
  std::filesystem::create_directories(to);
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    const std::filesystem::path copy = to / entry.path().filename();
    std::error_code gone;
    if (entry.is_directory(gone)) {
      CopyWhatIsThere(entry.path(), copy);
    } else {
      std::filesystem::copy_file(entry.path(), copy, gone);
    }
  }
}

TEST_F(TrainingJobsTest, WhatACrashLeavesGoesOnWithTheSameBits) {
  ReopenWithSnapshots();
  ASSERT_EQ(WaitForEnd(*Send(LongStart("undisturbed"))),
            v1::Job::STATE_SUCCEEDED);
  const auto job = Send(LongStart("disturbed"));
  const auto queued = Send(LongStart("queued"));
  WaitForState(*job, v1::Job::STATE_RUNNING);
  for (int moment = 0; moment < 3; ++moment) {
    absl::SleepFor(absl::Milliseconds(20));
    // The disk as it is at this moment.
    const std::string crashed = folder_ / absl::StrCat("crashed", moment);
    CopyWhatIsThere(folder_ / "models", crashed);
    const auto repository = ModelRepository::Open(crashed);
    ASSERT_TRUE(repository.ok()) << repository.status();
    const auto jobs = TrainingJobs::Open(repository->get(), {});
    ASSERT_TRUE(jobs.ok()) << jobs.status();
    for (const auto& before : {job, queued}) {
      const auto after = (*jobs)->Find(before->name());
      ASSERT_TRUE(after.ok()) << after.status();
      ASSERT_EQ(WaitForEnd(**after), v1::Job::STATE_SUCCEEDED);
      EXPECT_EQ(StoredBytes(**repository, before->start().model_name()),
                StoredBytes(*repository_, "undisturbed"));
    }
  }
}

v1::JobRecord RecordOf(const TrainingJob& job) {
  v1::JobRecord record;
  EXPECT_TRUE(record.ParseFromString(ReadWholeFile(job.files().record)));
  return record;
}

// As if so many processes had begun to run the job and not survived it.
void SetStarts(const TrainingJob& job, int starts) {
  v1::JobRecord record = RecordOf(job);
  record.set_starts(starts);
  WriteWholeFile(job.files().record, record.SerializeAsString());
}

// Whether the record comes to have so many starts within a minute.
bool ComesToStarts(const TrainingJob& job, int starts) {
  for (int i = 0; i < 6000 && RecordOf(job).starts() != starts; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  return RecordOf(job).starts() == starts;
}

TEST_F(TrainingJobsTest, StartsAreCountedUntilASnapshotOrAnEndAsTold) {
  const auto job = Send(EndlessStart("endless"));
  WaitForState(*job, v1::Job::STATE_RUNNING);
  EXPECT_EQ(RecordOf(*job).starts(), 0);
  jobs_.reset();
  SetStarts(*job, 1);
  Reopen({});
  EXPECT_TRUE(ComesToStarts(*job, 2));
  jobs_.reset();
  EXPECT_EQ(RecordOf(*job).starts(), 0);
  SetStarts(*job, 1);
  ReopenWithSnapshots();
  EXPECT_TRUE(ComesToStarts(*job, 0));
  EXPECT_EQ((*jobs_->Find(job->name()))->state(), v1::Job::STATE_RUNNING);
}

TEST_F(TrainingJobsTest, AJobThatOftenEndedTheServerWaitsAndLetsOthersPass) {
  const auto job = Send(EndlessStart("endless"));
  const auto other = Send(QuickStart("sides"));
  WaitForState(*job, v1::Job::STATE_RUNNING);
  jobs_.reset();
  SetStarts(*job, 7);
  Reopen({});
  EXPECT_EQ(WaitForEnd(**jobs_->Find(other->name())), v1::Job::STATE_SUCCEEDED);
  const std::shared_ptr<TrainingJob> waits = *jobs_->Find(job->name());
  EXPECT_EQ(waits->state(), v1::Job::STATE_QUEUED);
  std::int64_t number = 0;
  std::string message;
  while (const auto event =
             waits->NextEvent(number + 1, JobEvents::Skip::kNothing)) {
    number = event->number();
    if (event->has_message()) message = event->message();
  }
  EXPECT_EQ(message,
            "the server has ended 7 times in a row while it ran this job; it "
            "waits 2m40s before it runs again");
  EXPECT_EQ(jobs_->Cancel(job->name())->state(), v1::Job::STATE_CANCELLED);
  EXPECT_EQ(Spools(), 0u);
}

TEST_F(TrainingJobsTest, AJobThatAlwaysEndsTheServerFails) {
  const auto job = Send(EndlessStart("endless"));
  WaitForState(*job, v1::Job::STATE_RUNNING);
  jobs_.reset();
  SetStarts(*job, 8);
  for (int restart = 0; restart < 2; ++restart) {
    Reopen({});
    const std::shared_ptr<TrainingJob> failed = *jobs_->Find(job->name());
    EXPECT_EQ(failed->state(), v1::Job::STATE_FAILED);
    EXPECT_THAT(std::string(failed->Failure().message()),
                HasSubstr("has ended 8 times in a row while it ran this job"));
    EXPECT_EQ(Spools(), 0u);
  }
}

TEST_F(TrainingJobsTest, AJobIsNotPublishedTwice) {
  const auto job = Start(QuickStart("sides"));
  ASSERT_TRUE(job->Append(Chunk(0, 20)).ok());
  ASSERT_TRUE(jobs_->CloseData(job).ok());
  ASSERT_EQ(WaitForEnd(*job), v1::Job::STATE_SUCCEEDED);
  // As if the process had ended between the version and the record.
  v1::JobRecord record;
  ASSERT_TRUE(record.ParseFromString(ReadWholeFile(job->files().record)));
  record.mutable_job()->set_state(v1::Job::STATE_QUEUED);
  record.mutable_job()->clear_version();
  record.mutable_job()->clear_finished();
  jobs_.reset();
  WriteWholeFile(job->files().record, record.SerializeAsString());
  std::filesystem::create_directory(job->files().rows);
  WriteWholeFile(job->files().rows + "/values", std::string(20 * 4 * 4, 'x'));
  WriteWholeFile(job->files().rows + "/labels", std::string(20 * 4, 'x'));
  Reopen({});
  const auto after = jobs_->Find(job->name());
  ASSERT_TRUE(after.ok()) << after.status();
  ASSERT_EQ(WaitForEnd(**after), v1::Job::STATE_SUCCEEDED);
  EXPECT_EQ((*after)->Snapshot().version(), 1);
  EXPECT_EQ(repository_->Get("sides")->versions_size(), 1);
}

TEST_F(TrainingJobsTest, EndedJobsAreThereAfterARestart) {
  const auto done = Send(QuickStart("sides"));
  ASSERT_EQ(WaitForEnd(*done), v1::Job::STATE_SUCCEEDED);
  const auto diverged = Send(DivergingStart("diverges"));
  ASSERT_EQ(WaitForEnd(*diverged), v1::Job::STATE_FAILED);
  const auto endless = Send(EndlessStart("endless"));
  const auto cancelled = Send(QuickStart("cancelled"));
  cancelled->Cancel("no longer wanted");
  endless->Cancel("no longer wanted");
  WaitForEnd(*endless);
  for (int restart = 0; restart < 2; ++restart) {
    Reopen({});
    for (const auto& before : {done, diverged, endless, cancelled}) {
      const auto after = jobs_->Find(before->name());
      ASSERT_TRUE(after.ok()) << after.status();
      v1::Job wanted = before->Snapshot(), job = (*after)->Snapshot();
      *wanted.mutable_finished() = job.finished();
      EXPECT_EQ(job.DebugString(), wanted.DebugString());
      EXPECT_EQ((*after)->Failure().code(), before->Failure().code());
      // Of its events there is the last, which has the number that it had.
      const auto event = (*after)->NextEvent(1, JobEvents::Skip::kNothing);
      ASSERT_TRUE(event.has_value());
      EXPECT_EQ(event->state(), wanted.state());
      EXPECT_EQ(event->number(), before->last_event());
      EXPECT_EQ((*after)->last_event(), before->last_event());
    }
  }
  const auto published = jobs_->PublishCheckpoint(diverged->name());
  EXPECT_TRUE(published.ok()) << published.status();
  ASSERT_TRUE(jobs_->Delete(done->name()).ok());
  Reopen({});
  EXPECT_FALSE(jobs_->Find(done->name()).ok());
}

TEST_F(TrainingJobsTest, NoNumberOfAnEventComesAgainAfterACrash) {
  const auto job = Send(EndlessStart("endless"));
  for (int i = 0; i < 6000 && job->last_event() < 5; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  ASSERT_GE(job->last_event(), 5);
  std::int64_t last = job->last_event();
  std::string before = folder_ / "models";
  for (int crash = 0; crash < 2; ++crash) {
    // The disk as it is at this moment.
    const std::string crashed = folder_ / absl::StrCat("crashed", crash);
    std::filesystem::copy(before, crashed,
                          std::filesystem::copy_options::recursive);
    const auto repository = ModelRepository::Open(crashed);
    ASSERT_TRUE(repository.ok()) << repository.status();
    const auto jobs = TrainingJobs::Open(repository->get(), {});
    ASSERT_TRUE(jobs.ok()) << jobs.status();
    const auto after = *(*jobs)->Find(job->name());
    ASSERT_TRUE(ComesToStarts(*after, crash + 1));
    const auto first = after->NextEvent(1, JobEvents::Skip::kNothing);
    ASSERT_TRUE(first.has_value());
    EXPECT_GT(first->number(), last);
    // This process crashes next.
    before = folder_ / absl::StrCat("left", crash);
    std::filesystem::copy(crashed, before,
                          std::filesystem::copy_options::recursive);
    last = after->last_event();
  }
}

TEST_F(TrainingJobsTest, WhatCannotGoOnFailsOrIsRemoved) {
  const auto job = Send(EndlessStart("endless"));
  WaitForState(*job, v1::Job::STATE_RUNNING);
  jobs_.reset();
  std::filesystem::remove(job->files().rows + "/values");
  WriteWholeFile(folder_ / "models/.jobs/x.job", "no record");
  ExpectCannotGoOn(job->name());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "models/.jobs/x.job"));
}

TEST_F(TrainingJobsTest, WhatCannotBeReadAtOneStartGoesOnAtTheNext) {
  ReopenWithSnapshots();
  ASSERT_EQ(WaitForEnd(*Send(LongStart("undisturbed"))),
            v1::Job::STATE_SUCCEEDED);
  const auto job = Send(LongStart("disturbed"));
  const JobFiles files = job->files();
  for (int i = 0; i < 6000 && !std::filesystem::exists(files.snapshot); ++i) {
    absl::SleepFor(absl::Milliseconds(2));
  }
  for (const std::string& file :
       {files.record, files.rows + "/values", files.snapshot}) {
    SCOPED_TRACE(file);
    WaitForState(**jobs_->Find(job->name()), v1::Job::STATE_RUNNING);
    jobs_.reset();
    ASSERT_TRUE(std::filesystem::exists(file));
    // Links are not followed: an error of reading for whoever runs the tests.
    const std::string away = folder_ / "away";
    std::filesystem::rename(file, away);
    std::filesystem::create_symlink(away, file);
    Reopen({});
    const auto waiting = jobs_->Find(job->name());
    if (file == files.record) {
      EXPECT_EQ(waiting.status().code(), absl::StatusCode::kNotFound);
    } else {
      ASSERT_TRUE(waiting.ok()) << waiting.status();
      WaitForEnd(**waiting);
      EXPECT_EQ((*waiting)->state(), v1::Job::STATE_QUEUED);
      EXPECT_THAT(std::string((*waiting)->Failure().message()),
                  AllOf(HasSubstr(file), HasSubstr("its files are kept")));
    }
    // Takes the number that the job has, or the next.
    ASSERT_EQ(WaitForEnd(*Send(QuickStart("meanwhile"))),
              v1::Job::STATE_SUCCEEDED);
    jobs_.reset();
    std::filesystem::rename(away, file);
    Reopen({});
  }
  ASSERT_EQ(WaitForEnd(**jobs_->Find(job->name())), v1::Job::STATE_SUCCEEDED);
  EXPECT_EQ(StoredBytes(*repository_, "disturbed"),
            StoredBytes(*repository_, "undisturbed"));
  EXPECT_EQ(jobs_->List({})->jobs_size(), 5);
  EXPECT_EQ(Spools(), 0u);
}

TEST_F(TrainingJobsTest, ADamagedSnapshotMeansFromTheStart) {
  ASSERT_EQ(WaitForEnd(*Send(LongStart("undisturbed"))),
            v1::Job::STATE_SUCCEEDED);
  const auto job = Send(LongStart("disturbed"));
  WaitForState(*job, v1::Job::STATE_RUNNING);
  jobs_.reset();
  WriteWholeFile(job->files().snapshot, "nonsense");
  Reopen({});
  ASSERT_EQ(WaitForEnd(**jobs_->Find(job->name())), v1::Job::STATE_SUCCEEDED);
  EXPECT_EQ(StoredBytes(*repository_, "disturbed"),
            StoredBytes(*repository_, "undisturbed"));
}

TEST_F(TrainingJobsTest, RowsThatAnEarlierProcessLeftAreRemoved) {
  jobs_.reset();
  WriteWholeFile(folder_ / "models/.jobs/stale", "rows");
  Reopen({});
  EXPECT_EQ(Spools(), 0u);
}

TEST_F(TrainingJobsTest, RowsOfAJobThatHadEndedAreRemovedToo) {
  const auto job = Send(QuickStart("sides"));
  ASSERT_EQ(WaitForEnd(*job), v1::Job::STATE_SUCCEEDED);
  jobs_.reset();
  // The process ended between the record of the end and their removal.
  WriteWholeFile(job->files().rows, "rows");
  WriteWholeFile(job->files().snapshot, "parameters");
  Reopen({});
  EXPECT_EQ(Spools(), 0u);
  EXPECT_TRUE(jobs_->Find(job->name()).ok());
}

TEST_F(TrainingJobsTest, NothingButItsRecordIsLeftOfAJobThatIsCancelled) {
  const auto running = Send(EndlessStart("running"));
  const auto queued = Send(EndlessStart("queued"));
  jobs_.reset();
  // It had begun to run in an earlier process.
  WriteWholeFile(queued->files().snapshot, "parameters");
  Reopen({});
  const auto cancelled = jobs_->Cancel(queued->name());
  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  EXPECT_EQ(cancelled->state(), v1::Job::STATE_CANCELLED);
  ASSERT_TRUE(jobs_->Cancel(running->name()).ok());
  EXPECT_EQ(WaitForEnd(**jobs_->Find(running->name())),
            v1::Job::STATE_CANCELLED);
  EXPECT_EQ(Spools(), 0u);
}

}  // namespace
}  // namespace poe::server
