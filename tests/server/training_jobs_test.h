// Jobs on a repository of their own, which can be opened again.
#ifndef POE_TESTS_SERVER_TRAINING_JOBS_TEST_H_
#define POE_TESTS_SERVER_TRAINING_JOBS_TEST_H_

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/model_repository.h"
#include "server/training_jobs.h"
#include "tests/server/repository_testing.h"
#include "tests/server/training_testing.h"

namespace poe::server {

class TrainingJobsTest : public ::testing::Test {
 protected:
  explicit TrainingJobsTest(TrainingJobsOptions options = {}) {
    auto repository = ModelRepository::Open(folder_ / "models");
    EXPECT_TRUE(repository.ok()) << repository.status();
    repository_ = *std::move(repository);
    Reopen(std::move(options));
  }

  void Reopen(TrainingJobsOptions options) {
    jobs_.reset();
    options.program = "test 1.2.3";
    auto jobs = TrainingJobs::Open(repository_.get(), std::move(options));
    ASSERT_TRUE(jobs.ok()) << jobs.status();
    jobs_ = *std::move(jobs);
  }

  // Jobs then keep snapshots all the time.
  void ReopenWithSnapshots() {
    TrainingJobsOptions options;
    options.snapshot_interval = absl::Milliseconds(5);
    Reopen(std::move(options));
  }

  std::shared_ptr<TrainingJob> Start(const v1::TrainStart& start) {
    auto started = jobs_->Start(start);
    EXPECT_TRUE(started.ok()) << started.status();
    EXPECT_TRUE(started->created);
    return started->job;
  }

  // A job with all its data, on its way.
  std::shared_ptr<TrainingJob> Send(const v1::TrainStart& start) {
    std::shared_ptr<TrainingJob> job = Start(start);
    EXPECT_TRUE(job->Append(Chunk(0, 20)).ok());
    EXPECT_TRUE(jobs_->CloseData(job).ok());
    return job;
  }

  // What lies beside the records of jobs.
  std::size_t Spools() const {
    std::size_t count = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(folder_ / "models/.jobs")) {
      if (entry.path().extension() != ".job") ++count;
    }
    return count;
  }

  // Opens them again, where a job fails that has lost a file.
  void ExpectCannotGoOn(const std::string& name) {
    Reopen({});
    const auto after = jobs_->Find(name);
    ASSERT_TRUE(after.ok()) << after.status();
    EXPECT_EQ((*after)->state(), v1::Job::STATE_FAILED);
    EXPECT_THAT(std::string((*after)->Failure().message()),
                ::testing::HasSubstr("cannot go on after a restart"));
  }

  TemporaryFolder folder_;
  std::unique_ptr<ModelRepository> repository_;
  std::unique_ptr<TrainingJobs> jobs_;
};

}  // namespace poe::server

#endif  // POE_TESTS_SERVER_TRAINING_JOBS_TEST_H_
