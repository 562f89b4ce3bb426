#include "server/checkpoint.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/codec/model_codec.h"
#include "server/errors.h"
#include "server/model_file.h"

namespace poe::server {

absl::Status KeepCheckpoint(const Checkpoint& checkpoint,
                            const v1::TrainingRecord& record,
                            const absl::Status& why, TrainingJob& job) {
  v1::Model model = EncodeModel(checkpoint.model);
  *model.mutable_training() = record;
  const absl::Status written = WriteModelFile(model, job.files().checkpoint);
  if (!written.ok()) {
    return absl::Status(
        why.code(),
        absl::StrCat(why.message(), "; its last finite state was not kept: ",
                     written.message()));
  }
  v1::Checkpoint kept;
  kept.set_update(checkpoint.update);
  for (const ClassModel& one : checkpoint.model.classes) {
    kept.add_class_names(one.name);
  }
  job.SetCheckpoint(kept);
  return absl::Status(
      why.code(),
      absl::StrCat(why.message(), "; the checkpoint of update ",
                   checkpoint.update, " is kept with ", job.name(),
                   ": PublishCheckpoint (poe jobs publish) makes it a "
                   "version"));
}

absl::StatusOr<std::int64_t> PublishCheckpoint(TrainingJob& job,
                                               ModelRepository& repository) {
  const v1::Job state = job.Snapshot();
  if (!state.has_checkpoint() || !job.HasEnded()) {
    return Error(absl::StatusCode::kFailedPrecondition, "NO_CHECKPOINT",
                 absl::StrCat(job.name(),
                              " has no checkpoint; only jobs that failed "
                              "because parameters stopped being finite have "
                              "one"),
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
