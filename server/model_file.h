// A model in a file of its own, not a version: what a job keeps beside its
// rows.
#ifndef POE_SERVER_MODEL_FILE_H_
#define POE_SERVER_MODEL_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "poe/v1/model.pb.h"

namespace poe::server {

// A new file that stays after a crash once its folder is synced.
// ResourceExhausted if the model is larger than protobuf can write; errors of
// WriteDurably.
absl::Status WriteModelFile(const v1::Model& model, const std::string& path);

// DataLoss if the file holds no model; errors of ReadFile.
absl::StatusOr<v1::Model> ReadModelFile(const std::string& path);

}  // namespace poe::server

#endif  // POE_SERVER_MODEL_FILE_H_
