#include "tests/bench/load_generator.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"

namespace poe::bench {
namespace {

std::string Describe(const grpc::Status& status) {
  return absl::StrCat("code ", static_cast<int>(status.error_code()), ": ",
                      status.error_message());
}

// One caller of a closed loop; its calls never overlap.
struct Caller {
  std::vector<double> latencies;
  std::string error;
};

void CallUntil(const AsyncCall& call, absl::Time end, Caller& caller,
               absl::BlockingCounter& running) {
  const absl::Time start = absl::Now();
  if (start >= end || !caller.error.empty()) {
    running.DecrementCount();
    return;
  }
  call([&call, end, start, &caller, &running](const grpc::Status& status) {
    caller.latencies.push_back(absl::ToDoubleSeconds(absl::Now() - start));
    if (!status.ok()) caller.error = Describe(status);
    CallUntil(call, end, caller, running);
  });
}

}  // namespace

double LoadReport::Quantile(double share) const {
  if (latencies.empty()) return 0;
  const auto last = static_cast<double>(latencies.size() - 1);
  return latencies[static_cast<std::size_t>(share * last)];
}

LoadReport RunClosedLoop(const AsyncCall& call, int in_flight,
                         absl::Duration window) {
  std::vector<Caller> callers(in_flight);
  absl::BlockingCounter running(in_flight);
  const absl::Time start = absl::Now();
  for (Caller& caller : callers) {
    CallUntil(call, start + window, caller, running);
  }
  running.Wait();

  LoadReport report;
  report.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  for (const Caller& caller : callers) {
    report.latencies.insert(report.latencies.end(), caller.latencies.begin(),
                            caller.latencies.end());
    if (!caller.error.empty()) report.error = caller.error;
  }
  std::sort(report.latencies.begin(), report.latencies.end());
  return report;
}

LoadReport RunOpenLoop(const AsyncCall& call, double rate,
                       absl::Duration window) {
  const auto calls =
      static_cast<std::int64_t>(rate * absl::ToDoubleSeconds(window));
  LoadReport report;
  report.latencies.reserve(calls);
  absl::Mutex mutex;
  absl::BlockingCounter unanswered(static_cast<int>(calls));
  const absl::Time start = absl::Now();
  for (std::int64_t i = 0; i < calls; ++i) {
    const absl::Time due = start + absl::Seconds(static_cast<double>(i) / rate);
    absl::SleepFor(due - absl::Now());
    call([due, &mutex, &report, &unanswered](const grpc::Status& status) {
      {
        const absl::MutexLock lock(&mutex);
        report.latencies.push_back(absl::ToDoubleSeconds(absl::Now() - due));
        if (!status.ok()) report.error = Describe(status);
      }
      unanswered.DecrementCount();
    });
  }
  unanswered.Wait();
  report.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  std::sort(report.latencies.begin(), report.latencies.end());
  return report;
}

}  // namespace poe::bench
