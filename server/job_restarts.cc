#include "server/job_restarts.h"

#include "absl/strings/str_cat.h"
#include "server/errors.h"

namespace poe::server {
namespace {

constexpr int kStartsAtOnce = 3;
constexpr int kMostStarts = 8;
constexpr absl::Duration kFirstDelay = absl::Seconds(10);

}  // namespace

absl::Duration RestartDelay(int starts) {
  if (starts < kStartsAtOnce) return absl::ZeroDuration();
  absl::Duration delay = kFirstDelay;
  for (int start = kStartsAtOnce; start < starts; ++start) delay *= 2;
  return delay;
}

absl::Status CheckRestart(int starts) {
  if (starts < kMostStarts) return absl::OkStatus();
  return Error(
      absl::StatusCode::kInternal, "JOB_ENDS_SERVER",
      absl::StrCat("the server has ended ", starts,
                   " times in a row while it ran this job, each time before "
                   "it kept a snapshot, perhaps for want of memory; the job is "
                   "not tried again. The log of the server says more; train "
                   "with less, or "
                   "where there is more memory"),
      {{"starts", absl::StrCat(starts)}});
}

}  // namespace poe::server
