#include "server/services/score_handler.h"

#include <cstdint>

#include "absl/status/statusor.h"
#include "poe/scoring.h"
#include "server/codec/response_codec.h"

namespace poe::server {
namespace {

// Multiply-adds, and bytes to decode, that take about as long as a call itself.
constexpr double kSmallWork = 2e6;
constexpr std::size_t kSmallBytes = 64 << 10;

}  // namespace

bool IsSmall(const v1::ScoreRequest& request, const Model& model) {
  const v1::Observations& observations = request.observations();
  if (observations.has_sequences() || request.has_missing()) return false;
  const v1::Tensor& values = observations.dense();
  const std::size_t bytes = values.data().size() +
                            sizeof(float) * values.values_size() +
                            observations.mask().size() +
                            sizeof(std::uint64_t) * observations.row_ids_size();
  if (bytes > kSmallBytes) return false;
  const double rows = values.shape_size() > 0 ? values.shape(0) : 0;
  return rows * static_cast<double>(model.num_parameters()) <= kSmallWork;
}

absl::Status AnswerScore(const v1::ScoreRequest& request,
                         const ServedModel& served, const RequestLimits& limits,
                         const Workers& workers, RequestScope& scope,
                         v1::ScoreResponse& response) {
  const absl::StatusOr<DecodedScore> decoded =
      DecodeScore(request, *served.model, limits, FreshSeed());
  if (!decoded.ok()) return decoded.status();
  scope.AddRows(decoded->rows.rows);
  const absl::StatusOr<Scores> scores =
      Score(*served.model, decoded->rows.View(), decoded->options, workers,
            [&scope] { return scope.Check(); });
  if (!scores.ok()) return scores.status();
  EncodeScores(*served.model, *scores, &response);
  if (decoded->options.missing.has_value())
    response.set_seed(decoded->options.missing->seed);
  response.mutable_model()->set_name(served.name);
  response.mutable_model()->set_version(served.version);
  return absl::OkStatus();
}

}  // namespace poe::server
