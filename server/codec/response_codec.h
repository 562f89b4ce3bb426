// Answers of the core to messages. The ModelVersion that answered is the
// caller's to fill.
#ifndef POE_SERVER_CODEC_RESPONSE_CODEC_H_
#define POE_SERVER_CODEC_RESPONSE_CODEC_H_

#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "poe/model.h"
#include "poe/reconstruction.h"
#include "poe/sampling.h"
#include "poe/scoring.h"
#include "poe/training.h"
#include "poe/v1/scoring.pb.h"
#include "poe/v1/training.pb.h"

namespace poe::server {

void EncodeScores(const Model& model, const Scores& scores,
                  v1::ScoreResponse* response);

// `asked` gives the shape: N x H x W if that is how the rows came, or the
// lengths of its sequences.
void EncodeReconstructions(const Model& model,
                           const Reconstructions& reconstructions,
                           const v1::Observations& asked, std::uint64_t seed,
                           v1::ReconstructResponse* response);

void EncodeSampledChains(const Model& model, const SampledChains& chains,
                         std::uint64_t seed, v1::SampleResponse* response);

// `class_names` are those of the job's settings.
void EncodeProgress(const TrainingProgress& progress,
                    absl::Span<const std::string> class_names,
                    v1::Progress* message);

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_RESPONSE_CODEC_H_
