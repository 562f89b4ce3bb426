#include "server/checkpoint.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/codec/model_codec.h"
#include "server/errors.h"
#include "server/files.h"
#include "server/model_file.h"

namespace poe::server {
namespace {

// The same error with this behind its text.
absl::Status WithMore(const absl::Status& error, absl::string_view more) {
  absl::Status longer(error.code(), absl::StrCat(error.message(), more));
  error.ForEachPayload(
      [&longer](absl::string_view url, const absl::Cord& payload) {
        longer.SetPayload(url, payload);
      });
  return longer;
}

}  // namespace

absl::Status KeepCheckpoint(const v1::Model& model, std::int64_t update,
                            absl::string_view what, const absl::Status& why,
                            TrainingJob& job) {
  const std::string& path = job.files().checkpoint;
  absl::Status written = WriteModelFile(model, path);
  if (!written.ok()) {
    job.DropWhatItRunsOn();
    RemoveTree(path);
    written = WriteModelFile(model, path);
  }
  if (!written.ok()) {
    RemoveTree(path);
    return WithMore(
        why, absl::StrCat("; ", what, " was not kept: ", written.message()));
  }
  v1::Checkpoint kept;
  kept.set_update(update);
  for (const v1::ClassModel& one : model.classes()) {
    kept.add_class_names(one.name());
  }
  job.SetCheckpoint(kept);
  return WithMore(
      why, absl::StrCat("; ", what, " is kept with ", job.name(),
                        ": PublishCheckpoint (poe jobs publish) makes it a "
                        "version"));
}

absl::StatusOr<std::int64_t> PublishCheckpoint(TrainingJob& job,
                                               ModelRepository& repository) {
  const v1::Job state = job.Snapshot();
  if (!state.has_checkpoint() || !job.HasEnded()) {
    return Error(absl::StatusCode::kFailedPrecondition, "NO_CHECKPOINT",
                 absl::StrCat(job.name(),
                              " has no checkpoint; only jobs have one that "
                              "failed because parameters stopped being finite, "
                              "because they ran too long, or because their "
                              "model could not be stored"),
                 {{"job", job.name()}});
  }
  if (state.version() > 0) return state.version();
  const absl::StatusOr<v1::Model> stored =
      ReadModelFile(job.files().checkpoint);
  if (!stored.ok()) return stored.status();
  absl::StatusOr<Model> model = DecodeModel(*stored);
  if (!model.ok()) return model.status();
  const absl::StatusOr<std::int64_t> version =
      repository.Publish(state.model_name(), *stored,
                         std::make_shared<const Model>(*std::move(model)));
  if (version.ok()) job.SetVersion(*version);
  return version;
}

}  // namespace poe::server
