// Questions of clients to what the core is asked.
#ifndef POE_SERVER_CODEC_REQUEST_CODEC_H_
#define POE_SERVER_CODEC_REQUEST_CODEC_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "poe/model.h"
#include "poe/reconstruction.h"
#include "poe/sampling.h"
#include "poe/scoring.h"
#include "poe/v1/scoring.pb.h"
#include "server/codec/observations.h"

namespace poe::server {

// The most that one request may ask for.
struct RequestLimits {
  // Rows of observations; those of sequences all together.
  std::int64_t rows = 100'000;
  std::int64_t steps = 100'000;  // Gibbs steps
  std::int64_t chains = 10'000;
  // Multiplications, about: rows x chains x Gibbs steps (of scores with missing
  // values, temperatures) x parameters that a step reads, of all classes that
  // may have to be asked, and not less than 1000. A processor core makes some
  // 10^10 in a second.
  std::int64_t work = 20'000'000'000'000;
  // Of the scores of all experts of all classes, 8 for each row, and their
  // objections, 4 for each.
  std::int64_t expert_score_bytes = 192 << 20;
};

struct DecodedScore {
  DecodedRows rows;
  ScoreOptions options;
};

struct DecodedReconstruct {
  DecodedRows rows;
  ReconstructOptions options;
};

struct DecodedSample {
  std::optional<DecodedRows> start;  // absent: random
  bool clamp = false;                // observed values of `start` stay
  SampleOptions options;
};

// Each checks the whole request but its ModelSelector against the model that is
// to answer: InvalidArgument with the field at fault. `fresh_seed` is used
// where the request gives no seed; the one used is in the options.
absl::StatusOr<DecodedScore> DecodeScore(const v1::ScoreRequest& request,
                                         const Model& model,
                                         const RequestLimits& limits,
                                         std::uint64_t fresh_seed);
absl::StatusOr<DecodedReconstruct> DecodeReconstruct(
    const v1::ReconstructRequest& request, const Model& model,
    const RequestLimits& limits, std::uint64_t fresh_seed);
absl::StatusOr<DecodedSample> DecodeSample(const v1::SampleRequest& request,
                                           const Model& model,
                                           const RequestLimits& limits,
                                           std::uint64_t fresh_seed);

// The index of a class. The error lists the classes there are, the first 20.
absl::StatusOr<Index> FindClass(const Model& model, absl::string_view name,
                                absl::string_view field = "class_name");

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_REQUEST_CODEC_H_
