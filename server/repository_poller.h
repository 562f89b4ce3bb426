// Looks at the model repository now and then.
#ifndef POE_SERVER_REPOSITORY_POLLER_H_
#define POE_SERVER_REPOSITORY_POLLER_H_

#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "server/model_repository.h"

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
  absl::Notification stop_;
  std::thread thread_;
};

}  // namespace poe::server

#endif  // POE_SERVER_REPOSITORY_POLLER_H_
