#include "server/training_run.h"

#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/protobuf/text_format.h"
#include "server/checkpoint.h"
#include "server/codec/model_codec.h"
#include "server/codec/response_codec.h"
#include "server/errors.h"
#include "server/timestamp.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

v1::TrainingRecord MakeRecord(const TrainingJob& job, const TrainingRows& rows,
                              absl::Time begin, const std::string& program) {
  v1::TrainingRecord record;
  const absl::Time now = absl::Now();
  record.set_job(job.name());
  *record.mutable_finished() = ToTimestamp(now);
  record.set_seed(job.settings().seed);
  record.set_rows(rows.size());
  record.set_seconds(absl::ToDoubleSeconds(now - begin));
  record.set_program(program);
  google::protobuf::TextFormat::PrintToString(job.start(),
                                              record.mutable_request());
  return record;
}

absl::StatusOr<std::int64_t> TrainAndPublish(TrainingJob& job,
                                             ModelRepository& repository,
                                             const Workers& workers,
                                             const std::string& program) {
  const absl::Time begin = absl::Now();
  const TrainingSettings& settings = job.settings();
  const absl::StatusOr<TrainingRows> rows = job.MapRows();
  if (!rows.ok()) return rows.status();
  std::optional<Checkpoint> checkpoint;
  absl::StatusOr<Model> trained = Train(
      settings, *rows, workers,
      [&](const TrainingProgress& progress) {
        v1::Progress message;
        EncodeProgress(progress, settings.class_names, &message);
        job.SetProgress(message);
      },
      [&job] { return job.CheckCancelled(); }, &checkpoint);
  if (checkpoint.has_value()) {
    return KeepCheckpoint(*checkpoint, MakeRecord(job, *rows, begin, program),
                          trained.status(), job);
  }
  if (!trained.ok()) return trained.status();
  if (!job.BeginPublishing()) return job.CheckCancelled();
  const auto model = std::make_shared<const Model>(*std::move(trained));
  v1::Model stored = EncodeModel(*model);
  *stored.mutable_training() = MakeRecord(job, *rows, begin, program);
  return repository.Publish(job.start().model_name(), stored, model);
}

// The same with exceptions of libraries as errors.
absl::StatusOr<std::int64_t> TrainWithoutExceptions(
    TrainingJob& job, ModelRepository& repository, const Workers& workers,
    const std::string& program) {
  try {
    return TrainAndPublish(job, repository, workers, program);
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
                    const Workers& workers, const std::string& program) {
  if (!job.BeginRunning()) return;
  spdlog::info("{} trains model {}", job.name(), job.start().model_name());
  const absl::StatusOr<std::int64_t> version =
      TrainWithoutExceptions(job, repository, workers, program);
  if (version.ok()) {
    job.Succeed(*version);
    spdlog::info("{} has succeeded", job.name());
  } else {
    job.End(version.status());
    spdlog::warn("{} has ended: {}", job.name(), version.status().ToString());
  }
}

}  // namespace poe::server
