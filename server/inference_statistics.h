// How often and how fast versions of models have answered.
#ifndef POE_SERVER_INFERENCE_STATISTICS_H_
#define POE_SERVER_INFERENCE_STATISTICS_H_

#include <chrono>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "inference/open_inference.pb.h"
#include "server/model_repository.h"
#include "server/request_observer.h"

namespace poe::server {

// What the parts of one call took.
struct InferenceTimes {
  absl::Duration queue;   // waiting for a thread, and for its batch
  absl::Duration input;   // reading tensors
  absl::Duration infer;   // answering
  absl::Duration output;  // writing tensors
};

// Counts from the time a version is loaded; what is unloaded is forgotten, so
// that there are never more counts than models in memory. Observes the calls of
// poe.v1, of which it knows waiting and working alone, and all batches; calls
// of ModelInfer are added by those who answer them. Thread-safe.
class InferenceStatistics final : public RequestObserver {
 public:
  void OnBatch(const BatchReport& report) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnFinish(const RequestReport& report) override
      ABSL_LOCKS_EXCLUDED(mutex_);

  void AddSuccess(const ServedModel& served, const InferenceTimes& times)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void AddFailure(const ServedModel& served, const InferenceTimes& times)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // All 0 for a version that has not been asked yet.
  inference::ModelStatistics Get(const ServedModel& served) const
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  inference::ModelStatistics& Find(const ServedModel& served)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  // By identity: a version that is loaded again is another model.
  std::map<std::weak_ptr<const Model>, inference::ModelStatistics,
           std::owner_less<>>
      counts_ ABSL_GUARDED_BY(mutex_);
};

// Times the parts of one call, which follow each other. A call begins with
// waiting. Used by one thread at a time.
class InferenceTimer {
 public:
  // `statistics` must outlive it.
  InferenceTimer(InferenceStatistics& statistics, ServedModel served);

  // What has passed since the part before was that part.
  void End(absl::Duration InferenceTimes::*part);
  // The call waits from here on.
  void Wait() { waits_ = true; }
  // Adds the call to the statistics. One that failed while it was waiting was
  // turned away, and is not counted. Once.
  void Report(const absl::Status& status);

 private:
  InferenceStatistics& statistics_;
  const ServedModel served_;
  InferenceTimes times_;
  std::chrono::steady_clock::time_point part_began_ =
      std::chrono::steady_clock::now();
  bool waits_ = true;
};

}  // namespace poe::server

#endif  // POE_SERVER_INFERENCE_STATISTICS_H_
