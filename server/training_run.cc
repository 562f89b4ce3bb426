#include "server/training_run.h"

#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/protobuf/text_format.h"
#include "poe/interrupt_check.h"
#include "server/checkpoint.h"
#include "server/codec/model_codec.h"
#include "server/codec/response_codec.h"
#include "server/errors.h"
#include "server/files.h"
#include "server/model_file.h"
#include "server/steady_time.h"
#include "server/timestamp.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

constexpr int kMostNewerVersions = 10;
constexpr std::int64_t kMostSnapshotBytes = std::int64_t{1} << 40;

v1::TrainingRecord MakeRecord(const TrainingJob& job, const TrainingRows& rows,
                              SteadyTime begin, const std::string& program) {
  v1::TrainingRecord record;
  record.set_job(job.name());
  *record.mutable_finished() = ToTimestamp(absl::Now());
  record.set_seed(job.settings().seed);
  record.set_rows(rows.size());
  record.set_seconds(
      absl::ToDoubleSeconds(absl::FromChrono(SteadyNow() - begin)));
  record.set_program(program);
  google::protobuf::TextFormat::PrintToString(job.start(),
                                              record.mutable_request());
  return record;
}

// The version that an earlier process has published for the job, or 0. A model
// has one job at a time, so that only what was brought in by hand since can be
// newer.
std::int64_t FindPublished(const TrainingJob& job,
                           const ModelRepository& repository) {
  const absl::StatusOr<v1::ModelInfo> model =
      repository.Get(job.start().model_name());
  if (!model.ok()) return 0;
  int looked_at = 0;
  for (const v1::VersionInfo& info : model->versions()) {
    if (++looked_at > kMostNewerVersions) break;
    const absl::StatusOr<v1::Model> stored =
        repository.Read(model->name(), info.version());
    if (stored.ok() && stored->training().job() == job.name()) {
      return info.version();
    }
  }
  return 0;
}

// Whether the job may go on: neither cancelled nor over its time.
absl::Status CheckGoesOn(const TrainingJob& job, SteadyTime begin,
                         absl::Duration running_time) {
  if (absl::Status s = job.CheckCancelled(); !s.ok()) return s;
  if (absl::FromChrono(SteadyNow() - begin) <= running_time)
    return absl::OkStatus();
  return Error(
      absl::StatusCode::kDeadlineExceeded, "TRAINING_TOO_LONG",
      absl::StrCat("the training has run for ",
                   absl::FormatDuration(running_time),
                   ", as long as this server lets a job run"),
      {{"limit_seconds", absl::StrCat(absl::ToDoubleSeconds(running_time))}});
}

// Trains from the snapshot that there is, and keeps new ones.
absl::StatusOr<Model> TrainFrom(const std::string& snapshot, TrainingJob& job,
                                const TrainingRows& rows,
                                const Workers& workers,
                                absl::Duration snapshot_interval,
                                InterruptCheck check, const Model* base,
                                std::optional<Checkpoint>& checkpoint) {
  const TrainingSettings& settings = job.settings();
  SteadyTime kept = SteadyNow();
  bool last_kept = false;
  const auto is_due = [&] {
    if (job.is_suspended()) return !std::exchange(last_kept, true);
    return absl::FromChrono(SteadyNow() - kept) >= snapshot_interval;
  };
  const auto keep = [&](const std::string& bytes, std::int64_t update) {
    const absl::Status written = ReplaceDurably(job.files().snapshot, bytes);
    if (written.ok()) {
      job.AddSnapshot(update);
    } else {
      spdlog::warn("{}: no snapshot of update {}: {}", job.name(), update,
                   written.ToString());
    }
    kept = SteadyNow();
  };
  const Resumption resumption = {snapshot, is_due, keep};
  return Train(
      settings, rows, workers,
      [&](const TrainingProgress& progress) {
        v1::Progress message;
        EncodeProgress(progress, settings.class_names, &message);
        job.SetProgress(message);
      },
      check, &checkpoint, &resumption, base);
}

v1::Model WithRecord(const Model& model, const v1::TrainingRecord& record) {
  v1::Model stored = EncodeModel(model);
  *stored.mutable_training() = record;
  return stored;
}

// The model whose classes the job keeps, if it keeps any.
absl::StatusOr<std::optional<Model>> ReadBaseOf(const TrainingJob& job) {
  if (job.start().base_version() == 0) return std::nullopt;
  const absl::StatusOr<v1::Model> stored = ReadModelFile(job.files().base);
  if (!stored.ok()) return stored.status();
  absl::StatusOr<Model> model = DecodeModel(*stored);
  if (!model.ok()) return model.status();
  return *std::move(model);
}

absl::StatusOr<std::int64_t> TrainAndPublish(TrainingJob& job,
                                             ModelRepository& repository,
                                             const Workers& workers,
                                             const std::string& program,
                                             absl::Duration snapshot_interval,
                                             absl::Duration running_time) {
  if (job.is_restored()) {
    const std::int64_t published = FindPublished(job, repository);
    if (published > 0) return published;
  }
  const SteadyTime begin = SteadyNow();
  // What cannot be read now keeps a job that goes on for another time.
  const auto failure = [&job](const absl::Status& status) {
    return job.is_restored() && !IsLost(status) ? job.PutOff(status) : status;
  };
  const absl::StatusOr<TrainingRows> rows = job.MapRows();
  if (!rows.ok()) return failure(rows.status());
  const absl::StatusOr<std::optional<Model>> kept_from = ReadBaseOf(job);
  if (!kept_from.ok()) return failure(kept_from.status());
  const Model* base = kept_from->has_value() ? &**kept_from : nullptr;
  std::string snapshot;
  if (job.is_restored()) {
    auto bytes = ReadFile(job.files().snapshot, kMostSnapshotBytes);
    if (bytes.ok()) {
      snapshot = *std::move(bytes);
    } else if (!absl::IsNotFound(bytes.status())) {
      return job.PutOff(bytes.status());
    }
  }
  const auto check = [&] { return CheckGoesOn(job, begin, running_time); };
  std::optional<Checkpoint> checkpoint;
  absl::StatusOr<Model> trained =
      TrainFrom(snapshot, job, *rows, workers, snapshot_interval, check, base,
                checkpoint);
  if (absl::IsDataLoss(trained.status()) && !snapshot.empty()) {
    spdlog::warn("{} begins anew: {}", job.name(), trained.status().ToString());
    trained = TrainFrom("", job, *rows, workers, snapshot_interval, check, base,
                        checkpoint);
  }
  const v1::TrainingRecord record = MakeRecord(job, *rows, begin, program);
  if (checkpoint.has_value()) {
    return KeepCheckpoint(
        WithRecord(checkpoint->model, record), checkpoint->update,
        absl::StrCat("the checkpoint of update ", checkpoint->update),
        trained.status(), job);
  }
  if (!trained.ok()) return trained.status();
  if (!job.BeginPublishing()) return job.CheckCancelled();
  const auto model = std::make_shared<const Model>(*std::move(trained));
  const v1::Model stored = WithRecord(*model, record);
  absl::StatusOr<std::int64_t> version =
      repository.Publish(job.start().model_name(), stored, model);
  if (version.ok()) return version;
  return KeepCheckpoint(stored, 0, "the finished model", version.status(), job);
}

// The same with exceptions of libraries as errors.
absl::StatusOr<std::int64_t> TrainWithoutExceptions(
    TrainingJob& job, ModelRepository& repository, const Workers& workers,
    const std::string& program, absl::Duration snapshot_interval,
    absl::Duration running_time) {
  try {
    return TrainAndPublish(job, repository, workers, program, snapshot_interval,
                           running_time);
  } catch (const std::bad_alloc&) {
    return Error(absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY",
                 "the server has not enough memory to train this model");
  } catch (const std::exception& exception) {
    return Error(absl::StatusCode::kInternal, "UNEXPECTED",
                 absl::StrCat("unexpected error: ", exception.what()));
  }
}

}  // namespace

void RunTrainingJob(TrainingJob& job, ModelRepository& repository,
                    const Workers& workers, const std::string& program,
                    absl::Duration snapshot_interval,
                    absl::Duration running_time) {
  if (!job.BeginRunning()) return;
  if (job.is_restored()) job.CountStart();
  spdlog::info("{} trains model {}", job.name(), job.start().model_name());
  const absl::StatusOr<std::int64_t> version = TrainWithoutExceptions(
      job, repository, workers, program, snapshot_interval, running_time);
  if (version.ok()) {
    job.Succeed(*version);
    spdlog::info("{} has succeeded", job.name());
  } else {
    job.End(version.status());
    spdlog::warn("{} has ended: {}", job.name(), version.status().ToString());
  }
}

}  // namespace poe::server
