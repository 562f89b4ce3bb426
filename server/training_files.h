// Rows of a training job from files on the server.
#ifndef POE_SERVER_TRAINING_FILES_H_
#define POE_SERVER_TRAINING_FILES_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "server/training_job.h"

namespace poe::server {

// Appends all rows of the job's data_file, with the labels of its label_file if
// it has one, as a client would that sends them in chunks, so that the job has
// the same rows and the same limits. The names are relative to the folder; see
// OpenBelow. In memory is one piece, of 2^18 values or one row (of empty lines
// 2^20 more).
//
// InvalidArgument, naming file and row, for what is wrong in a file; what
// OpenBelow says of one that cannot be opened; errors of TrainingJob::Append,
// as which it is when the job has been cancelled meanwhile. The caller then
// ends the job.
absl::Status AppendFiles(const std::string& folder, std::int64_t sender,
                         TrainingJob& job);

}  // namespace poe::server

#endif  // POE_SERVER_TRAINING_FILES_H_
