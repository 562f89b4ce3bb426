#include "server/checkpoint.h"

#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/codec/model_codec.h"
#include "server/errors.h"
#include "server/files.h"

namespace poe::server {
namespace {

absl::Status Write(const v1::Model& model, const std::string& path) {
  std::string bytes;
  if (!model.SerializeToString(&bytes)) {
    return absl::ResourceExhaustedError("the model is too large to be stored");
  }
  return WriteDurably(path, bytes);
}

}  // namespace

absl::Status KeepCheckpoint(const Checkpoint& checkpoint,
                            const v1::TrainingRecord& record,
                            const absl::Status& why, TrainingJob& job) {
  v1::Model model = EncodeModel(checkpoint.model);
  *model.mutable_training() = record;
  const absl::Status written = Write(model, job.files().checkpoint);
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
  const absl::StatusOr<std::string> bytes = ReadFile(
      job.files().checkpoint, std::numeric_limits<std::int32_t>::max());
  if (!bytes.ok()) return bytes.status();
  v1::Model stored;
  if (!stored.ParseFromString(*bytes)) {
    return absl::DataLossError(
        absl::StrCat("the checkpoint of ", job.name(), " cannot be read"));
  }
  absl::StatusOr<Model> model = DecodeModel(stored);
  if (!model.ok()) return model.status();
  const absl::StatusOr<std::int64_t> version =
      repository.Publish(state.model_name(), stored,
                         std::make_shared<const Model>(*std::move(model)));
  if (version.ok()) job.SetVersion(*version);
  return version;
}

}  // namespace poe::server
