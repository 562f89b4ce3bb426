// The stress test's case of a system clock that is put back and forward. The
// server is made to believe so by libfaketime, which leaves the steady clock
// alone.

#include <glob.h>
#include <signal.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "client/cpp/tensor.h"
#include "gtest/gtest.h"
#include "poe/v1/scoring.pb.h"
#include "poe/v1/training.pb.h"
#include "tests/e2e/program.h"
#include "tests/e2e/soak_changes.h"
#include "tests/e2e/soak_fixture.h"
#include "tests/e2e/soak_report.h"

namespace poe::server {
namespace {

using client::Client;

// Empty if it is not installed.
std::string FindFaketime() {
  glob_t found = {};
  std::string path;
  if (glob("/usr/lib/*/faketime/libfaketimeMT.so.1", 0, nullptr, &found) == 0) {
    path = found.gl_pathv[0];
  }
  globfree(&found);
  return path;
}

// Abseil looks at the system's clock every two seconds.
constexpr absl::Duration kUntilNoticed = absl::Milliseconds(2200);

// Where the clock is put, in seconds from the true time, and how long it is
// left there before the server is looked at.
struct Step {
  const char* seconds;
  absl::Duration hold;
};

std::vector<Step> Steps() {
  if (!IsLongForm()) {
    return {{"-3600", absl::ZeroDuration()}, {"+86400", kUntilNoticed}};
  }
  std::vector<Step> steps;
  for (int round = 0; round < 4; ++round) {
    for (const char* const seconds : {"-3600", "+86400", "+0"}) {
      steps.push_back({seconds, kUntilNoticed});
    }
  }
  return steps;
}

// Whether it holds before long.
bool Comes(absl::FunctionRef<bool()> holds) {
  for (int i = 0; i < 1000; ++i) {
    if (holds()) return true;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return false;
}

// Follows the events of a job, in a thread, until the server ends the stream.
class EventFollower {
 public:
  EventFollower(const std::string& address, const std::string& job)
      : thread_([this, address, job] {
          const auto client = *Client::Connect(address);
          client
              ->WatchJob(job, 1,
                         [this](const v1::JobEvent& event) {
                           if (event.number() != ++last_number_) ++gaps_;
                           if (event.has_progress()) ++progress_;
                           if (event.has_checkpoint_update()) ++snapshots_;
                           return absl::OkStatus();
                         })
              .IgnoreError();
        }) {}
  ~EventFollower() { thread_.join(); }
  EventFollower(const EventFollower&) = delete;
  EventFollower& operator=(const EventFollower&) = delete;

  std::int64_t progress() const { return progress_; }
  std::int64_t snapshots() const { return snapshots_; }
  std::int64_t gaps() const { return gaps_; }

 private:
  std::int64_t last_number_ = 0;  // in the thread
  std::atomic<std::int64_t> progress_ = 0, snapshots_ = 0, gaps_ = 0;
  std::thread thread_;
};

class SoakClockTest : public SoakTest {
 protected:
  void SetUp() override {
    const std::string faketime = FindFaketime();
    if (faketime.empty()) {
      GTEST_SKIP() << "libfaketime is not there; Debian's package libfaketime "
                      "has it";
    }
    SetClock("+0");
    server_ = std::make_unique<Program>(
        std::vector<std::string>{
            absl::StrCat("LD_PRELOAD=", faketime),
            absl::StrCat("FAKETIME_TIMESTAMP_FILE=", ClockFile().string()),
            "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "NO_FAKE_STAT=1", POE_SERVER_BINARY,
            absl::StrCat("--repository=", (folder_ / "models").string()),
            "--listen=localhost:0", "--log_level=error", "--poll_seconds=0.1",
            "--batch_delay_ms=2", "--checkpoint_seconds=0.05",
            absl::StrCat("--lame_duck_seconds=", IsLongForm() ? 3 : 0.5)},
        "/usr/bin/env");
    const std::string line = server_->ReadLineWith("listening on ");
    absl::string_view listening = line;
    ASSERT_TRUE(absl::ConsumePrefix(&listening, "listening on ")) << line;
    address_ = std::string(listening);
    client_ = *Client::Connect(address_);
  }

  // To so many seconds from the true time.
  void SetClock(const std::string& seconds) {
    // In one step: the server looks there all the time.
    const std::filesystem::path fresh = folder_ / "clock.new";
    std::ofstream(fresh) << seconds << "\n";
    std::filesystem::rename(fresh, ClockFile());
  }

  // A job that does not end by itself.
  std::string StartEndlessJob() {
    std::string job;
    client_
        ->TrainAll(Start(100'000'000), Rows(), {},
                   [&](const v1::TrainResponse& response) {
                     if (response.has_accepted()) {
                       job = response.accepted().name();
                     }
                     return response.event().state() == v1::Job::STATE_RUNNING
                                ? absl::CancelledError("it runs")
                                : absl::OkStatus();
                   })
        .status()
        .IgnoreError();
    return job;
  }

  // Puts a copy of the first version of "model" into the repository, as the
  // operating system does it.
  void CopyVersion(std::int64_t version) {
    const std::filesystem::path model = folder_ / "models" / "model";
    std::filesystem::copy(model / "1", folder_ / "copy");
    std::filesystem::rename(folder_ / "copy", model / absl::StrCat(version));
  }

 private:
  std::filesystem::path ClockFile() const { return folder_ / "clock"; }
};

// Enough rows to wait for others to be answered with.
v1::ScoreRequest ManyRows() {
  v1::ScoreRequest request;
  request.mutable_model()->set_name("model");
  *request.mutable_observations() = client::MakeObservations(
      std::vector<float>(1000 * kDimension, 1), kDimension);
  return request;
}

TEST_F(SoakClockTest, AClockThatIsSetIsNotNoticed) {
  ASSERT_TRUE(TrainVersion(*client_, "model", 1).ok());
  const std::string job = StartEndlessJob();
  const EventFollower events(address_, job);
  std::int64_t failed = 0, stuck = 0;
  {
    const Load callers(
        2, [this] { return *Client::Connect(address_); }, ManyRows());
    std::int64_t version = 1;
    for (const Step& step : Steps()) {
      SetClock(step.seconds);
      absl::SleepFor(step.hold);
      const std::int64_t answered = callers.answered();
      const std::int64_t progress = events.progress();
      const std::int64_t snapshots = events.snapshots();
      CopyVersion(++version);
      const auto goes_on = [&](const char* what, bool does) {
        if (does) return;
        ++stuck;
        ADD_FAILURE() << what << " with the clock at " << step.seconds << " s";
      };
      goes_on("no call is answered",
              Comes([&] { return callers.answered() > answered + 20; }));
      goes_on("no progress",
              Comes([&] { return events.progress() > progress + 1; }));
      goes_on("no snapshot",
              Comes([&] { return events.snapshots() > snapshots + 1; }));
      goes_on("no polling", Comes([&] {
                return Answer(*client_, {"model", version}).ok();
              }));
      goes_on("no call with a deadline is answered",
              client_->Score(ManyRows(), {.timeout = absl::Seconds(10)}).ok());
    }
    failed = callers.failed();
  }
  Report("clock set: calls that failed", static_cast<double>(failed), "0",
         failed == 0, true);
  Report("clock set: things that came to a stop", static_cast<double>(stuck),
         "0", stuck == 0, true);
  Report("clock set: gaps in the numbers of events",
         static_cast<double>(events.gaps()), "0", events.gaps() == 0, true);

  absl::Notification ended;
  std::thread guard([&ended, server = server_->pid()] {
    if (!ended.WaitForNotificationWithTimeout(absl::Seconds(20))) {
      kill(server, SIGKILL);
    }
  });
  server_->Signal(SIGTERM);
  EXPECT_TRUE(Comes([this] { return !client_->CheckHealth().ok(); }));
  SetClock("-3600");
  const int status = server_->Wait();
  ended.Notify();
  guard.join();
  Report("clock set: status of a server told to end meanwhile", status, "0",
         status == 0, true);
}

}  // namespace
}  // namespace poe::server
