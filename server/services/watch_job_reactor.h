// One WatchJob call.
#ifndef POE_SERVER_SERVICES_WATCH_JOB_REACTOR_H_
#define POE_SERVER_SERVICES_WATCH_JOB_REACTOR_H_

#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/grpcpp.h"
#include "poe/v1/training.pb.h"
#include "server/request_scope.h"
#include "server/services/job_link.h"
#include "server/training_job.h"

namespace poe::server {

// Sends the events of a job, each when the one before it is gone, until the job
// has ended and all are sent. Deletes itself when done.
class WatchJobReactor final : public grpc::ServerWriteReactor<v1::JobEvent> {
 public:
  // `job` is null if there is none; then Refuse must be called.
  WatchJobReactor(RequestScope scope, std::shared_ptr<TrainingJob> job,
                  std::int64_t from_event);

  // Exactly one of these, right after construction.
  void Start() ABSL_LOCKS_EXCLUDED(mutex_);
  void Refuse(const absl::Status& error) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override;

  // Begins the next write, or ends the stream, if it is time to.
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<TrainingJob> job_;
  const std::shared_ptr<JobLink> link_;
  v1::JobEvent event_;

  absl::Mutex mutex_;
  RequestScope scope_ ABSL_GUARDED_BY(mutex_);
  std::int64_t next_event_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_WATCH_JOB_REACTOR_H_
