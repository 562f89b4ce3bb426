#include "server/services/train_reactor.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/errors.h"
#include "server/request_scope.h"
#include "server/services/job_link.h"

namespace poe::server {
namespace {

// Received bytes after which rows are acknowledged.
constexpr std::size_t kAcknowledgeBytes = 1 << 20;

absl::Status BadStream(absl::string_view reason, absl::string_view text) {
  return Error(absl::StatusCode::kInvalidArgument, reason, text);
}

// Reads: one at a time, the next when what came is on the disk. Writes: one at
// a time, each made when the one before it is gone, from what there is to say
// by then; so a client that reads slowly costs no memory. Reactions of gRPC and
// news of the job come in several threads. Job, repository and executor are
// never called with mutex_ held where they might call back. It lives until gRPC
// is done with it and nothing of it is in work.
class TrainReactor final
    : public grpc::ServerBidiReactor<v1::TrainRequest, v1::TrainResponse>,
      public std::enable_shared_from_this<TrainReactor> {
 public:
  TrainReactor(TrainingJobs& jobs, Executor& executor,
               grpc::CallbackServerContext* context)
      : jobs_(jobs),
        executor_(executor),
        link_(std::make_shared<JobLink>([this] {
          absl::MutexLock lock(&mutex_);
          Pump();
        })),
        scope_("Train", context) {
    scope_.Enter(RequestScope::Phase::kClient);
  }

  void Start() {
    self_ = shared_from_this();
    StartRead(&request_);
  }

 private:
  enum class Data {
    kComing,
    kHalfClosed,  // the last acknowledgement is not yet written
    kClosed,
  };

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override {
    link_->Cut();
    self_.reset();
  }

  // What the disk takes its time for: in a thread of the executor, one at a
  // time. The call sets in_work_ before.
  using Work = absl::Status (TrainReactor::*)();
  void Submit(Work work) ABSL_LOCKS_EXCLUDED(mutex_);
  // Cancelled for a message of a client that is gone. The end of its data
  // counts all the same.
  absl::Status CheckWanted() ABSL_LOCKS_EXCLUDED(mutex_);
  // `result` is that of the work.
  void GoOn(Work work, const absl::Status& result) ABSL_LOCKS_EXCLUDED(mutex_);
  // Nothing is in work any more; an error ends the stream. The job if the
  // stream has ended and the job's fate is its concern, otherwise null.
  std::shared_ptr<TrainingJob> EndWork(const absl::Status& result)
      ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Status HandleRequest() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status HandleStart(const v1::TrainStart& start)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status HandleChunk(const v1::TrainChunk& chunk)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void HandleHalfClose() ABSL_LOCKS_EXCLUDED(mutex_);
  // The data are complete.
  absl::Status CloseData() ABSL_LOCKS_EXCLUDED(mutex_);
  // The client is gone.
  void Break() ABSL_LOCKS_EXCLUDED(mutex_);
  // What becomes of a job whose sender is gone: one with a request_id waits for
  // the rest of its data, any other that receives ends, unless it reads them
  // from files; and so does one that does not outlive its stream.
  void LeaveJob(const std::shared_ptr<TrainingJob>& job,
                const absl::Status& why);

  // Begins the next write, or ends the stream, if it is time to.
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PumpEvents() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndStream(const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  TrainingJobs& jobs_;
  Executor& executor_;
  // Until gRPC is done.
  std::shared_ptr<TrainReactor> self_;
  v1::TrainRequest request_;
  v1::TrainResponse response_;
  const std::shared_ptr<JobLink> link_;
  std::size_t unacknowledged_bytes_ = 0;  // only between reads

  absl::Mutex mutex_;
  RequestScope scope_ ABSL_GUARDED_BY(mutex_);
  // Null before the start.
  std::shared_ptr<TrainingJob> job_ ABSL_GUARDED_BY(mutex_);
  // The job was there before: its data are, and its fate is another stream's.
  bool watches_only_ ABSL_GUARDED_BY(mutex_) = false;
  std::int64_t sender_ ABSL_GUARDED_BY(mutex_) = 0;
  Data data_ ABSL_GUARDED_BY(mutex_) = Data::kComing;
  bool accept_due_ ABSL_GUARDED_BY(mutex_) = false;
  bool acknowledgement_due_ ABSL_GUARDED_BY(mutex_) = false;
  std::int64_t rows_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t next_event_ ABSL_GUARDED_BY(mutex_) = 1;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // Waits for the executor or runs there; it also leaves the job if the client
  // goes meanwhile.
  bool in_work_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

void TrainReactor::OnReadDone(bool ok) {
  if (!ok) {
    HandleHalfClose();
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) return;
    scope_.HoldBytes(request_.ByteSizeLong());
    in_work_ = true;
  }
  Submit(&TrainReactor::HandleRequest);
}

void TrainReactor::Submit(Work work) {
  const absl::Status submitted = executor_.Submit(
      {.check = [this] { return CheckWanted(); },
       .run =
           [self = shared_from_this(), work](const absl::Status& wanted) {
             if (wanted.ok()) {
               self->GoOn(work, CatchExceptions(
                                    [&] { return (self.get()->*work)(); }));
             } else if (const auto job = self->EndWork(wanted)) {
               self->LeaveJob(job, wanted);
             }
           }});
  if (submitted.ok()) return;
  if (const auto job = EndWork(submitted)) LeaveJob(job, submitted);
}

absl::Status TrainReactor::CheckWanted() {
  absl::MutexLock lock(&mutex_);
  if (!ended_ || data_ == Data::kClosed) return absl::OkStatus();
  return absl::CancelledError("the client went away");
}

void TrainReactor::GoOn(Work work, const absl::Status& result) {
  if (const auto job = EndWork(result)) {
    if (result.ok()) {
      LeaveJob(job, absl::CancelledError("the client went away"));
    } else {
      jobs_.Abandon(job, result);
    }
    return;
  }
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  scope_.HoldBytes(0);
  if (work == &TrainReactor::HandleRequest) {
    // Its memory too: the next may be long in coming.
    v1::TrainRequest().Swap(&request_);
    StartRead(&request_);
  }
  Pump();
}

std::shared_ptr<TrainingJob> TrainReactor::EndWork(const absl::Status& result) {
  absl::MutexLock lock(&mutex_);
  in_work_ = false;
  if (!ended_ && !result.ok()) EndStream(result);
  return ended_ && !watches_only_ ? job_ : nullptr;
}

absl::Status TrainReactor::HandleRequest() {
  bool started;
  {
    absl::MutexLock lock(&mutex_);
    started = job_ != nullptr;
  }
  switch (request_.kind_case()) {
    case v1::TrainRequest::kStart:
      if (!started) return HandleStart(request_.start());
      return BadStream("SECOND_START",
                       "start came again; it is sent once, first");
    case v1::TrainRequest::kChunk:
      if (started) return HandleChunk(request_.chunk());
      return BadStream("NO_START",
                       "a chunk came first; the first message must be start");
    default:
      return BadStream("EMPTY_MESSAGE",
                       started ? "a message has no chunk; after start, every "
                                 "message is a chunk"
                               : "the first message must be start; it has "
                                 "neither start nor chunk");
  }
}

absl::Status TrainReactor::HandleStart(const v1::TrainStart& start) {
  absl::StatusOr<TrainingJobs::Started> started = jobs_.Start(start);
  if (!started.ok()) return started.status();
  const std::shared_ptr<TrainingJob> job = started->job;
  std::optional<std::int64_t> sender;
  if (started->created) {
    sender = TrainingJob::kFirstSender;
  } else {
    sender = job->Attach();
  }
  if (!sender.has_value() && job->state() == v1::Job::STATE_RECEIVING &&
      !job->has_begun_reading()) {
    return Error(absl::StatusCode::kAborted, "JOB_HAS_STREAM",
                 absl::StrCat("another stream sends the data of ", job->name(),
                              "; end it first"),
                 {{"job", job->name()}});
  }
  job->Subscribe(link_);
  absl::MutexLock lock(&mutex_);
  scope_.SetModel(start.model_name(), 0);
  job_ = job;
  rows_ = job->Snapshot().rows();
  accept_due_ = true;
  watches_only_ = !sender.has_value();
  sender_ = sender.value_or(0);
  if (watches_only_) data_ = Data::kClosed;
  Pump();
  return absl::OkStatus();
}

absl::Status TrainReactor::HandleChunk(const v1::TrainChunk& chunk) {
  std::shared_ptr<TrainingJob> job;
  std::int64_t sender;
  {
    absl::MutexLock lock(&mutex_);
    if (!job_->start().data_file().empty()) {
      return BadStream("DATA_FILE_AND_CHUNK",
                       "a chunk came, but start has a data_file; the rows are "
                       "read from there alone");
    }
    if (data_ != Data::kComing) return absl::OkStatus();
    job = job_;
    sender = sender_;
  }
  const absl::StatusOr<std::int64_t> rows = job->Append(chunk, sender);
  if (!rows.ok()) return rows.status();
  unacknowledged_bytes_ += request_.ByteSizeLong();
  absl::MutexLock lock(&mutex_);
  scope_.AddRows(*rows - rows_);
  rows_ = *rows;
  if (unacknowledged_bytes_ >= kAcknowledgeBytes) {
    unacknowledged_bytes_ = 0;
    acknowledgement_due_ = true;
    Pump();
  }
  return absl::OkStatus();
}

void TrainReactor::HandleHalfClose() {
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  if (job_ == nullptr) {
    EndStream(BadStream("NO_START",
                        "the stream ended without a message; the first must "
                        "be start"));
  } else if (data_ == Data::kComing) {
    // A stream that was reset looks like one that was half-closed. Only the
    // latter can be written to: the job begins when that has been seen.
    data_ = Data::kHalfClosed;
    acknowledgement_due_ = true;
    Pump();
  }
}

absl::Status TrainReactor::CloseData() {
  std::shared_ptr<TrainingJob> job;
  {
    absl::MutexLock lock(&mutex_);
    job = job_;
  }
  return job->start().data_file().empty() ? jobs_.CloseData(job)
                                          : jobs_.ReadData(job);
}

void TrainReactor::OnWriteDone(bool ok) {
  if (!ok) {
    Break();
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (ended_) return;
    if (data_ != Data::kHalfClosed || acknowledgement_due_ ||
        !response_.has_acknowledged_rows()) {
      Pump();
      return;
    }
    data_ = Data::kClosed;
    in_work_ = true;
  }
  Submit(&TrainReactor::CloseData);
}

void TrainReactor::OnCancel() { Break(); }

void TrainReactor::Break() {
  const absl::Status gone =
      absl::CancelledError("the client went away before the end of the stream");
  std::shared_ptr<TrainingJob> job;
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) return;
    EndStream(gone);
    if (!watches_only_ && !in_work_) job = job_;
  }
  if (job == nullptr) return;
  const absl::Status submitted = executor_.Submit(
      {.check = [] { return absl::OkStatus(); },
       .run = [self = shared_from_this(), job,
               gone](const absl::Status&) { self->LeaveJob(job, gone); }});
  if (!submitted.ok()) LeaveJob(job, gone);
}

void TrainReactor::LeaveJob(const std::shared_ptr<TrainingJob>& job,
                            const absl::Status& why) {
  if (!job->has_begun_reading()) {
    if (!job->start().request_id().empty() &&
        job->state() == v1::Job::STATE_RECEIVING) {
      job->Leave();
      return;
    }
    jobs_.Abandon(job, why);
  }
  if (!job->start().detach()) job->Cancel(why.message());
}

void TrainReactor::Pump() {
  if (writing_ || ended_ || job_ == nullptr) return;
  if (accept_due_) {
    accept_due_ = false;
    *response_.mutable_accepted() = job_->Snapshot();
    Write();
  } else if (acknowledgement_due_) {
    acknowledgement_due_ = false;
    response_.set_acknowledged_rows(rows_);
    Write();
  } else {
    PumpEvents();
  }
}

void TrainReactor::PumpEvents() {
  // In this order, so that no event is missed.
  const bool job_ended = job_->HasEnded();
  std::optional<v1::JobEvent> event =
      job_->NextEvent(next_event_, JobEvents::Skip::kOldProgress);
  if (event.has_value()) {
    next_event_ = event->number() + 1;
    *response_.mutable_event() = *std::move(event);
    Write();
    return;
  }
  if (!job_ended) return;
  const absl::Status failure = job_->Failure();
  if (!failure.ok()) {
    EndStream(failure);
    return;
  }
  *response_.mutable_completed() = job_->Snapshot();
  scope_.SetModel(job_->start().model_name(), response_.completed().version());
  ended_ = true;
  StartWriteAndFinish(&response_, grpc::WriteOptions(),
                      scope_.Finish(absl::OkStatus()));
}

void TrainReactor::Write() {
  writing_ = true;
  StartWrite(&response_);
}

void TrainReactor::EndStream(const absl::Status& status) {
  ended_ = true;
  Finish(scope_.Finish(status));
}

}  // namespace

grpc::ServerBidiReactor<v1::TrainRequest, v1::TrainResponse>* NewTrainReactor(
    TrainingJobs& jobs, Executor& executor,
    grpc::CallbackServerContext* context) {
  const auto reactor = std::make_shared<TrainReactor>(jobs, executor, context);
  reactor->Start();
  return reactor.get();
}

}  // namespace poe::server
