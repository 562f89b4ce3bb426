// The real server under stress, on this machine alone. What is found stands in
// a table at the end (soak_report.h); make soak runs the long form.

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "client/cpp/tensor.h"
#include "gtest/gtest.h"
#include "tests/e2e/program.h"
#include "tests/e2e/soak_report.h"

namespace poe::server {
namespace {

using client::Client;

constexpr std::int64_t kRows = 300, kDimension = 24;

// Missing values and chains that go on from update to update are remembered
// too.
v1::TrainStart Start(std::int64_t updates) {
  v1::TrainStart start;
  start.set_model_name("model");
  start.mutable_data_spec()->set_family(v1::FAMILY_BERNOULLI);
  start.mutable_data_spec()->set_dimension(kDimension);
  v1::GroupSettings& group = *start.add_products()->add_groups();
  group.set_num_experts(20);
  group.mutable_bernoulli_units();
  v1::ContrastiveDivergenceStage& learn =
      *start.add_stages()->mutable_contrastive_divergence();
  learn.set_updates(updates);
  learn.mutable_optimizer()->set_kind(v1::OptimizerSettings::KIND_ADAM);
  v1::UnlearnStage& unlearn = *start.add_stages()->mutable_unlearn();
  unlearn.set_updates(updates / 2);
  unlearn.set_chains(20);
  unlearn.set_steps(100);
  start.set_seed(11);
  start.set_request_id("the only one");
  start.set_detach(true);
  start.set_expected_rows(kRows);
  return start;
}

v1::Observations Rows() {
  std::mt19937 random(5);
  std::vector<float> values;
  std::vector<std::uint8_t> observed;
  for (std::int64_t i = 0; i < kRows * kDimension; ++i) {
    values.push_back(static_cast<float>(random() % 2));
    observed.push_back(random() % 10 > 0 ? 1 : 0);
  }
  return client::MakeObservations(values, kDimension, observed);
}

class SoakTest : public ::testing::Test {
 protected:
  SoakTest() {
    std::string path = ::testing::TempDir() + "/poe_e2e_XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
  }
  ~SoakTest() override { std::filesystem::remove_all(folder_); }

  // On the same port as before, if there was one.
  void StartServer(const std::string& repository) {
    server_ = std::make_unique<Program>(std::vector<std::string>{
        absl::StrCat("--repository=", (folder_ / repository).string()),
        "--listen=" + address_, "--checkpoint_seconds=0.05",
        // Nobody reads the log, and a full pipe stops whoever writes to it.
        "--log_level=error"});
    const std::string line = server_->ReadLineWith("listening on ");
    absl::string_view address = line;
    ASSERT_TRUE(absl::ConsumePrefix(&address, "listening on ")) << line;
    address_ = std::string(address);
    client_ = *Client::Connect(address_);
  }

  // The parameters of the model that answers.
  std::string ModelBytes() {
    v1::GetModelRequest request;
    request.mutable_model()->set_name("model");
    request.set_include_parameters(true);
    auto model = client_->GetModel(request);
    EXPECT_TRUE(model.ok()) << model.status();
    if (!model.ok()) return "";
    EXPECT_EQ(model->model().version(), 1);
    model->mutable_parameters()->clear_training();
    return model->parameters().SerializeAsString();
  }

  std::filesystem::path folder_;
  std::string address_ = "localhost:0";
  std::unique_ptr<Program> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(SoakTest, AJobEndsWithTheSameBitsHoweverOftenTheServerDies) {
  const int crashes = IsLongForm() ? 50 : 5;
  const v1::TrainStart start = Start(3000 + 1000 * crashes);
  const auto ignore = [](const v1::TrainResponse&) { return absl::OkStatus(); };
  StartServer("undisturbed");
  ASSERT_FALSE(HasFatalFailure());
  const auto job = client_->TrainAll(start, Rows(), {}, ignore);
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
      outcome = (*client)->TrainAll(start, Rows(), {}, ignore).status();
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

// Callers that ask "model" for one row again and again.
class Load {
 public:
  Load(const std::string& address, int callers) {
    for (int i = 0; i < callers; ++i) {
      threads_.emplace_back([this, address] { Call(address); });
    }
  }
  ~Load() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  // The 99th percentile of the calls that were answered meanwhile, in ms.
  double Measure(const std::function<void()>& meanwhile) {
    {
      absl::MutexLock lock(&mutex_);
      times_.clear();
    }
    meanwhile();
    absl::MutexLock lock(&mutex_);
    if (times_.empty()) return 0;
    const auto nth =
        times_.begin() + static_cast<std::ptrdiff_t>(times_.size() * 99 / 100);
    std::nth_element(times_.begin(), nth, times_.end());
    return *nth;
  }

  std::int64_t failed() const { return failed_; }
  std::int64_t answered() const { return answered_; }

 private:
  void Call(const std::string& address) {
    const auto client = *Client::Connect(address);
    v1::ScoreRequest request;
    request.mutable_model()->set_name("model");
    *request.mutable_observations() =
        client::MakeObservations(std::vector<float>(kDimension, 1), kDimension);
    while (!stop_) {
      const absl::Time begin = absl::Now();
      const bool ok = client->Score(request).ok();
      const double ms = absl::ToDoubleMilliseconds(absl::Now() - begin);
      ++(ok ? answered_ : failed_);
      absl::MutexLock lock(&mutex_);
      times_.push_back(ms);
    }
  }

  std::atomic<bool> stop_ = false;
  std::atomic<std::int64_t> failed_ = 0, answered_ = 0;
  absl::Mutex mutex_;
  std::vector<double> times_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// In MiB.
double ResidentMemory(int pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/statm"));
  double size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<double>(getpagesize()) / (1 << 20);
}

TEST_F(SoakTest, ReloadsAndTrainingsAreNotNoticed) {
  StartServer("models");
  ASSERT_FALSE(HasFatalFailure());
  const auto ignore = [](const v1::TrainResponse&) { return absl::OkStatus(); };
  v1::TrainStart start = Start(200);
  for (int version = 1; version <= 2; ++version) {
    start.set_request_id(absl::StrCat(version));
    ASSERT_TRUE(client_->TrainAll(start, Rows(), {}, ignore).ok());
  }
  v1::LoadModelRequest load;
  v1::UnloadModelRequest unload;
  load.set_name("model");
  unload.set_name("model");
  load.set_version(2);
  unload.set_version(2);
  // Either way there is a version that answers.
  const auto reload = [&](int times) {
    for (int i = 0; i < times; ++i) {
      ASSERT_TRUE(client_->UnloadModel(unload).ok());
      ASSERT_TRUE(client_->LoadModel(load).ok());
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
    client_->TrainAll(start, Rows(), {}, ignore).status().IgnoreError();
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
