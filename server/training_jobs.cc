#include "server/training_jobs.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "google/protobuf/util/message_differencer.h"
#include "poe/numerics/workers.h"
#include "server/checkpoint.h"
#include "server/codec/model_codec.h"
#include "server/errors.h"
#include "server/files.h"
#include "server/job_restarts.h"
#include "server/model_file.h"
#include "server/steady_time.h"
#include "server/thread_priority.h"
#include "server/training_files.h"
#include "server/training_run.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

constexpr int kDefaultPageSize = 100;
constexpr int kGreatestPageSize = 1000;
constexpr std::size_t kLongestRequestId = 128;
// One: each holds a piece of a file in memory.
constexpr int kReadingThreads = 1;
constexpr absl::string_view kRecordSuffix = ".job";
constexpr std::int64_t kMostRecordBytes = std::int64_t{1} << 30;

// Unique, and in the order of time for people.
std::string MakeJobId() {
  absl::BitGen random;
  return absl::StrCat(
      absl::FormatTime("%Y%m%d-%H%M%S-", absl::Now(), absl::UTCTimeZone()),
      absl::Hex(absl::Uniform<std::uint32_t>(random), absl::kZeroPad8));
}

std::uint64_t SeedOf(const v1::TrainStart& start) {
  if (start.has_seed()) return start.seed();
  absl::BitGen random;
  return absl::Uniform<std::uint64_t>(random);
}

absl::Status NoJob(absl::string_view name) {
  return Error(absl::StatusCode::kNotFound, "JOB_NOT_FOUND",
               absl::StrCat("there is no job ", Quoted(name),
                            "; ListJobs tells those there are"),
               {{"job", std::string(name)}});
}

SpoolLayout LayoutOf(const TrainingSettings& settings) {
  return {.dimension = settings.data_spec.dimension,
          .labelled = settings.class_names.size() > 1,
          .sequential = settings.data_spec.sequential};
}

// The version whose classes a start keeps, as it is stored; an empty message if
// it names none.
absl::StatusOr<v1::Model> ReadBase(const v1::TrainStart& start,
                                   const ModelRepository& repository) {
  if (start.base_version() <= 0) return v1::Model();
  absl::StatusOr<v1::Model> base =
      repository.Read(start.model_name(), start.base_version());
  if (!base.ok()) return WithPrefix("base_version", base.status());
  return base;
}

absl::StatusOr<TrainingSettings> DecodeWithBase(const v1::TrainStart& start,
                                                std::uint64_t seed,
                                                const TrainingLimits& limits,
                                                const v1::Model& base) {
  if (start.base_version() <= 0) return DecodeTrainStart(start, seed, limits);
  const absl::StatusOr<Model> model = DecodeModel(base);
  if (!model.ok()) return WithPrefix("base_version", model.status());
  return DecodeTrainStart(start, seed, limits, &*model);
}

// DataLoss for what is no record; what is said of a file that cannot be read.
absl::StatusOr<v1::JobRecord> ReadRecord(const std::string& path) {
  const absl::StatusOr<std::string> bytes = ReadFile(path, kMostRecordBytes);
  if (!bytes.ok()) return bytes.status();
  v1::JobRecord record;
  if (!record.ParseFromString(*bytes)) {
    return absl::DataLossError(absl::StrCat(path, " is no record of a job"));
  }
  return record;
}

// That the names of files are some in a folder that there is.
absl::Status ValidateFiles(const v1::TrainStart& start,
                           const std::string& data_directory) {
  if (start.data_file().empty() && start.label_file().empty()) {
    return absl::OkStatus();
  }
  if (data_directory.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "NO_DATA_DIRECTORY",
                 "the server has no data directory (--data_directory); send "
                 "the rows in chunks");
  }
  for (const auto& [field, name] :
       {std::pair<absl::string_view, absl::string_view>("data_file",
                                                        start.data_file()),
        std::pair<absl::string_view, absl::string_view>("label_file",
                                                        start.label_file())}) {
    if (name.empty() || IsNameBelow(name)) continue;
    return FieldError(field, "INVALID_NAME",
                      absl::StrCat("is ", Quoted(name),
                                   "; must be relative to the data directory, "
                                   "without \".\", \"..\" and empty parts"));
  }
  return absl::OkStatus();
}

absl::Status ValidateStart(const v1::TrainStart& start,
                           const std::string& data_directory) {
  absl::Status status = ValidateModelName(start.model_name(), "model_name");
  if (!status.ok()) return status;
  if (start.request_id().size() > kLongestRequestId) {
    return FieldError(
        "request_id", "TOO_LONG",
        absl::StrCat("has ", start.request_id().size(), " characters; at most ",
                     kLongestRequestId, " are allowed"));
  }
  return ValidateFiles(start, data_directory);
}

}  // namespace

absl::StatusOr<std::unique_ptr<TrainingJobs>> TrainingJobs::Open(
    ModelRepository* repository, TrainingJobsOptions options) {
  std::unique_ptr<TrainingJobs> jobs(
      new TrainingJobs(repository, std::move(options)));
  if (!repository->read_only()) {
    if (absl::Status s = jobs->Restore(); !s.ok()) return s;
  }
  jobs->runner_ = std::thread([jobs = jobs.get()] { jobs->RunJobs(); });
  return jobs;
}

TrainingJobs::TrainingJobs(ModelRepository* repository,
                           TrainingJobsOptions options)
    : repository_(repository),
      options_(std::move(options)),
      folder_(absl::StrCat(repository->folder(), "/.jobs")),
      reader_(kReadingThreads, options_.unfinished_jobs) {}

absl::Status TrainingJobs::Restore() {
  if (absl::Status s = MakeFolder(folder_); !s.ok()) return s;
  absl::StatusOr<std::vector<std::string>> names = ListFolder(folder_);
  if (!names.ok()) return names.status();
  absl::MutexLock lock(&mutex_);
  std::set<std::string> known;
  for (const std::string& name : *names) {
    absl::string_view id = name;
    if (!absl::ConsumeSuffix(&id, kRecordSuffix)) continue;
    const JobFiles files = JobFiles::Of(folder_, id);
    absl::StatusOr<v1::JobRecord> record = ReadRecord(files.record);
    if (IsLost(record.status())) {
      spdlog::error("a record is removed: {}", record.status().ToString());
      continue;
    }
    known.insert(files.record);
    if (!record.ok()) {
      spdlog::error(
          "a job is not listed, its files are kept, and it is tried again when "
          "the server starts again: {}",
          record.status().ToString());
      known.insert({files.rows, files.snapshot, files.checkpoint});
      continue;
    }
    // That of a job whose record could not be read for a while may be taken.
    if (jobs_.count(record->number()) > 0) {
      record->set_number(last_number_ + 1);
    }
    std::shared_ptr<TrainingJob> job = RestoreJob(*record, files);
    if (job->state() == v1::Job::STATE_QUEUED) {
      known.insert({files.rows, files.snapshot});
    } else {
      known.insert(files.checkpoint);
    }
    last_number_ = std::max(last_number_, job->number());
    if (!job->start().request_id().empty()) {
      request_ids_.insert_or_assign(job->start().request_id(), job);
    }
    jobs_.emplace(job->number(), std::move(job));
  }
  for (const auto& [number, job] : jobs_) {
    if (!job->HasEnded()) queue_.push_back(job);
  }
  for (const std::string& name : *names) {
    const std::string path = absl::StrCat(folder_, "/", name);
    if (known.count(path) == 0) RemoveTree(path);
  }
  if (!queue_.empty()) {
    spdlog::info("{} training jobs of an earlier process go on", queue_.size());
  }
  return absl::OkStatus();
}

std::shared_ptr<TrainingJob> TrainingJobs::RestoreJob(
    const v1::JobRecord& record, const JobFiles& files) const {
  if (record.job().state() != v1::Job::STATE_QUEUED) {
    return std::make_shared<TrainingJob>(record, TrainingSettings(), nullptr,
                                         files);
  }
  absl::StatusOr<v1::Model> base = v1::Model();
  if (record.start().base_version() > 0) base = ReadModelFile(files.base);
  absl::StatusOr<TrainingSettings> settings =
      base.ok() ? DecodeWithBase(record.start(), record.job().seed(),
                                 options_.training, *base)
                : absl::StatusOr<TrainingSettings>(base.status());
  absl::Status status = settings.status();
  bool can_be_read = base.ok() || IsLost(base.status());
  if (absl::Status s = CheckRestart(record.starts()); can_be_read && !s.ok()) {
    status = s;
  }
  std::shared_ptr<Spool> spool;
  if (status.ok()) {
    absl::StatusOr<std::unique_ptr<Spool>> reopened =
        Spool::Reopen(files.rows, LayoutOf(*settings), record.job().rows());
    status = reopened.status();
    can_be_read = reopened.ok() || IsLost(status);
    if (reopened.ok()) spool = *std::move(reopened);
  }
  auto job = std::make_shared<TrainingJob>(
      record, status.ok() ? *std::move(settings) : TrainingSettings(),
      std::move(spool), files);
  job->RecordQueued();
  if (!can_be_read) {
    spdlog::error("{}: {}", job->name(), job->PutOff(status).ToString());
  } else if (!status.ok()) {
    job->End(WithPrefix("the job cannot go on after a restart", status));
  }
  return job;
}

TrainingJobs::~TrainingJobs() { Shutdown(); }

void TrainingJobs::Suspend() {
  std::vector<std::shared_ptr<TrainingJob>> jobs;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    queued_or_stops_.NotifyAll();
    for (const auto& [number, job] : jobs_) jobs.push_back(job);
  }
  for (const auto& job : jobs) job->Suspend();
}

void TrainingJobs::Shutdown() {
  Suspend();
  if (runner_.joinable()) runner_.join();
}

absl::StatusOr<TrainingJobs::Started> TrainingJobs::Start(
    const v1::TrainStart& start) {
  if (absl::Status s = repository_->CheckWritable(); !s.ok()) return s;
  if (absl::Status s = ValidateStart(start, options_.data_directory); !s.ok()) {
    return s;
  }
  EndLeftUploads();
  std::int64_t number = 0;
  {
    absl::MutexLock lock(&mutex_);
    auto earlier = CheckStart(start);
    if (!earlier.ok()) return earlier.status();
    if (*earlier != nullptr) return Started{*std::move(earlier), false};
    number = ++last_number_;
  }
  const absl::StatusOr<v1::Model> base = ReadBase(start, *repository_);
  if (!base.ok()) return base.status();
  absl::StatusOr<TrainingSettings> settings =
      DecodeWithBase(start, SeedOf(start), options_.training, *base);
  if (!settings.ok()) return settings.status();
  const std::string id = MakeJobId();
  const JobFiles files = JobFiles::Of(folder_, id);
  absl::StatusOr<std::unique_ptr<Spool>> spool =
      Spool::Create(files.rows, LayoutOf(*settings), options_.spool);
  if (!spool.ok()) return spool.status();
  if (absl::Status s = (*spool)->CheckSize(start.expected_rows()); !s.ok()) {
    return s;
  }
  if (start.base_version() > 0) {
    absl::Status kept = WriteModelFile(*base, files.base);
    if (!kept.ok()) return kept;
  }
  auto job = std::make_shared<TrainingJob>(number, absl::StrCat("jobs/", id),
                                           start, *std::move(settings),
                                           *std::move(spool), files);
  std::vector<std::shared_ptr<TrainingJob>> forgotten;
  {
    absl::MutexLock lock(&mutex_);
    // Another start may have come meanwhile.
    auto earlier = CheckStart(start);
    if (!earlier.ok()) return earlier.status();
    if (*earlier != nullptr) return Started{*std::move(earlier), false};
    forgotten = ForgetOldJobs();
    jobs_.emplace(number, job);
    if (!start.request_id().empty()) {
      request_ids_.insert_or_assign(start.request_id(), job);
    }
  }
  for (const auto& old : forgotten) old->RemoveFiles();
  return Started{std::move(job), true};
}

absl::StatusOr<std::shared_ptr<TrainingJob>> TrainingJobs::CheckStart(
    const v1::TrainStart& start) const {
  if (stopping_) {
    return Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN",
                 "the server is shutting down");
  }
  const auto same_id = request_ids_.find(start.request_id());
  if (same_id != request_ids_.end()) {
    const std::shared_ptr<TrainingJob>& job = same_id->second;
    if (google::protobuf::util::MessageDifferencer::Equals(job->start(),
                                                           start)) {
      return job;
    }
    return Error(
        absl::StatusCode::kAlreadyExists, "REQUEST_ID_IN_USE",
        absl::StrCat("request_id ", Quoted(start.request_id()), " is that of ",
                     job->name(), ", which was asked for something else"),
        {{"job", job->name()}});
  }
  std::size_t unfinished = 0;
  for (const auto& [number, job] : jobs_) {
    if (job->HasEnded()) continue;
    ++unfinished;
    if (job->start().model_name() != start.model_name()) continue;
    return Error(absl::StatusCode::kAborted, "MODEL_BUSY",
                 absl::StrCat(job->name(), " is making a version of model ",
                              Quoted(start.model_name()),
                              "; wait for its end or cancel it"),
                 {{"job", job->name()}});
  }
  if (unfinished >= options_.unfinished_jobs) {
    return Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_JOBS",
                 absl::StrCat(unfinished,
                              " training jobs have not ended, as many as this "
                              "server takes; try again later"));
  }
  return nullptr;
}

void TrainingJobs::EndLeftUploads() {
  std::vector<std::shared_ptr<TrainingJob>> left;
  {
    absl::MutexLock lock(&mutex_);
    const SteadyTime now = SteadyNow();
    for (const auto& [number, job] : jobs_) {
      if (absl::FromChrono(now - job->left_at()) >= options_.upload_patience) {
        left.push_back(job);
      }
    }
  }
  for (const auto& job : left) {
    Abandon(job, absl::CancelledError(
                     "the client went away before the end of the stream and "
                     "has not come back"));
  }
}

std::vector<std::shared_ptr<TrainingJob>> TrainingJobs::ForgetOldJobs() {
  std::vector<std::shared_ptr<TrainingJob>> forgotten;
  // One that goes on in a later process is queued.
  const auto has_ended = [](const TrainingJob& job) {
    return job.HasEnded() && job.state() != v1::Job::STATE_QUEUED;
  };
  std::size_t ended = 0;
  for (const auto& [number, job] : jobs_) ended += has_ended(*job) ? 1 : 0;
  for (auto job = jobs_.begin();
       job != jobs_.end() && ended > options_.ended_jobs;) {
    if (!has_ended(*job->second)) {
      ++job;
      continue;
    }
    forgotten.push_back(Forget(job++));
    --ended;
  }
  return forgotten;
}

std::shared_ptr<TrainingJob> TrainingJobs::Forget(Jobs::iterator job) {
  ForgetRequestId(job->second);
  std::shared_ptr<TrainingJob> forgotten = std::move(job->second);
  jobs_.erase(job);
  return forgotten;
}

absl::Status TrainingJobs::CloseData(const std::shared_ptr<TrainingJob>& job) {
  absl::Status closed = job->CloseData();
  if (!closed.ok()) {
    Abandon(job, closed);
    return closed;
  }
  absl::MutexLock lock(&mutex_);
  queue_.push_back(job);
  queued_or_stops_.NotifyAll();
  return absl::OkStatus();
}

absl::Status TrainingJobs::ReadData(const std::shared_ptr<TrainingJob>& job) {
  const absl::StatusOr<std::int64_t> sender = job->BeginReading();
  if (!sender.ok()) return sender.status();
  if (*sender == 0) return absl::OkStatus();
  absl::Status submitted = reader_.Submit(
      {.check = [job] { return job->Failure(); },
       .run =
           [this, job, sender = *sender](absl::Status status) {
             if (status.ok()) {
               status = CatchExceptions([&] {
                 return AppendFiles(options_.data_directory, sender, *job);
               });
             }
             if (status.ok()) status = CloseData(job);
             if (!status.ok()) Abandon(job, status);
           }});
  if (!submitted.ok()) Abandon(job, submitted);
  return submitted;
}

void TrainingJobs::Abandon(const std::shared_ptr<TrainingJob>& job,
                           const absl::Status& why) {
  if (!job->Abandon(why)) return;
  absl::MutexLock lock(&mutex_);
  ForgetRequestId(job);
}

void TrainingJobs::ForgetRequestId(const std::shared_ptr<TrainingJob>& job) {
  const auto id = request_ids_.find(job->start().request_id());
  if (id != request_ids_.end() && id->second == job) request_ids_.erase(id);
}

absl::StatusOr<std::shared_ptr<TrainingJob>> TrainingJobs::Find(
    absl::string_view name) const {
  if (name.empty()) {
    return FieldError("name", "MISSING_FIELD",
                      "is missing; it names a job, \"jobs/...\"");
  }
  absl::MutexLock lock(&mutex_);
  const auto found = FindByName(name);
  if (found == jobs_.end()) return NoJob(name);
  return found->second;
}

TrainingJobs::Jobs::const_iterator TrainingJobs::FindByName(
    absl::string_view name) const {
  return std::find_if(jobs_.begin(), jobs_.end(), [name](const auto& job) {
    return job.second->name() == name;
  });
}

absl::StatusOr<v1::ListJobsResponse> TrainingJobs::List(
    const v1::ListJobsRequest& request) const {
  if (request.page_size() < 0 || request.page_size() > kGreatestPageSize) {
    return FieldError(
        "page_size", "OUT_OF_RANGE",
        absl::StrCat("is ", request.page_size(), "; must be from 0 (for ",
                     kDefaultPageSize, ") to ", kGreatestPageSize));
  }
  const int page_size =
      request.page_size() == 0 ? kDefaultPageSize : request.page_size();
  // The token is the number of the last job of the page before.
  std::int64_t before = 0;
  if (!request.page_token().empty() &&
      (!absl::SimpleAtoi(request.page_token(), &before) || before < 1)) {
    return FieldError("page_token", "INVALID_PAGE_TOKEN",
                      absl::StrCat("is ", Quoted(request.page_token()),
                                   "; must be a next_page_token"));
  }
  v1::ListJobsResponse response;
  std::int64_t last = 0;
  absl::MutexLock lock(&mutex_);
  auto job = std::make_reverse_iterator(
      before == 0 ? jobs_.end() : jobs_.lower_bound(before));
  for (; job != jobs_.rend(); ++job) {
    const TrainingJob& candidate = *job->second;
    if (!request.model_name().empty() &&
        candidate.start().model_name() != request.model_name()) {
      continue;
    }
    if (response.jobs_size() == page_size) {
      response.set_next_page_token(absl::StrCat(last));
      break;
    }
    last = job->first;
    *response.add_jobs() = candidate.Snapshot();
  }
  return response;
}

std::map<v1::Job::State, int> TrainingJobs::CountByState() const {
  std::map<v1::Job::State, int> counts;
  absl::MutexLock lock(&mutex_);
  for (const auto& [number, job] : jobs_) ++counts[job->state()];
  return counts;
}

absl::StatusOr<v1::Job> TrainingJobs::Cancel(absl::string_view name) {
  const absl::StatusOr<std::shared_ptr<TrainingJob>> job = Find(name);
  if (!job.ok()) return job.status();
  (*job)->Cancel("the job was cancelled");
  return (*job)->Snapshot();
}

absl::StatusOr<v1::Job> TrainingJobs::PublishCheckpoint(
    absl::string_view name) {
  const absl::StatusOr<std::shared_ptr<TrainingJob>> job = Find(name);
  if (!job.ok()) return job.status();
  absl::MutexLock lock(&publish_mutex_);
  const absl::StatusOr<std::int64_t> version =
      server::PublishCheckpoint(**job, *repository_);
  if (!version.ok()) return version.status();
  return (*job)->Snapshot();
}

absl::Status TrainingJobs::Delete(absl::string_view name) {
  const absl::StatusOr<std::shared_ptr<TrainingJob>> job = Find(name);
  if (!job.ok()) return job.status();
  if (!(*job)->HasEnded()) {
    return Error(
        absl::StatusCode::kFailedPrecondition, "JOB_NOT_ENDED",
        absl::StrCat((*job)->name(), " has not ended; cancel it first"),
        {{"job", (*job)->name()}});
  }
  std::shared_ptr<TrainingJob> forgotten;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = FindByName(name);
    if (found == jobs_.end()) return NoJob(name);
    forgotten = Forget(jobs_.find(found->first));
  }
  forgotten->RemoveFiles();
  return absl::OkStatus();
}

std::shared_ptr<TrainingJob> TrainingJobs::TakeDueJob() {
  absl::MutexLock lock(&mutex_);
  while (!stopping_) {
    const SteadyTime now = SteadyNow();
    SteadyTime next = SteadyTimeAfter(absl::InfiniteDuration());
    for (auto job = queue_.begin(); job != queue_.end(); ++job) {
      next = std::min(next, (*job)->due());
      if ((*job)->due() > now) continue;
      std::shared_ptr<TrainingJob> due = std::move(*job);
      queue_.erase(job);
      return due;
    }
    queued_or_stops_.AwaitUntil(mutex_, next,
                                [this, known = queue_.size()]()
                                    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
                                      return stopping_ || queue_.size() > known;
                                    });
  }
  return nullptr;
}

void TrainingJobs::RunJobs() {
  LowerThreadPriority(options_.niceness, "training");
  const Workers workers(options_.threads, Workers::Idle::kStayAwake);
  while (const std::shared_ptr<TrainingJob> job = TakeDueJob()) {
    RunTrainingJob(*job, *repository_, workers, options_.program,
                   options_.snapshot_interval, options_.running_time);
  }
}

}  // namespace poe::server
