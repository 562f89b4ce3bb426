#include "server/training_job.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/codec/observations.h"
#include "server/errors.h"
#include "server/files.h"
#include "server/job_restarts.h"
#include "server/timestamp.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

// A chunk is limited by the size of a message, its job by the spool.
constexpr RowLimits kNoRowLimit = {std::numeric_limits<std::int64_t>::max()};

// Numbers of events that a record takes ahead, and how many are left when the
// next are taken: more than come in between two reports of progress.
constexpr std::int64_t kReservedEvents = 1000;
constexpr std::int64_t kLeastReservedEvents = 100;

// Of a job that has ended for this.
v1::Job::State StateOf(const absl::Status& why) {
  return absl::IsCancelled(why) ? v1::Job::STATE_CANCELLED
                                : v1::Job::STATE_FAILED;
}

// Then its last event, the one that says so, is the last that the record knows.
bool HasEndedBy(const v1::JobRecord& record) {
  return record.job().state() != v1::Job::STATE_QUEUED;
}

void SetError(const absl::Status& why, v1::Job& job) {
  job.set_error_code(static_cast<int>(why.code()));
  job.set_error_message(std::string(why.message()));
}

}  // namespace

JobFiles JobFiles::Of(absl::string_view folder, absl::string_view id) {
  const std::string path = absl::StrCat(folder, "/", id);
  return {.rows = path,
          .base = absl::StrCat(path, "/base.pb"),
          .record = absl::StrCat(path, ".job"),
          .checkpoint = absl::StrCat(path, ".pb"),
          .snapshot = absl::StrCat(path, ".snapshot")};
}

bool IsLost(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsDataLoss(status);
}

void JobFiles::Remove() const {
  // The record first: without it the others mean nothing.
  for (const std::string& path : {record, checkpoint, snapshot, rows}) {
    RemoveTree(path);
  }
}

TrainingJob::TrainingJob(std::int64_t number, std::string name,
                         v1::TrainStart start, TrainingSettings settings,
                         std::shared_ptr<Spool> spool, JobFiles files)
    : name_(std::move(name)),
      start_(std::move(start)),
      settings_(std::move(settings)),
      number_(number),
      files_(std::move(files)),
      restored_(false),
      due_(SteadyNow()),
      class_rows_(settings_.class_names.size()),
      spool_(std::move(spool)) {
  job_.set_name(name_);
  job_.set_model_name(start_.model_name());
  job_.set_seed(settings_.seed);
  job_.set_request_id(start_.request_id());
  const absl::Time now = absl::Now();
  *job_.mutable_created() = ToTimestamp(now);
  job_.set_state(v1::Job::STATE_RECEIVING);
  events_.AddState(v1::Job::STATE_RECEIVING, now);
}

TrainingJob::TrainingJob(const v1::JobRecord& record, TrainingSettings settings,
                         std::shared_ptr<Spool> spool, JobFiles files)
    : name_(record.job().name()),
      start_(record.start()),
      settings_(std::move(settings)),
      number_(record.number()),
      files_(std::move(files)),
      restored_(true),
      due_(SteadyTimeAfter(RestartDelay(record.starts()))),
      job_(record.job()),
      events_(HasEndedBy(record) ? record.last_event() - 1
                                 : record.last_event()),
      recorded_(true),
      starts_(record.starts()),
      spool_(std::move(spool)) {
  events_.AddState(job_.state(), absl::Now());
  const absl::Duration delay = RestartDelay(starts_);
  if (job_.state() == v1::Job::STATE_QUEUED && delay > absl::ZeroDuration()) {
    const std::string text =
        absl::StrCat("the server has ended ", starts_,
                     " times in a row while it ran this job; it waits ",
                     absl::FormatDuration(delay), " before it runs again");
    spdlog::warn("{}: {}", name_, text);
    events_.AddMessage(text, absl::Now());
  }
  if (job_.error_code() != 0) {
    failure_ = absl::Status(static_cast<absl::StatusCode>(job_.error_code()),
                            job_.error_message());
  }
}

void TrainingJob::Aftermath::Finish() {
  spool.reset();
  for (const std::shared_ptr<Listener>& listener : listeners) {
    listener->OnNews();
  }
}

v1::Job TrainingJob::Snapshot() const {
  absl::MutexLock lock(&mutex_);
  return job_;
}

v1::Job::State TrainingJob::state() const {
  absl::MutexLock lock(&mutex_);
  return job_.state();
}

bool TrainingJob::HasEnded() const {
  absl::MutexLock lock(&mutex_);
  return Ended();
}

absl::Status TrainingJob::Failure() const {
  absl::MutexLock lock(&mutex_);
  return failure_;
}

std::optional<v1::JobEvent> TrainingJob::NextEvent(std::int64_t from,
                                                   JobEvents::Skip skip) const {
  absl::MutexLock lock(&mutex_);
  return events_.Next(from, skip);
}

std::int64_t TrainingJob::last_event() const {
  absl::MutexLock lock(&mutex_);
  return events_.last_number();
}

void TrainingJob::Subscribe(std::weak_ptr<Listener> listener) {
  absl::MutexLock lock(&mutex_);
  listeners_.push_back(std::move(listener));
}

std::optional<std::int64_t> TrainingJob::Attach() {
  absl::MutexLock append(&append_mutex_);
  absl::MutexLock lock(&mutex_);
  if (left_at_ == SteadyTime::max() || !CheckReceiving().ok()) {
    return std::nullopt;
  }
  left_at_ = SteadyTime::max();
  return ++sender_;
}

void TrainingJob::Leave() {
  // What the sender is about to add comes first.
  absl::MutexLock append(&append_mutex_);
  absl::MutexLock lock(&mutex_);
  if (CheckReceiving().ok() && !has_begun_reading()) left_at_ = SteadyNow();
}

SteadyTime TrainingJob::left_at() const {
  absl::MutexLock lock(&mutex_);
  return CheckReceiving().ok() ? left_at_ : SteadyTime::max();
}

absl::StatusOr<std::int64_t> TrainingJob::BeginReading() {
  absl::MutexLock append(&append_mutex_);
  absl::MutexLock lock(&mutex_);
  if (absl::Status s = CheckReceiving(); !s.ok()) return s;
  if (reading_.exchange(true, std::memory_order_acq_rel)) return 0;
  left_at_ = SteadyTime::max();
  return ++sender_;
}

absl::StatusOr<std::int64_t> TrainingJob::Append(const v1::TrainChunk& chunk,
                                                 std::int64_t sender) {
  absl::MutexLock append(&append_mutex_);
  if (sender != sender_) {
    return Error(absl::StatusCode::kAborted, "JOB_HAS_STREAM",
                 absl::StrCat("another stream sends the data of ", name_));
  }
  std::shared_ptr<Spool> spool;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status s = CheckReceiving(); !s.ok()) return s;
    spool = spool_;
  }
  const std::int64_t before = spool->rows();
  if (chunk.row_offset() != before) {
    return Error(
        absl::StatusCode::kOutOfRange, "CHUNK_OUT_OF_ORDER",
        absl::StrCat("chunk.row_offset is ", chunk.row_offset(), "; ", before,
                     " rows have come so far, so it ", "must be ", before),
        {{"expected_row_offset", absl::StrCat(before)}});
  }
  absl::StatusOr<DecodedRows> decoded =
      DecodeObservations(chunk.observations(), settings_.data_spec, kNoRowLimit,
                         /*weights_allowed=*/true, "chunk.observations");
  if (!decoded.ok()) {
    return WithPrefix(absl::StrCat("chunk at row ", before), decoded.status());
  }
  if (absl::Status s = CheckLabels(chunk, decoded->rows); !s.ok()) {
    return WithPrefix(absl::StrCat("chunk at row ", before), s);
  }
  const std::int64_t after = before + decoded->rows;
  if (start_.expected_rows() > 0 && after > start_.expected_rows()) {
    return FieldError("chunk.observations", "TOO_MANY_ROWS",
                      absl::StrCat("bring the rows to ", after, "; start said ",
                                   start_.expected_rows()));
  }
  const bool labelled = class_rows_.size() > 1;
  const auto labels =
      absl::MakeConstSpan(chunk.labels().data(), chunk.labels_size());
  absl::Status added = spool->Append(
      decoded->values, labelled ? labels : absl::Span<const std::int32_t>(),
      decoded->weights, decoded->starts, decoded->observed);
  if (!added.ok()) return added;
  for (std::int64_t n = 0; n < decoded->rows; ++n) {
    ++class_rows_[labelled ? labels[n] : 0];
  }
  absl::MutexLock lock(&mutex_);
  job_.set_rows(after);
  return after;
}

absl::Status TrainingJob::CheckLabels(const v1::TrainChunk& chunk,
                                      std::int64_t rows) const {
  const auto classes = static_cast<std::int64_t>(class_rows_.size());
  if (chunk.labels().empty() && classes == 1) return absl::OkStatus();
  if (chunk.labels_size() != rows) {
    return FieldError(
        "chunk.labels", "WRONG_SIZE",
        absl::StrCat("has ", chunk.labels_size(), " elements; must have ", rows,
                     ", one for each row"));
  }
  for (std::int64_t n = 0; n < rows; ++n) {
    const std::int32_t label = chunk.labels(static_cast<int>(n));
    if (label >= 0 && label < classes) continue;
    return FieldError(
        absl::StrCat("chunk.labels[", n, "]"), "OUT_OF_RANGE",
        absl::StrCat("is ", label, "; must be an index into the ", classes,
                     " class_names, 0 to ", classes - 1));
  }
  return absl::OkStatus();
}

absl::Status TrainingJob::CloseData() {
  std::int64_t rows = 0;
  for (const std::int64_t of_class : class_rows_) rows += of_class;
  if (start_.expected_rows() > 0 && rows != start_.expected_rows()) {
    return Error(absl::StatusCode::kInvalidArgument, "DATA_INCOMPLETE",
                 absl::StrCat("the data ended after ", rows, " of the ",
                              start_.expected_rows(), " rows announced"),
                 {{"rows", absl::StrCat(rows)}});
  }
  for (std::size_t c = 0; c < class_rows_.size(); ++c) {
    if (class_rows_[c] > 0 || !settings_.NeedsRows(static_cast<Index>(c))) {
      continue;
    }
    return Error(absl::StatusCode::kFailedPrecondition, "CLASS_WITHOUT_ROWS",
                 absl::StrCat("class ", Quoted(settings_.class_names[c]),
                              " has none of the ", rows,
                              " rows sent; every class needs some"),
                 {{"class_name", settings_.class_names[c]}});
  }
  std::shared_ptr<Spool> spool;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status s = CheckReceiving(); !s.ok()) return s;
    spool = spool_;
  }
  if (absl::Status s = spool->Sync(); !s.ok()) return s;
  absl::Status recorded =
      WriteRecord(v1::Job::STATE_QUEUED, absl::OkStatus(), 0);
  if (!recorded.ok()) return recorded;
  Aftermath aftermath;
  {
    absl::MutexLock lock(&mutex_);
    if (absl::Status s = CheckReceiving(); !s.ok()) {
      // It was cancelled meanwhile.
      RemoveTree(files_.record);
      return s;
    }
    recorded_ = true;
    SetState(v1::Job::STATE_QUEUED);
    aftermath.listeners = LiveListeners();
  }
  aftermath.Finish();
  return absl::OkStatus();
}

bool TrainingJob::BeginRunning() {
  Aftermath aftermath;
  {
    absl::MutexLock lock(&mutex_);
    if (Ended()) return false;
    SetState(v1::Job::STATE_RUNNING);
    aftermath.listeners = LiveListeners();
  }
  aftermath.Finish();
  return true;
}

void TrainingJob::RecordQueued() {
  WriteRecord(v1::Job::STATE_QUEUED, absl::OkStatus(), 0).IgnoreError();
}

void TrainingJob::CountStart() {
  {
    absl::MutexLock lock(&mutex_);
    ++starts_;
  }
  RecordQueued();
}

void TrainingJob::ForgetStarts() {
  {
    absl::MutexLock lock(&mutex_);
    if (starts_ == 0) return;
    starts_ = 0;
  }
  RecordQueued();
}

absl::StatusOr<TrainingRows> TrainingJob::MapRows() {
  absl::MutexLock lock(&mutex_);
  return spool_->Map();
}

void TrainingJob::SetProgress(const v1::Progress& progress) {
  Aftermath aftermath;
  bool reserve;
  {
    absl::MutexLock lock(&mutex_);
    *job_.mutable_progress() = progress;
    if (!events_.AddProgress(progress, absl::Now())) return;
    reserve = recorded_ &&
              events_.last_number() > reserved_events_ - kLeastReservedEvents;
    aftermath.listeners = LiveListeners();
  }
  if (reserve) RecordQueued();
  aftermath.Finish();
}

absl::Status TrainingJob::CheckCancelled() const {
  if (!cancel_asked_.load(std::memory_order_acquire)) return absl::OkStatus();
  absl::MutexLock lock(&mutex_);
  return is_suspended() ? absl::UnavailableError(cancel_reason_)
                        : absl::CancelledError(cancel_reason_);
}

bool TrainingJob::BeginPublishing() {
  absl::MutexLock lock(&mutex_);
  publishing_ = !cancel_asked_.load(std::memory_order_acquire);
  return publishing_;
}

void TrainingJob::Succeed(std::int64_t version) {
  RecordEnd(v1::Job::STATE_SUCCEEDED, absl::OkStatus(), version);
  Aftermath aftermath;
  {
    absl::MutexLock lock(&mutex_);
    job_.set_version(version);
    events_.AddPublishedVersion(version, absl::Now());
    aftermath = SetEnded(v1::Job::STATE_SUCCEEDED);
  }
  aftermath.Finish();
}

void TrainingJob::SetCheckpoint(const v1::Checkpoint& checkpoint) {
  absl::MutexLock lock(&mutex_);
  *job_.mutable_checkpoint() = checkpoint;
  events_.AddCheckpoint(checkpoint.update(), absl::Now());
}

void TrainingJob::SetVersion(std::int64_t version) {
  {
    absl::MutexLock lock(&mutex_);
    job_.set_version(version);
  }
  WriteRecord(state(), Failure(), version).IgnoreError();
}

void TrainingJob::AddSnapshot(std::int64_t update) {
  Aftermath aftermath;
  {
    absl::MutexLock lock(&mutex_);
    events_.AddCheckpoint(update, absl::Now());
    aftermath.listeners = LiveListeners();
  }
  aftermath.Finish();
  ForgetStarts();
}

void TrainingJob::End(const absl::Status& why) {
  Aftermath aftermath;
  if (is_suspended()) {
    ForgetStarts();
    {
      absl::MutexLock lock(&mutex_);
      left_ = true;
      failure_ = why;
      if (spool_ != nullptr) spool_->Keep();
      aftermath.listeners = LiveListeners();
    }
    aftermath.Finish();
    return;
  }
  RecordEnd(StateOf(why), why, 0);
  {
    absl::MutexLock lock(&mutex_);
    aftermath = SetFailed(why);
  }
  aftermath.Finish();
}

bool TrainingJob::Abandon(const absl::Status& why) {
  Aftermath aftermath;
  {
    absl::MutexLock lock(&mutex_);
    if (job_.state() != v1::Job::STATE_RECEIVING) return false;
    aftermath = SetFailed(why);
  }
  aftermath.Finish();
  return true;
}

void TrainingJob::Cancel(absl::string_view why) {
  Aftermath aftermath;
  bool recorded;
  {
    absl::MutexLock lock(&mutex_);
    if (Ended() || publishing_ || is_suspended()) return;
    if (job_.state() == v1::Job::STATE_RUNNING) {
      cancel_reason_ = std::string(why);
      cancel_asked_.store(true, std::memory_order_release);
      return;
    }
    recorded = recorded_;
    aftermath = SetFailed(absl::CancelledError(why));
    // Rows go once there is a record of the end.
    if (recorded) spool_ = std::move(aftermath.spool);
  }
  if (recorded) RecordEnd(v1::Job::STATE_CANCELLED, Failure(), 0);
  aftermath.Finish();
}

void TrainingJob::Suspend() {
  constexpr absl::string_view kWhy =
      "the server is shutting down; the job goes on when it is back";
  Aftermath aftermath;
  {
    absl::MutexLock lock(&mutex_);
    if (Ended() || publishing_ || IsCancelled()) return;
    if (job_.state() == v1::Job::STATE_RECEIVING) {
      aftermath = SetFailed(absl::UnavailableError(
          "the server is shutting down; send the data again when it is back"));
    } else {
      cancel_reason_ = std::string(kWhy);
      suspended_.store(true, std::memory_order_release);
      cancel_asked_.store(true, std::memory_order_release);
      if (job_.state() == v1::Job::STATE_RUNNING) return;
      left_ = true;
      failure_ = absl::UnavailableError(kWhy);
      spool_->Keep();
      aftermath.listeners = LiveListeners();
    }
  }
  aftermath.Finish();
}

absl::Status TrainingJob::PutOff(const absl::Status& why) {
  const absl::Status failure(
      why.code(), absl::StrCat("the job cannot go on now: ", why.message(),
                               "; its files are kept, and it is tried again "
                               "when the server starts again"));
  Aftermath aftermath;
  {
    absl::MutexLock lock(&mutex_);
    if (IsCancelled()) return absl::CancelledError(cancel_reason_);
    suspended_.store(true, std::memory_order_release);
    left_ = true;
    failure_ = failure;
    if (spool_ != nullptr) spool_->Keep();
    if (job_.state() != v1::Job::STATE_QUEUED) SetState(v1::Job::STATE_QUEUED);
    events_.AddMessage(failure.message(), absl::Now());
    aftermath.listeners = LiveListeners();
  }
  aftermath.Finish();
  return failure;
}

absl::Status TrainingJob::WriteRecord(v1::Job::State state,
                                      const absl::Status& why,
                                      std::int64_t version) {
  // Whatever is read later is written later.
  absl::MutexLock files(&files_mutex_);
  if (files_removed_) return absl::OkStatus();
  v1::JobRecord record;
  record.set_number(number_);
  *record.mutable_start() = start_;
  {
    absl::MutexLock lock(&mutex_);
    *record.mutable_job() = job_;
    if (state == v1::Job::STATE_QUEUED) {
      reserved_events_ = events_.last_number() + kReservedEvents;
      record.set_last_event(reserved_events_);
    } else if (job_.has_finished()) {
      record.set_last_event(events_.last_number());
    } else {
      // The version and the end are still to be told.
      record.set_last_event(events_.LastNumberAfter(version > 0 ? 2 : 1));
    }
    record.set_starts(starts_);
  }
  v1::Job& job = *record.mutable_job();
  job.set_state(state);
  if (state != v1::Job::STATE_QUEUED && !job.has_finished()) {
    *job.mutable_finished() = ToTimestamp(absl::Now());
  }
  if (version > 0) job.set_version(version);
  SetError(why, job);
  absl::Status written =
      ReplaceDurably(files_.record, record.SerializeAsString());
  if (!written.ok()) {
    spdlog::error("{} is not on the disk as it is: {}", name_,
                  written.ToString());
  }
  return written;
}

void TrainingJob::RemoveFiles() {
  absl::MutexLock lock(&files_mutex_);
  files_removed_ = true;
  files_.Remove();
}

void TrainingJob::RecordEnd(v1::Job::State state, const absl::Status& why,
                            std::int64_t version) {
  const bool recorded = WriteRecord(state, why, version).ok();
  DropWhatItRunsOn();
  // A full disk has room now.
  if (!recorded) WriteRecord(state, why, version).IgnoreError();
}

void TrainingJob::DropWhatItRunsOn() {
  RemoveTree(files_.snapshot);
  std::shared_ptr<Spool> spool;
  absl::MutexLock lock(&mutex_);
  spool.swap(spool_);
}

bool TrainingJob::Ended() const {
  return left_ || job_.state() == v1::Job::STATE_SUCCEEDED ||
         job_.state() == v1::Job::STATE_FAILED ||
         job_.state() == v1::Job::STATE_CANCELLED;
}

bool TrainingJob::IsCancelled() const {
  return cancel_asked_.load(std::memory_order_acquire) && !is_suspended();
}

absl::Status TrainingJob::CheckReceiving() const {
  if (job_.state() == v1::Job::STATE_RECEIVING) return absl::OkStatus();
  if (!failure_.ok()) return failure_;
  return Error(absl::StatusCode::kAborted, "JOB_NOT_RECEIVING",
               absl::StrCat(name_, " already has all its data"));
}

void TrainingJob::SetState(v1::Job::State state) {
  job_.set_state(state);
  events_.AddState(state, absl::Now());
}

TrainingJob::Aftermath TrainingJob::SetEnded(v1::Job::State state) {
  *job_.mutable_finished() = ToTimestamp(absl::Now());
  SetState(state);
  return {.spool = std::move(spool_), .listeners = LiveListeners()};
}

TrainingJob::Aftermath TrainingJob::SetFailed(const absl::Status& why) {
  failure_ = why;
  SetError(why, job_);
  return SetEnded(StateOf(why));
}

std::vector<std::shared_ptr<TrainingJob::Listener>>
TrainingJob::LiveListeners() {
  std::vector<std::shared_ptr<Listener>> live;
  std::erase_if(listeners_, [&live](const std::weak_ptr<Listener>& listener) {
    std::shared_ptr<Listener> locked = listener.lock();
    if (locked == nullptr) return true;
    live.push_back(std::move(locked));
    return false;
  });
  return live;
}

}  // namespace poe::server
