// What connects a job to a call that watches it.
#ifndef POE_SERVER_SERVICES_JOB_LINK_H_
#define POE_SERVER_SERVICES_JOB_LINK_H_

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "server/training_job.h"

namespace poe::server {

// Passes news of a job on until it is cut. Thread-safe.
class JobLink final : public TrainingJob::Listener {
 public:
  // `on_news` must not cut the link.
  explicit JobLink(absl::AnyInvocable<void()> on_news)
      : on_news_(std::move(on_news)) {}

  void OnNews() override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (on_news_) on_news_();
  }

  // When this returns, on_news neither runs nor ever will.
  void Cut() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    on_news_ = nullptr;
  }

 private:
  absl::Mutex mutex_;
  absl::AnyInvocable<void()> on_news_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_JOB_LINK_H_
