// What is left of a training job that failed late: whose parameters stopped
// being finite, that ran too long, or whose model could not be stored. A model
// in a file beside the job's rows, not a version until somebody asks for it.
#ifndef POE_SERVER_CHECKPOINT_H_
#define POE_SERVER_CHECKPOINT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "poe/v1/model.pb.h"
#include "server/model_repository.h"
#include "server/training_job.h"

namespace poe::server {

// Writes the checkpoint of a running job and records it there; on a full disk
// its rows make room. Returns `why`, for which the job fails, with what is kept
// in its text, which calls the model `what`. `update` as in v1::Checkpoint.
absl::Status KeepCheckpoint(const v1::Model& model, std::int64_t update,
                            absl::string_view what, const absl::Status& why,
                            TrainingJob& job);

// Makes it a version of the job's model, which answers from then on; once, and
// afterwards returns that version again. FailedPrecondition for a job without a
// checkpoint; errors of ModelRepository::Publish. One call at a time.
absl::StatusOr<std::int64_t> PublishCheckpoint(TrainingJob& job,
                                               ModelRepository& repository);

}  // namespace poe::server

#endif  // POE_SERVER_CHECKPOINT_H_
