// The stress test's case of a server that is killed while its repository
// changes.

#include <signal.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "gtest/gtest.h"
#include "poe/v1/registry.pb.h"
#include "poe/v1/training.pb.h"
#include "tests/e2e/program.h"
#include "tests/e2e/soak_changes.h"
#include "tests/e2e/soak_fixture.h"
#include "tests/e2e/soak_report.h"

namespace poe::server {
namespace {

using client::Client;

// Versions that have answered and that nobody has begun to delete, with what
// they have answered. Thread-safe.
class Ledger {
 public:
  void Add(const VersionName& name, const std::string& answer)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    answers_.insert_or_assign(name, answer);
    ++changes_;
  }

  // One of many, which is no longer among them.
  std::optional<VersionName> TakeOne(std::uint64_t random)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (answers_.size() <= kFew) return std::nullopt;
    const auto one =
        std::next(answers_.begin(),
                  static_cast<std::ptrdiff_t>(random % answers_.size()));
    const VersionName name = one->first;
    answers_.erase(one);
    return name;
  }

  void CountDeleted() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    ++changes_;
  }

  std::map<VersionName, std::string> answers() const
      ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return answers_;
  }
  int changes() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return changes_;
  }

 private:
  static constexpr std::size_t kFew = 6;

  mutable absl::Mutex mutex_;
  std::map<VersionName, std::string> answers_ ABSL_GUARDED_BY(mutex_);
  int changes_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Notes what a version that has come answers.
absl::Status Note(Client& client, const absl::StatusOr<VersionName>& name,
                  Ledger& ledger) {
  if (!name.ok()) return name.status();
  const absl::StatusOr<std::string> answer = Answer(client, *name);
  if (!answer.ok()) return answer.status();
  ledger.Add(*name, *answer);
  return absl::OkStatus();
}

// Trains one version after the other until the server is gone.
void KeepTraining(const std::string& address, std::uint64_t seed,
                  Ledger& ledger) {
  const auto client = *Client::Connect(address, {.max_attempts = 1});
  absl::Status status;
  while (status.ok()) {
    status = Note(*client, TrainVersion(*client, "model", seed++), ledger);
  }
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

// Imports versions, labels them and deletes others until the server is gone.
void KeepMoving(const std::string& address, const VersionFiles& files,
                std::uint64_t seed, Ledger& ledger) {
  const auto client = *Client::Connect(address, {.max_attempts = 1});
  std::mt19937_64 random(seed);
  absl::Status status;
  while (status.ok()) {
    const auto imported = ImportVersion(*client, "copy", files);
    status = Note(*client, imported, ledger);
    if (status.ok()) status = SetLabel(*client, *imported, "newest");
    for (int n = 0; status.ok() && n < 2; ++n) {
      const std::optional<VersionName> name = ledger.TakeOne(random());
      if (!name.has_value()) break;
      v1::DeleteModelRequest request;
      request.set_name(name->first);
      request.set_version(name->second);
      status = client->DeleteModel(request);
      if (status.ok()) ledger.CountDeleted();
      // It has the label.
      if (absl::IsFailedPrecondition(status)) status = absl::OkStatus();
    }
  }
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

// Jobs that a server has taken up have ended when this returns.
void AwaitJobs(Client& client) {
  const auto under_way = [&client] {
    const auto jobs = client.ListJobs();
    EXPECT_TRUE(jobs.ok()) << jobs.status();
    if (!jobs.ok()) return false;
    for (const v1::Job& job : *jobs) {
      if (job.state() == v1::Job::STATE_QUEUED ||
          job.state() == v1::Job::STATE_RUNNING) {
        return true;
      }
    }
    return false;
  };
  while (under_way()) absl::SleepFor(absl::Milliseconds(2));
}

TEST_F(SoakTest, ARepositoryIsWholeHoweverOftenTheServerDiesWhileItChanges) {
  const int crashes = IsLongForm() ? 50 : 5;
  const std::vector<std::string> flags = {"--version_policy=all"};
  StartServer("changing", flags);
  ASSERT_FALSE(HasFatalFailure());
  Ledger ledger;
  const auto first = TrainVersion(*client_, "model", 0);
  ASSERT_TRUE(Note(*client_, first, ledger).ok());
  const auto files = ExportVersion(*client_, *first);
  ASSERT_TRUE(files.ok()) << files.status();
  std::mt19937 random(3);
  int served = 0, lost = 0, unfit = 0;
  RepositoryState found;
  for (int crash = 0; crash < crashes; ++crash) {
    const std::uint64_t seed = 1000 * (crash + 1);
    std::thread trainer([&] { KeepTraining(address_, seed, ledger); });
    std::thread mover([&] { KeepMoving(address_, *files, seed, ledger); });
    absl::SleepFor(absl::Milliseconds(10 + random() % 200));
    server_->Signal(SIGKILL);
    EXPECT_LT(server_->Wait(), 0);
    trainer.join();
    mover.join();
    // What is connected to the server that is gone would wait before it
    // connects again.
    client_.reset();
    {
      // Another that dies while it starts.
      const Program starting(
          {absl::StrCat("--repository=", (folder_ / "changing").string()),
           "--listen=localhost:0", "--log_level=error"});
      absl::SleepFor(absl::Milliseconds(random() % 60));
    }
    StartServer("changing", flags);
    if (HasFatalFailure()) break;
    AwaitJobs(*client_);
    const auto models = client_->ListModels();
    EXPECT_TRUE(models.ok()) << models.status();
    if (!models.ok()) break;
    ++served;
    for (const v1::ModelInfo& model : *models) {
      for (const v1::VersionInfo& version : model.versions()) {
        if (version.state() == v1::VersionInfo::STATE_AVAILABLE) continue;
        ++unfit;
        ADD_FAILURE() << model.name() << " " << version.ShortDebugString();
      }
    }
    for (const auto& [name, answer] : ledger.answers()) {
      const auto now = Answer(*client_, name);
      if (now.ok() && *now == answer) continue;
      ++lost;
      ADD_FAILURE() << name.first << " " << name.second << ": " << now.status();
    }
    const RepositoryState state = InspectRepository(folder_ / "changing");
    found.damaged += state.damaged;
    found.left_over += state.left_over;
  }
  Report("kill -9 amid changes: restarts that served", served,
         absl::StrCat(crashes), served == crashes, true);
  Report("kill -9 amid changes: changes made", ledger.changes(), "", true,
         false);
  Report("kill -9 amid changes: versions lost or changed", lost, "0", lost == 0,
         true);
  Report("kill -9 amid changes: versions that do not load", unfit, "0",
         unfit == 0, true);
  Report("kill -9 amid changes: versions damaged on disk", found.damaged, "0",
         found.damaged == 0, true);
  Report("kill -9 amid changes: files left over", found.left_over, "0",
         found.left_over == 0, true);
}

}  // namespace
}  // namespace poe::server
