// Jobs on a repository of their own, which can be opened again.
#ifndef POE_TESTS_SERVER_TRAINING_JOBS_TEST_H_
#define POE_TESTS_SERVER_TRAINING_JOBS_TEST_H_

#include <cstddef>
#include <filesystem>
#include <memory>
#include <utility>

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

  TemporaryFolder folder_;
  std::unique_ptr<ModelRepository> repository_;
  std::unique_ptr<TrainingJobs> jobs_;
};

}  // namespace poe::server

#endif  // POE_TESTS_SERVER_TRAINING_JOBS_TEST_H_
