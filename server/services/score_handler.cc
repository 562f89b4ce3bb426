#include "server/services/score_handler.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "poe/scoring.h"
#include "server/codec/response_codec.h"

namespace poe::server {
namespace {

// Multiply-adds that take about as long as a call itself.
constexpr double kSmallWork = 2e6;
// Parameters that a processor's own caches hold. To read more takes longer than
// to compute with them, and rows of a batch share that.
constexpr Index kCachedParameters = 1 << 17;

std::optional<std::uint64_t> SeedOf(const ScoreOptions& options) {
  if (!options.missing.has_value()) return std::nullopt;
  return options.missing->seed;
}

void Encode(const ServedModel& served, const Scores& scores,
            std::optional<std::uint64_t> seed, v1::ScoreResponse& response) {
  EncodeScores(*served.model, scores, &response);
  if (seed.has_value()) response.set_seed(*seed);
  response.mutable_model()->set_name(served.name);
  response.mutable_model()->set_version(served.version);
}

}  // namespace

bool IsSmall(const v1::ScoreRequest& request, const Model& model) {
  const v1::Observations& observations = request.observations();
  if (observations.has_sequences() || request.has_missing()) return false;
  const v1::Tensor& values = observations.dense();
  const std::size_t bytes = values.data().size() +
                            sizeof(float) * values.values_size() +
                            observations.mask().size() +
                            sizeof(std::uint64_t) * observations.row_ids_size();
  if (bytes > kQuicklyDecodedBytes) return false;
  const Index parameters = model.num_parameters();
  const double rows = values.shape_size() > 0 ? values.shape(0) : 0;
  return parameters <= kCachedParameters &&
         rows * static_cast<double>(parameters) <= kSmallWork;
}

absl::Status AnswerScore(const v1::ScoreRequest& request,
                         const ServedModel& served, const RequestLimits& limits,
                         const Workers& workers, RequestScope& scope,
                         v1::ScoreResponse& response) {
  const absl::StatusOr<DecodedScore> decoded =
      DecodeScore(request, *served.model, limits, FreshSeed());
  if (!decoded.ok()) return decoded.status();
  scope.AddRows(decoded->rows.rows);
  scope.ReportBatch(1, decoded->rows.frames());
  const absl::StatusOr<Scores> scores =
      Score(*served.model, decoded->rows.View(), decoded->options, workers,
            [&scope] { return scope.Check(); });
  if (!scores.ok()) return scores.status();
  Encode(served, *scores, SeedOf(decoded->options), response);
  return absl::OkStatus();
}

absl::StatusOr<DecodedQuestion> DecodeQuestion(const v1::ScoreRequest& request,
                                               const ServedModel& served,
                                               const RequestLimits& limits,
                                               RequestScope& scope,
                                               v1::ScoreResponse& response) {
  absl::StatusOr<DecodedScore> decoded =
      DecodeScore(request, *served.model, limits, FreshSeed());
  if (!decoded.ok()) return decoded.status();
  scope.AddRows(decoded->rows.rows);
  const std::optional<std::uint64_t> seed = SeedOf(decoded->options);
  return DecodedQuestion{
      .model = served.model,
      .question = std::move(decoded->options),
      .rows = std::make_shared<const DecodedRows>(std::move(decoded->rows)),
      .begin = nullptr,
      .encode = [served, seed, &response](const RowAnswer& answer) {
        Encode(served, std::get<Scores>(answer), seed, response);
      }};
}

void ScoreInBatch(const v1::ScoreRequest& request, const ServedModel& served,
                  const RequestLimits& limits, const Batching& batching,
                  RequestScope& scope, v1::ScoreResponse& response,
                  absl::AnyInvocable<void(absl::Status)> done) {
  AnswerInBatch(
      batching, request, scope,
      [&request, served, &limits, &scope, &response] {
        return DecodeQuestion(request, served, limits, scope, response);
      },
      std::move(done));
}

}  // namespace poe::server
