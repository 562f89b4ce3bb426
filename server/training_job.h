// One training job: what was asked, the rows so far, its state and its events.
#ifndef POE_SERVER_TRAINING_JOB_H_
#define POE_SERVER_TRAINING_JOB_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "poe/training.h"
#include "poe/v1/job_record.pb.h"
#include "poe/v1/training.pb.h"
#include "server/job_events.h"
#include "server/spool.h"
#include "server/steady_time.h"

namespace poe::server {

// Where a job's files lie.
struct JobFiles {
  std::string rows;        // a folder, of the spool
  std::string base;        // in there: the version whose classes it keeps
  std::string record;      // poe.v1.JobRecord, from when its data are complete
  std::string checkpoint;  // what is left of a training that failed late
  std::string snapshot;    // to go on from

  // Those of a job in the folder of all jobs.
  static JobFiles Of(absl::string_view folder, absl::string_view id);
  void Remove() const;
};

// Whether a file is missing or not what it was. After any other error of
// reading it may be read another time.
bool IsLost(const absl::Status& status);

// First receiving, then queued, then running; from each of these it may end:
// succeeded, failed or cancelled. From queued on it is on the disk as well, and
// goes on after a restart. Thread-safe.
class TrainingJob {
 public:
  // Is told, in the thread that made it happen, that there are new events.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void OnNews() = 0;
  };

  // Receives. `settings` are what `start` asks for.
  TrainingJob(std::int64_t number, std::string name, v1::TrainStart start,
              TrainingSettings settings, std::shared_ptr<Spool> spool,
              JobFiles files);
  // As an earlier process left it: queued, with its rows in `spool`, or ended.
  TrainingJob(const v1::JobRecord& record, TrainingSettings settings,
              std::shared_ptr<Spool> spool, JobFiles files);
  TrainingJob(const TrainingJob&) = delete;
  TrainingJob& operator=(const TrainingJob&) = delete;

  std::int64_t number() const { return number_; }
  const std::string& name() const { return name_; }
  const v1::TrainStart& start() const { return start_; }
  const TrainingSettings& settings() const { return settings_; }
  const JobFiles& files() const { return files_; }
  // For good: a record that is written later, as of a cancellation that has
  // just begun, is not.
  void RemoveFiles() ABSL_LOCKS_EXCLUDED(files_mutex_);
  // Whether an earlier process had it already.
  bool is_restored() const { return restored_; }
  // When it may run: at once, unless earlier processes did not survive it (see
  // job_restarts.h).
  SteadyTime due() const { return due_; }

  v1::Job Snapshot() const ABSL_LOCKS_EXCLUDED(mutex_);
  v1::Job::State state() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Or goes on in a later process.
  bool HasEnded() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Why it failed or was cancelled, or goes on later; OK in every other state.
  absl::Status Failure() const ABSL_LOCKS_EXCLUDED(mutex_);

  // See JobEvents.
  std::optional<v1::JobEvent> NextEvent(std::int64_t from,
                                        JobEvents::Skip skip) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Of the events so far.
  std::int64_t last_event() const ABSL_LOCKS_EXCLUDED(mutex_);
  // From now on OnNews is called, without any lock held, as long as the
  // listener lives.
  void Subscribe(std::weak_ptr<Listener> listener) ABSL_LOCKS_EXCLUDED(mutex_);

  // Who sends the data: one at a time, and the first from the beginning. When
  // it has left, the data so far wait for another.
  static constexpr std::int64_t kFirstSender = 1;
  // A new sender of a job that receives; nothing if it has one.
  std::optional<std::int64_t> Attach()
      ABSL_LOCKS_EXCLUDED(append_mutex_, mutex_);
  void Leave() ABSL_LOCKS_EXCLUDED(append_mutex_, mutex_);
  // Since when a job that receives has had no sender; the end of time if it has
  // one or no longer receives.
  SteadyTime left_at() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The server itself reads the data from now on, as the sender that is
  // returned: there will be no other. 0, and nothing, if it does already; the
  // status of Failure, or Aborted, if the job no longer receives.
  absl::StatusOr<std::int64_t> BeginReading()
      ABSL_LOCKS_EXCLUDED(append_mutex_, mutex_);
  bool has_begun_reading() const {
    return reading_.load(std::memory_order_acquire);
  }

  // Adds rows and returns how many there are now. OutOfRange, with the offset
  // expected, for a chunk out of order; InvalidArgument for bad rows or labels;
  // ResourceExhausted; Aborted if the job no longer receives, or not from this
  // sender. After an error the caller ends the job.
  absl::StatusOr<std::int64_t> Append(const v1::TrainChunk& chunk,
                                      std::int64_t sender = kFirstSender)
      ABSL_LOCKS_EXCLUDED(append_mutex_, mutex_);

  // The data are complete: queued. InvalidArgument if they are fewer than
  // announced, FailedPrecondition for a class without rows, Aborted if the job
  // no longer receives. Not during Append.
  absl::Status CloseData() ABSL_LOCKS_EXCLUDED(mutex_);

  // From queued to running; false if it has ended.
  bool BeginRunning() ABSL_LOCKS_EXCLUDED(mutex_);
  // Counts, on the disk, that a restored job now runs.
  void CountStart() ABSL_LOCKS_EXCLUDED(mutex_);
  // All rows of a running job, valid until it ends.
  absl::StatusOr<TrainingRows> MapRows() ABSL_LOCKS_EXCLUDED(mutex_);
  void SetProgress(const v1::Progress& progress) ABSL_LOCKS_EXCLUDED(mutex_);
  // Cancelled once a running job has been asked to stop, Unavailable if it is
  // to go on later. Cheap.
  absl::Status CheckCancelled() const ABSL_LOCKS_EXCLUDED(mutex_);
  // From here on it is too late to cancel; false if it has been cancelled.
  bool BeginPublishing() ABSL_LOCKS_EXCLUDED(mutex_);
  void Succeed(std::int64_t version) ABSL_LOCKS_EXCLUDED(mutex_);
  // Rows and snapshot of a running job that is about to fail.
  void DropWhatItRunsOn() ABSL_LOCKS_EXCLUDED(mutex_);
  // There is one at files().checkpoint, of a job that is about to fail.
  void SetCheckpoint(const v1::Checkpoint& checkpoint)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A failed job's checkpoint has become this version.
  void SetVersion(std::int64_t version) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends a running job, in the thread that runs it, and drops its rows:
  // cancelled if `why` is Cancelled, otherwise failed.
  void End(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for a job that receives; false, and nothing, for any other.
  bool Abandon(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends a job that does not run; asks one that runs to stop.
  void Cancel(absl::string_view why) ABSL_LOCKS_EXCLUDED(mutex_);
  // The process is about to end. The job goes on in the next one, as far as it
  // has got; but one that still receives fails, and one that was asked to stop
  // for good does. Cancel does nothing afterwards.
  void Suspend() ABSL_LOCKS_EXCLUDED(mutex_);
  // Files of a job that an earlier process has left cannot be read now. It is
  // queued in this process and does not run; it goes on in a later one. Returns
  // its failure, with what to do in the text. One that was cancelled is not put
  // off: Cancelled.
  absl::Status PutOff(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  bool is_suspended() const {
    return suspended_.load(std::memory_order_acquire);
  }
  // Writes the record of a job that goes on after a restart. Numbers of events
  // that come are taken with it, so that no later process gives them again. For
  // a restored job that has not ended; one that runs does it by itself.
  void RecordQueued() ABSL_LOCKS_EXCLUDED(mutex_);
  // A snapshot was kept, of this update.
  void AddSnapshot(std::int64_t update) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // What is left to do once the lock is released: rows are removed from the
  // disk and listeners called.
  struct Aftermath {
    std::shared_ptr<Spool> spool;
    std::vector<std::shared_ptr<Listener>> listeners;
    void Finish();
  };

  // The process has not ended for what the running job did so far.
  void ForgetStarts() ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes what a later process needs: the job as it is, with this instead.
  // Logs where that is not possible.
  absl::Status WriteRecord(v1::Job::State state, const absl::Status& why,
                           std::int64_t version) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for a job that ends and does not run any more, and drops what it
  // needed to go on.
  void RecordEnd(v1::Job::State state, const absl::Status& why,
                 std::int64_t version) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Ended() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Whether a running job has been asked to stop for good.
  bool IsCancelled() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::Status CheckReceiving() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // InvalidArgument unless there is a label for each row that needs one.
  absl::Status CheckLabels(const v1::TrainChunk& chunk,
                           std::int64_t rows) const;
  void SetState(v1::Job::State state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Aftermath SetEnded(v1::Job::State state)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Aftermath SetFailed(const absl::Status& why)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<std::shared_ptr<Listener>> LiveListeners()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string name_;
  const v1::TrainStart start_;
  const TrainingSettings settings_;
  const std::int64_t number_;
  const JobFiles files_;
  // Held while the record is written or removed; before mutex_.
  absl::Mutex files_mutex_;
  bool files_removed_ ABSL_GUARDED_BY(files_mutex_) = false;
  const bool restored_;
  const SteadyTime due_;
  // Held while rows are added; taken before mutex_.
  absl::Mutex append_mutex_;
  std::int64_t sender_ ABSL_GUARDED_BY(append_mutex_) = kFirstSender;
  // Rows of each class. Only Append and CloseData, never both at once.
  std::vector<std::int64_t> class_rows_;
  std::atomic<bool> cancel_asked_ = false, suspended_ = false;
  std::atomic<bool> reading_ = false;

  mutable absl::Mutex mutex_;
  v1::Job job_ ABSL_GUARDED_BY(mutex_);
  JobEvents events_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::string cancel_reason_ ABSL_GUARDED_BY(mutex_);
  bool publishing_ ABSL_GUARDED_BY(mutex_) = false;
  SteadyTime left_at_ ABSL_GUARDED_BY(mutex_) = SteadyTime::max();
  // A suspended job that no longer runs.
  bool left_ ABSL_GUARDED_BY(mutex_) = false;
  // Whether there is a record of it.
  bool recorded_ ABSL_GUARDED_BY(mutex_) = false;
  // The greatest number of an event that the record allows.
  std::int64_t reserved_events_ ABSL_GUARDED_BY(mutex_) = 0;
  // See JobRecord.
  int starts_ ABSL_GUARDED_BY(mutex_) = 0;
  // Null once the rows are no longer needed.
  std::shared_ptr<Spool> spool_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<Listener>> listeners_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace poe::server

#endif  // POE_SERVER_TRAINING_JOB_H_
