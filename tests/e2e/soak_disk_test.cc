// The stress test's cases of disks that are full or cannot be written.

#include <signal.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/v1/registry.pb.h"
#include "poe/v1/training.pb.h"
#include "tests/e2e/program.h"
#include "tests/e2e/small_disk.h"
#include "tests/e2e/soak_changes.h"
#include "tests/e2e/soak_fixture.h"
#include "tests/e2e/soak_report.h"

namespace poe::server {
namespace {

using ::testing::HasSubstr;

// Trainings keep no snapshots: a disk is full when a test has filled it.
std::vector<std::string> Flags() { return {"--checkpoint_seconds=1000"}; }

class SoakDiskTest : public SoakTest {
 protected:
  SoakDiskTest() : disk_(folder_ / "disk", 1 << 20) {}
  // What still writes to the disk ends before it goes.
  ~SoakDiskTest() override { server_.reset(); }

  void SetUp() override {
    if (!disk_.obstacle().empty()) GTEST_SKIP() << disk_.obstacle();
    StartServer("disk", Flags());
    ASSERT_FALSE(HasFatalFailure());
    const auto version = TrainVersion(*client_, "model", 1);
    ASSERT_TRUE(version.ok()) << version.status();
    version_ = *version;
    answer_ = *Answer(*client_, version_);
    files_ = *ExportVersion(*client_, version_);
  }

  // How many changes, of three, end with something else than `code`.
  int CountOtherOutcomes(absl::StatusCode code) {
    const std::pair<const char*, absl::Status> outcomes[] = {
        {"training", TrainVersion(*client_, "model", 2).status()},
        {"import", ImportVersion(*client_, "copy", files_).status()},
        {"label", SetLabel(*client_, version_, "stable")}};
    int others = 0;
    for (const auto& [change, status] : outcomes) {
      if (status.code() == code) continue;
      ++others;
      ADD_FAILURE() << change << ": " << status;
    }
    return others;
  }

  // Whether the server serves its one version, and shows no other.
  bool ServesAsBefore() {
    const absl::Status health = client_->CheckHealth();
    const auto models = client_->ListModels();
    const auto answer = Answer(*client_, version_);
    EXPECT_TRUE(health.ok() && models.ok() && answer.ok())
        << health << models.status() << answer.status();
    return health.ok() && models.ok() && models->size() == 1 &&
           models->front().versions_size() == 1 &&
           models->front().labels().empty() && answer.ok() &&
           *answer == answer_;
  }

  SmallDisk disk_;
  VersionName version_;
  std::string answer_;
  VersionFiles files_;
};

TEST_F(SoakDiskTest, AFullDiskRefusesChangesAndNothingElse) {
  std::optional<Load> callers(std::in_place, address_, 1);
  // The disk fills while a job runs that has its data already.
  v1::TrainStart start = Start(1000);
  std::string job;
  const absl::Status outcome =
      client_
          ->TrainAll(start, Rows(), {},
                     [&](const v1::TrainResponse& response) {
                       if (response.has_accepted()) {
                         job = response.accepted().name();
                       }
                       if (response.event().state() == v1::Job::STATE_RUNNING) {
                         disk_.Fill();
                       }
                       return absl::OkStatus();
                     })
          .status();
  EXPECT_THAT(std::string(outcome.message()),
              HasSubstr("No space left on device"));
  Report("full disk: jobs that end with another error",
         absl::IsResourceExhausted(outcome) ? 0 : 1, "0",
         absl::IsResourceExhausted(outcome), true);

  disk_.Fill();
  const int taken = CountOtherOutcomes(absl::StatusCode::kResourceExhausted);
  Report("full disk: changes not refused as RESOURCE_EXHAUSTED", taken, "0",
         taken == 0, true);
  const bool serves = ServesAsBefore();
  Report("full disk: the server serves as before", serves ? 1 : 0, "1", serves,
         true);

  disk_.MakeRoom();
  const int failed = CountOtherOutcomes(absl::StatusCode::kOk);
  Report("full disk: changes that fail once there is room", failed, "0",
         failed == 0, true);
  Report("full disk: calls that failed", static_cast<double>(callers->failed()),
         "0", callers->failed() == 0, true);

  callers.reset();

  // The job has ended in the record of it too.
  server_->Signal(SIGKILL);
  EXPECT_LT(server_->Wait(), 0);
  client_.reset();
  StartServer("disk", Flags());
  ASSERT_FALSE(HasFatalFailure());
  const auto ended = client_->GetJob(job);
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->state(), v1::Job::STATE_FAILED);
  EXPECT_EQ(ended->error_code(),
            static_cast<int>(absl::StatusCode::kResourceExhausted));
  const RepositoryState state = InspectRepository(folder_ / "disk");
  Report("full disk: versions stored in the end", state.versions, "3",
         state.versions == 3 && state.damaged == 0 && state.left_over == 0,
         true);
}

TEST_F(SoakDiskTest, ADiskThatTurnsReadOnlyRefusesChangesAndNothingElse) {
  Load callers(address_, 1);
  disk_.CoverReadOnly();
  const int taken = CountOtherOutcomes(absl::StatusCode::kPermissionDenied);
  Report("disk turned read-only: changes not refused as PERMISSION_DENIED",
         taken, "0", taken == 0, true);
  const bool serves = ServesAsBefore();
  Report("disk turned read-only: the server serves as before", serves ? 1 : 0,
         "1", serves, true);
  disk_.Uncover();
  const int failed = CountOtherOutcomes(absl::StatusCode::kOk);
  Report("disk turned read-only: changes that fail afterwards", failed, "0",
         failed == 0, true);
  Report("disk turned read-only: calls that failed",
         static_cast<double>(callers.failed()), "0", callers.failed() == 0,
         true);
}

TEST_F(SoakDiskTest, AReadOnlyDiskIsServedByAServerThatOnlyReads) {
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(), 0);
  client_.reset();
  ASSERT_TRUE(disk_.MakeReadOnly());
  Program writer({absl::StrCat("--repository=", (folder_ / "disk").string()),
                  "--listen=localhost:0", "--log_level=off"});
  const std::string line = writer.ReadLineWith("");
  EXPECT_THAT(line, HasSubstr("Read-only file system"));
  EXPECT_THAT(line, HasSubstr("--read_only"));
  const bool refused = absl::StrContains(line, "cannot use");
  Report("read-only disk: servers that start and would write", refused ? 0 : 1,
         "0", refused, true);

  StartServer("disk", {"--read_only"});
  ASSERT_FALSE(HasFatalFailure());
  const int taken = CountOtherOutcomes(absl::StatusCode::kFailedPrecondition);
  Report("read-only disk: changes not refused as FAILED_PRECONDITION", taken,
         "0", taken == 0, true);
  const bool serves = ServesAsBefore();
  Report("read-only disk: a server that only reads serves", serves ? 1 : 0, "1",
         serves, true);
}

}  // namespace
}  // namespace poe::server
