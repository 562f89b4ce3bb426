// From the rows of a job to a published version.
#ifndef POE_SERVER_TRAINING_RUN_H_
#define POE_SERVER_TRAINING_RUN_H_

#include <string>

#include "absl/time/time.h"
#include "poe/numerics/workers.h"
#include "server/model_repository.h"
#include "server/training_job.h"

namespace poe::server {

// Runs a queued job to its end in this thread: trains, publishes, and sets the
// state of the job whatever happens. Nothing if the job has ended. What it
// needs to go on after a crash is kept this often, and when the job is
// suspended; a job that an earlier process has begun goes on from there, or not
// in this process where that cannot be read, and is not published twice. A
// training that takes longer than `running_time` in this process fails with
// DeadlineExceeded.
void RunTrainingJob(TrainingJob& job, ModelRepository& repository,
                    const Workers& workers, const std::string& program,
                    absl::Duration snapshot_interval,
                    absl::Duration running_time);

}  // namespace poe::server

#endif  // POE_SERVER_TRAINING_RUN_H_
