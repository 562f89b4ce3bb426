// The real server under stress, on this machine alone. What is found stands in
// a table at the end (soak_report.h); make soak runs the long form.

#include <signal.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "gtest/gtest.h"
#include "poe/v1/registry.pb.h"
#include "poe/v1/training.pb.h"
#include "tests/e2e/soak_fixture.h"
#include "tests/e2e/soak_report.h"

namespace poe::server {
namespace {

using client::Client;

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
  Report("kill -9 while training: restarts that served", killed, "at least 1",
         killed > 0, true);
  ASSERT_TRUE(outcome.ok()) << outcome;
  const bool same = ModelBytes() == wanted;
  Report("kill -9 while training: jobs with other bits", same ? 0 : 1, "0",
         same, true);
}

TEST_F(SoakTest, ReloadsAndTrainingsAreNotNoticed) {
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
  const int windows = IsLongForm() ? 20 : 10;
  const int reloads = IsLongForm() ? 50 : 10;
  callers.Measure([&] { reload(reloads); });
  const double memory_before = ResidentMemory(server_->pid());
  std::vector<double> steady, reloading;
  for (int window = 0; window < windows; ++window) {
    absl::Duration took;
    reloading.push_back(callers.Measure([&] {
      const absl::Time begin = absl::Now();
      reload(reloads);
      took = absl::Now() - begin;
    }));
    steady.push_back(callers.Measure([&] { absl::SleepFor(took); }));
  }
  const double grown = ResidentMemory(server_->pid()) - memory_before;
  Report("calls during reloads", static_cast<double>(callers.answered()), "",
         true, false);
  Report("calls that failed during reloads",
         static_cast<double>(callers.failed()), "0", callers.failed() == 0,
         true);
  const double ratio = Median(reloading) / Median(steady);
  Report("p99 during reloads to p99 without", ratio, "at most 1.2",
         ratio <= 1.2, IsLongForm());
  Report("MiB of memory that reloads leave", grown, "at most 4", grown <= 4,
         IsLongForm());

  start = Start(100'000'000);
  start.set_model_name("other");
  start.set_request_id("endless");
  std::string job;
  std::thread trainer([&] {
    client_->TrainAll(start, Rows(), {}, Ignore).status().IgnoreError();
  });
  while (job.empty()) {
    const auto jobs = client_->ListJobs("other");
    ASSERT_TRUE(jobs.ok()) << jobs.status();
    for (const v1::Job& one : *jobs) {
      if (one.state() == v1::Job::STATE_RUNNING) job = one.name();
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  const absl::Duration window =
      IsLongForm() ? absl::Seconds(5) : absl::Seconds(1);
  const double training = callers.Measure([&] { absl::SleepFor(window); });
  ASSERT_TRUE(client_->CancelJob(job).ok());
  trainer.join();
  const double alone = callers.Measure([&] { absl::SleepFor(window); });
  Report("p99 beside a training to p99 without", training / alone, "at most 2",
         training <= 2 * alone, IsLongForm());
}

}  // namespace
}  // namespace poe::server
