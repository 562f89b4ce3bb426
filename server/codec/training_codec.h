// What a client wants trained to the settings of the core's trainer.
#ifndef POE_SERVER_CODEC_TRAINING_CODEC_H_
#define POE_SERVER_CODEC_TRAINING_CODEC_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "poe/training.h"
#include "poe/v1/training.pb.h"

namespace poe::server {

// The largest model that is trained.
struct TrainingLimits {
  std::int64_t classes = 10'000;
  std::int64_t dimension = 1 << 24;
  std::int64_t parameters = 1 << 28;  // of all classes together
  std::int64_t experts = 1'000'000;   // of one class, all layers together
};

// Defaults are those that training.proto documents. `seed` is the job's, the
// request's own is not looked at, nor are model_name, request_id and detach.
// InvalidArgument naming the field. `base` is the model of
// start.base_version(), null if there is none: NotFound where it is asked for.
// What is returned has passed poe::Validate, and ValidateKept with `base`.
absl::StatusOr<TrainingSettings> DecodeTrainStart(
    const v1::TrainStart& start, std::uint64_t seed,
    const TrainingLimits& limits = {}, const Model* base = nullptr);

// The shape of one product; errors name `field`. What it says is not checked
// against data.
absl::StatusOr<ProductSettings> DecodeProductSettings(
    const v1::ProductSettings& message, absl::string_view field);

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_TRAINING_CODEC_H_
