#include "server/repository_poller.h"

#include "server/thread_priority.h"

namespace poe::server {

RepositoryPoller::RepositoryPoller(ModelRepository& repository,
                                   absl::Duration interval) {
  if (interval <= absl::ZeroDuration()) return;
  thread_ = std::thread([this, &repository, interval] {
    LowerThreadPriority(kFilesNiceness, "looking at the repository");
    while (!AwaitEnd(interval)) repository.Refresh();
  });
}

RepositoryPoller::~RepositoryPoller() {
  {
    absl::MutexLock lock(&mutex_);
    ended_ = true;
    end_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

bool RepositoryPoller::AwaitEnd(absl::Duration interval) {
  absl::MutexLock lock(&mutex_);
  return end_.AwaitUntil(
      mutex_, SteadyTimeAfter(interval),
      [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ended_; });
}

}  // namespace poe::server
