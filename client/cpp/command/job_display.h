#ifndef POE_CLIENT_CPP_COMMAND_JOB_DISPLAY_H_
#define POE_CLIENT_CPP_COMMAND_JOB_DISPLAY_H_

#include <cstdint>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/command/progress.h"
#include "poe/v1/training.pb.h"

namespace poe::client {

// How far a job is, as it is shown.
ProgressView ViewOf(const v1::Progress& progress);

// "running", "succeeded", ...
std::string StateName(v1::Job::State state);

// What became of a job that has ended, in one line.
std::string Outcome(const v1::Job& job);

// Shows what happens in a job on standard error. Not thread-safe.
class JobDisplay {
 public:
  // Rows that will be sent, if any.
  explicit JobDisplay(int64_t expected_rows = 0);

  void Show(const v1::TrainResponse& response);
  void Show(const v1::JobEvent& event);

 private:
  void ShowRows(int64_t rows);

  int64_t expected_rows_;
  absl::Time started_ = absl::Now();
  ProgressDisplay display_;
};

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_JOB_DISPLAY_H_
