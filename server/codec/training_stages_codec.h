// The stages of a TrainStart.
#ifndef POE_SERVER_CODEC_TRAINING_STAGES_CODEC_H_
#define POE_SERVER_CODEC_TRAINING_STAGES_CODEC_H_

#include "absl/status/status.h"
#include "poe/training.h"
#include "poe/v1/training.pb.h"

namespace poe::server {

// Fills contrastive_divergence, next_layers, separator and calibrate of
// `settings`, whose class names, kept classes and data spec are there already.
// Errors as DecodeTrainStart.
absl::Status DecodeStages(const v1::TrainStart& start,
                          TrainingSettings& settings);

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_TRAINING_STAGES_CODEC_H_
