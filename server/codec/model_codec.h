// A whole model to its stored form (see docs/model-format.md) and back.
// Parameters travel as float32 bytes: a model decoded from its encoding gives
// the same scores to the bit.
#ifndef POE_SERVER_CODEC_MODEL_CODEC_H_
#define POE_SERVER_CODEC_MODEL_CODEC_H_

#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/model.h"
#include "poe/v1/model.pb.h"
#include "server/codec/data_spec_codec.h"  // IWYU pragma: export

namespace poe::server {

// The schema this server writes and reads.
inline constexpr int kSchemaVersion = 1;

// Adds what is known of all classes' log Z at the lengths that are wanted, and
// what was `computed` besides for each class; empty for nothing.
void EncodeLogPartitions(
    const Model& model, absl::FunctionRef<bool(Index length)> wanted,
    absl::Span<const std::vector<LogPartition>> computed,
    google::protobuf::RepeatedPtrField<v1::LogPartition>* partitions,
    google::protobuf::RepeatedPtrField<v1::LogPartitionDifference>*
        differences);

// All but the TrainingRecord, which is the caller's to fill.
v1::Model EncodeModel(const Model& model);

// Total over hostile input. InvalidArgument naming the field; Unimplemented,
// reason UNKNOWN_SCHEMA_VERSION, for what only another version of the server
// reads. What is returned has passed poe::Validate.
absl::StatusOr<Model> DecodeModel(const v1::Model& model);

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_MODEL_CODEC_H_
