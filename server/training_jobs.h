// All training jobs of a server, and the threads that read their files and run
// them.
#ifndef POE_SERVER_TRAINING_JOBS_H_
#define POE_SERVER_TRAINING_JOBS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "poe/v1/training.pb.h"
#include "server/codec/training_codec.h"
#include "server/executor.h"
#include "server/model_repository.h"
#include "server/spool.h"
#include "server/steady_time.h"
#include "server/training_job.h"

namespace poe::server {

struct TrainingJobsOptions {
  // Threads that one training runs on.
  int threads = 1;
  // Jobs that have not ended, those that still receive their data included.
  std::size_t unfinished_jobs = 16;
  // Jobs that have ended and can still be asked about; older ones are
  // forgotten.
  std::size_t ended_jobs = 100;
  // How long data that came so far wait for the rest when their stream has
  // broken and the job has a request_id.
  absl::Duration upload_patience = absl::Minutes(10);
  // How often a running job keeps what it needs to go on after a crash.
  absl::Duration snapshot_interval = absl::Minutes(1);
  // The longest that a job may run, counted anew after a restart.
  absl::Duration running_time = absl::InfiniteDuration();
  // Folder of the files that jobs may name. Empty: none may.
  std::string data_directory;
  // Of the thread that trains: see thread_priority.h.
  int niceness = 0;
  SpoolLimits spool;
  TrainingLimits training;
  // Goes into the record of the models: name and version of the program.
  std::string program = "poe-server";
};

// Jobs run one at a time, in the order in which their data were complete, and
// after a restart in that in which they began. Those whose data
// were complete are on the disk as well, below the repository: what an earlier
// process has left goes on, and ends with the same bits; what it did not
// survive several times lets others pass, and fails in the end
// (job_restarts.h). What cannot be read at the start is kept for the next.
// Thread-safe.
class TrainingJobs {
 public:
  // `repository` must outlive it. Takes up the jobs that an earlier process
  // left and removes what belongs to none.
  static absl::StatusOr<std::unique_ptr<TrainingJobs>> Open(
      ModelRepository* repository, TrainingJobsOptions options);

  // Shutdown.
  ~TrainingJobs();
  TrainingJobs(const TrainingJobs&) = delete;
  TrainingJobs& operator=(const TrainingJobs&) = delete;

  // Asks all jobs to suspend (TrainingJob::Suspend) and takes no more. Does not
  // wait for the one that runs.
  void Suspend() ABSL_LOCKS_EXCLUDED(mutex_);
  // Suspend, and returns when none runs.
  void Shutdown() ABSL_LOCKS_EXCLUDED(mutex_);

  struct Started {
    std::shared_ptr<TrainingJob> job;
    // False: the job of an earlier start with this request_id.
    bool created = false;
  };
  // InvalidArgument for what cannot be trained;
  // FailedPrecondition for files without a folder of them; NotFound or DataLoss
  // for a base_version that is not stored, or damaged; AlreadyExists
  // for a request_id that came with another request; Aborted if the model has a
  // job that has not ended; ResourceExhausted for too many jobs or rows;
  // Unavailable after Suspend.
  absl::StatusOr<Started> Start(const v1::TrainStart& start)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The data are complete: the job waits for its turn. Where that is an error
  // (see TrainingJob::CloseData) the job fails with it.
  absl::Status CloseData(const std::shared_ptr<TrainingJob>& job)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The same for a job whose data are in files: they are read first, in a
  // thread for that, and the job fails with what is wrong with them. Nothing if
  // it reads them already, an error if it no longer receives.
  absl::Status ReadData(const std::shared_ptr<TrainingJob>& job)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The rest of its data will not come: ends a job that receives, and its
  // request_id may start another.
  void Abandon(const std::shared_ptr<TrainingJob>& job, const absl::Status& why)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // NotFound unless there is a job of that name ("jobs/...").
  absl::StatusOr<std::shared_ptr<TrainingJob>> Find(
      absl::string_view name) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Newest first. InvalidArgument for a bad page size or token.
  absl::StatusOr<v1::ListJobsResponse> List(
      const v1::ListJobsRequest& request) const ABSL_LOCKS_EXCLUDED(mutex_);
  // How many jobs there are in each state that any is in.
  std::map<v1::Job::State, int> CountByState() const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The job as it is after it was asked to stop.
  absl::StatusOr<v1::Job> Cancel(absl::string_view name)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The job, whose checkpoint is a version from then on. FailedPrecondition for
  // a job without one; errors of ModelRepository::Publish.
  absl::StatusOr<v1::Job> PublishCheckpoint(absl::string_view name)
      ABSL_LOCKS_EXCLUDED(mutex_, publish_mutex_);
  // FailedPrecondition for a job that has not ended.
  absl::Status Delete(absl::string_view name) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // By the order of their start.
  using Jobs = std::map<std::int64_t, std::shared_ptr<TrainingJob>>;

  TrainingJobs(ModelRepository* repository, TrainingJobsOptions options);

  // Before there is a thread that runs jobs.
  absl::Status Restore() ABSL_LOCKS_EXCLUDED(mutex_);
  // The job of a record, to be run, put off or as it has ended.
  std::shared_ptr<TrainingJob> RestoreJob(const v1::JobRecord& record,
                                          const JobFiles& files) const;

  // Null unless an earlier start has the request_id; else an error if `start`
  // may not become a job now.
  absl::StatusOr<std::shared_ptr<TrainingJob>> CheckStart(
      const v1::TrainStart& start) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Ends jobs whose data have waited too long for the rest.
  void EndLeftUploads() ABSL_LOCKS_EXCLUDED(mutex_);
  // The files of what is forgotten are to be removed without the lock.
  std::vector<std::shared_ptr<TrainingJob>> ForgetOldJobs()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetRequestId(const std::shared_ptr<TrainingJob>& job)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<TrainingJob> Forget(Jobs::iterator job)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Jobs::const_iterator FindByName(absl::string_view name) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Waits for a job that may run and takes the first out of the queue; null
  // after Shutdown.
  std::shared_ptr<TrainingJob> TakeDueJob() ABSL_LOCKS_EXCLUDED(mutex_);
  void RunJobs() ABSL_LOCKS_EXCLUDED(mutex_);

  ModelRepository* const repository_;
  const TrainingJobsOptions options_;
  const std::string folder_;

  // Held while a checkpoint becomes a version.
  absl::Mutex publish_mutex_;
  mutable absl::Mutex mutex_;
  Jobs jobs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<TrainingJob>, std::less<>> request_ids_
      ABSL_GUARDED_BY(mutex_);
  std::int64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<std::shared_ptr<TrainingJob>> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // There is another job in the queue, or Shutdown.
  SteadyCondition queued_or_stops_;
  std::thread runner_;
  // Reads files of data; the first to go.
  Executor reader_;
};

}  // namespace poe::server

#endif  // POE_SERVER_TRAINING_JOBS_H_
