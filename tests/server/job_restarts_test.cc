#include "server/job_restarts.h"

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/errors.h"

namespace poe::server {
namespace {

TEST(JobRestartsTest, AFewStartsInVainDelayNothing) {
  for (int starts = 0; starts < 3; ++starts) {
    EXPECT_EQ(RestartDelay(starts), absl::ZeroDuration());
  }
}

TEST(JobRestartsTest, EachFurtherStartDoublesTheDelay) {
  EXPECT_EQ(RestartDelay(3), absl::Seconds(10));
  EXPECT_EQ(RestartDelay(4), absl::Seconds(20));
  EXPECT_EQ(RestartDelay(7), absl::Seconds(160));
}

TEST(JobRestartsTest, EightStartsInVainAreEnough) {
  EXPECT_EQ(CheckRestart(7), absl::OkStatus());
  const absl::Status status = CheckRestart(8);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(ReasonOf(status), "JOB_ENDS_SERVER");
}

}  // namespace
}  // namespace poe::server
