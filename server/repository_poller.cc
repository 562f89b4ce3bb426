#include "server/repository_poller.h"

#include "server/thread_priority.h"

namespace poe::server {

RepositoryPoller::RepositoryPoller(ModelRepository& repository,
                                   absl::Duration interval) {
  if (interval <= absl::ZeroDuration()) return;
  thread_ = std::thread([this, &repository, interval] {
    LowerThreadPriority(kFilesNiceness, "looking at the repository");
    while (!stop_.WaitForNotificationWithTimeout(interval)) {
      repository.Refresh();
    }
  });
}

RepositoryPoller::~RepositoryPoller() {
  stop_.Notify();
  if (thread_.joinable()) thread_.join();
}

}  // namespace poe::server
