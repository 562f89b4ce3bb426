// What is left of a training job whose parameters stopped being finite: a model
// in a file beside the job's rows, not a version until somebody asks for it.
#ifndef POE_SERVER_CHECKPOINT_H_
#define POE_SERVER_CHECKPOINT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "poe/training.h"
#include "poe/v1/model.pb.h"
#include "server/model_repository.h"
#include "server/training_job.h"

namespace poe::server {

// Writes the checkpoint of a running job and records it there. Returns `why`,
// for which the job fails, with what is kept in its text.
absl::Status KeepCheckpoint(const Checkpoint& checkpoint,
                            const v1::TrainingRecord& record,
                            const absl::Status& why, TrainingJob& job);

// Makes it a version of the job's model, which answers from then on; once, and
// afterwards returns that version again. FailedPrecondition for a job without a
// checkpoint; errors of ModelRepository::Publish. One call at a time.
absl::StatusOr<std::int64_t> PublishCheckpoint(TrainingJob& job,
                                               ModelRepository& repository);

}  // namespace poe::server

#endif  // POE_SERVER_CHECKPOINT_H_
