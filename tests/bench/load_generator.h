// Makes calls and measures how they are answered.
#ifndef POE_TESTS_BENCH_LOAD_GENERATOR_H_
#define POE_TESTS_BENCH_LOAD_GENERATOR_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "grpcpp/support/status.h"

namespace poe::bench {

// Starts a call and returns; runs `done` on any thread when it has been
// answered. Thread-safe.
using AsyncCall = std::function<void(std::function<void(grpc::Status)> done)>;

struct LoadReport {
  double seconds = 0;             // from the first call to the last answer
  std::vector<double> latencies;  // seconds, ascending; one for each call
  std::string error;              // of some call that failed, if any did

  double calls_per_second() const {
    return static_cast<double>(latencies.size()) / seconds;
  }
  // The latency that a share of the calls, in [0, 1], does not exceed.
  double Quantile(double share) const;
};

// Closed loop: `in_flight` callers, each of which calls again when it has been
// answered.
LoadReport RunClosedLoop(const AsyncCall& call, int in_flight,
                         absl::Duration window);

// Open loop: calls start at a rate (a second) whether or not earlier ones have
// been answered. Latency counts from when a call was due, so that what a slow
// answer delays is not forgotten.
LoadReport RunOpenLoop(const AsyncCall& call, double rate,
                       absl::Duration window);

}  // namespace poe::bench

#endif  // POE_TESTS_BENCH_LOAD_GENERATOR_H_
