// The real server under stress, on this machine alone. What is found stands in
// a table at the end (soak_report.h); make soak runs the long form.

#include <signal.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "client/cpp/tensor.h"
#include "gtest/gtest.h"
#include "poe/v1/registry.pb.h"
#include "poe/v1/tensor.pb.h"
#include "poe/v1/training.pb.h"
#include "tests/e2e/soak_fixture.h"
#include "tests/e2e/soak_report.h"

namespace poe::server {
namespace {

using client::Client;

// How much a value grows from one to the next, by least squares.
double SlopeOf(const std::vector<double>& values) {
  const double middle = static_cast<double>(values.size() - 1) / 2;
  double products = 0, squares = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double from_middle = static_cast<double>(i) - middle;
    products += from_middle * values[i];
    squares += from_middle * from_middle;
  }
  return products / squares;
}

class QuietTest : public SoakTest {
 protected:
  // Waits for a job of a model to run; empty if none does within a minute.
  std::string RunningJob(const std::string& model) {
    for (int i = 0; i < 6000; ++i) {
      const auto jobs = client_->ListJobs(model);
      EXPECT_TRUE(jobs.ok()) << jobs.status();
      if (!jobs.ok()) return "";
      for (const v1::Job& job : *jobs) {
        if (job.state() == v1::Job::STATE_RUNNING) return job.name();
      }
      absl::SleepFor(absl::Milliseconds(10));
    }
    ADD_FAILURE() << "no job of " << model << " runs";
    return "";
  }
};

// The 99th percentile of the callers' times while `disturb` runs to that of
// windows as long without: the ratio of the medians over windows that take
// turns.
double TailWhile(const std::function<void()>& disturb, int windows,
                 Load& callers) {
  std::vector<double> disturbed, steady;
  absl::Duration took;
  const auto measure_disturbed = [&] {
    const absl::Time begin = absl::Now();
    disturbed.push_back(callers.Measure(disturb));
    took = absl::Now() - begin;
  };
  const auto measure_steady = [&] {
    steady.push_back(callers.Measure([&] { absl::SleepFor(took); }));
  };
  for (int window = 0; window < windows; ++window) {
    // A machine that grows slower shall slow both alike.
    const bool steady_first = window % 2 == 1;
    if (steady_first) measure_steady();
    measure_disturbed();
    if (!steady_first) measure_steady();
  }
  return Median(disturbed) / Median(steady);
}

TEST_F(SoakTest, AJobEndsWithTheSameBitsHoweverOftenTheServerDies) {
  const int crashes = IsLongForm() ? 50 : 5;
  const v1::TrainStart start = Start(3000 + 1000 * crashes);
  StartServer("undisturbed");
  ASSERT_FALSE(HasFatalFailure());
  const auto job = client_->TrainAll(start, Rows(), {}, Ignore);
  ASSERT_TRUE(job.ok()) << job.status();
  const std::string wanted = ModelBytes();
  server_.reset();

  StartServer("disturbed");
  ASSERT_FALSE(HasFatalFailure());
  std::atomic<bool> ended = false;
  absl::Status outcome;
  std::thread trainer([&] {
    // Takes broken streams up by itself, but gives up when the server is gone
    // for long.
    const auto client = Client::Connect(address_);
    do {
      outcome = (*client)->TrainAll(start, Rows(), {}, Ignore).status();
    } while (absl::IsUnavailable(outcome));
    ended = true;
  });
  std::mt19937 random(1);
  int killed = 0;
  for (; killed < crashes && !ended; ++killed) {
    absl::SleepFor(absl::Milliseconds(30 + random() % 300));
    server_->Signal(SIGKILL);
    EXPECT_LT(server_->Wait(), 0);
    StartServer("disturbed");
    if (HasFatalFailure()) break;
    const auto models = client_->ListModels();
    EXPECT_TRUE(models.ok()) << models.status();
  }
  trainer.join();
  Report("kill -9 while training: restarts that served", killed,
         absl::StrCat(crashes), killed == crashes, IsLongForm());
  ASSERT_TRUE(outcome.ok()) << outcome;
  const bool same = ModelBytes() == wanted;
  Report("kill -9 while training: jobs with other bits", same ? 0 : 1, "0",
         same, true);
}

TEST_F(QuietTest, ReloadsAndTrainingsAreNotNoticed) {
  StartServer("models");
  ASSERT_FALSE(HasFatalFailure());
  v1::TrainStart start = Start(200);
  for (int version = 1; version <= 2; ++version) {
    start.set_request_id(absl::StrCat(version));
    ASSERT_TRUE(client_->TrainAll(start, Rows(), {}, Ignore).ok());
  }
  v1::LoadModelRequest load;
  v1::UnloadModelRequest unload;
  load.set_name("model");
  unload.set_name("model");
  load.set_version(2);
  unload.set_version(2);
  // Either way there is a version that answers. With a pause, so that what is
  // measured is a reload and not one more caller on the same processors.
  const auto reload = [&](int times) {
    for (int i = 0; i < times; ++i) {
      ASSERT_TRUE(client_->UnloadModel(unload).ok());
      ASSERT_TRUE(client_->LoadModel(load).ok());
      absl::SleepFor(absl::Milliseconds(10));
    }
  };
  Load callers(address_, 2);
  const int reloads = IsLongForm() ? 50 : 10;
  callers.Measure([&] { reload(reloads); });
  std::vector<double> memory;
  const double ratio = TailWhile(
      [&] {
        reload(reloads);
        memory.push_back(ResidentMemory(server_->pid()));
      },
      IsLongForm() ? 20 : 10, callers);
  Report("calls during reloads", static_cast<double>(callers.answered()), "",
         true, false);
  Report("calls that failed during reloads",
         static_cast<double>(callers.failed()), "0", callers.failed() == 0,
         true);
  Report("p99 during reloads to p99 without", ratio, "at most 1.2",
         ratio <= 1.2, IsLongForm());
  const double grown = SlopeOf(memory) * 1024 / reloads;
  Report("KiB of memory that a reload leaves", grown, "at most 1", grown <= 1,
         IsLongForm());

  start = Start(100'000'000);
  start.set_model_name("other");
  int trainings = 0;
  const auto train = [&] {
    start.set_request_id(absl::StrCat("endless ", ++trainings));
    std::thread trainer([&] {
      client_->TrainAll(start, Rows(), {}, Ignore).status().IgnoreError();
    });
    const std::string job = RunningJob("other");
    absl::SleepFor(absl::Seconds(IsLongForm() ? 2 : 0.5));
    EXPECT_TRUE(client_->CancelJob(job).ok());
    trainer.join();
  };
  const double beside = TailWhile(train, IsLongForm() ? 10 : 2, callers);
  Report("p99 beside a training to p99 without", beside, "at most 2",
         beside <= 2, IsLongForm());
}

TEST_F(QuietTest, LoadingALargeModelIsNotNoticed) {
  // In the long form 10 million weights, 40 MB.
  constexpr std::int64_t kLargeDimension = 2000;
  StartServer("models");
  ASSERT_FALSE(HasFatalFailure());
  v1::TrainStart start = Start(200);
  ASSERT_TRUE(client_->TrainAll(start, Rows(), {}, Ignore).ok());
  start = Start(1);
  start.set_model_name("large");
  start.set_request_id("large");
  start.set_expected_rows(1);
  start.mutable_data_spec()->set_dimension(kLargeDimension);
  start.mutable_products(0)->mutable_groups(0)->set_num_experts(
      IsLongForm() ? 5000 : 500);
  start.mutable_stages()->DeleteSubrange(1, start.stages_size() - 1);
  const v1::Observations row = client::MakeObservations(
      std::vector<float>(kLargeDimension, 1), kLargeDimension);
  const auto job = client_->TrainAll(start, row, {}, Ignore);
  ASSERT_TRUE(job.ok()) << job.status();
  v1::LoadModelRequest load;
  v1::UnloadModelRequest unload;
  load.set_name("large");
  unload.set_name("large");
  load.set_version(job->version());
  unload.set_version(job->version());
  Load callers(address_, 2);
  std::vector<double> seconds;
  const double ratio = TailWhile(
      [&] {
        ASSERT_TRUE(client_->UnloadModel(unload).ok());
        const absl::Time begin = absl::Now();
        ASSERT_TRUE(client_->LoadModel(load).ok());
        seconds.push_back(absl::ToDoubleSeconds(absl::Now() - begin));
      },
      IsLongForm() ? 20 : 3, callers);
  ASSERT_FALSE(seconds.empty());
  if (IsLongForm()) {
    Report("seconds that 40 MB take to load beside calls", Median(seconds), "",
           true, false);
  }
  Report("calls of another model that failed while 40 MB were loaded",
         static_cast<double>(callers.failed()), "0", callers.failed() == 0,
         true);
  Report("p99 of another model while 40 MB are loaded to p99 without", ratio,
         "at most 1.2", ratio <= 1.2, IsLongForm());
}

}  // namespace
}  // namespace poe::server
