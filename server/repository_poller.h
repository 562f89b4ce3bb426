// Looks at the model repository now and then.
#ifndef POE_SERVER_REPOSITORY_POLLER_H_
#define POE_SERVER_REPOSITORY_POLLER_H_

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/model_repository.h"
#include "server/steady_time.h"

namespace poe::server {

// Calls Refresh in a thread of its own, with this long between the end of one
// and the next, as long as the object lives.
class RepositoryPoller {
 public:
  // `repository` must outlive it. Zero: never.
  RepositoryPoller(ModelRepository& repository, absl::Duration interval);
  ~RepositoryPoller();
  RepositoryPoller(const RepositoryPoller&) = delete;
  RepositoryPoller& operator=(const RepositoryPoller&) = delete;

 private:
  // Whether the end came within that time.
  bool AwaitEnd(absl::Duration interval) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  SteadyCondition end_;
  std::thread thread_;
};

}  // namespace poe::server

#endif  // POE_SERVER_REPOSITORY_POLLER_H_
