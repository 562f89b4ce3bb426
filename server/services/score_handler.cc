#include "server/services/score_handler.h"

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "poe/scoring.h"
#include "server/codec/response_codec.h"
#include "server/errors.h"
#include "server/services/after_arrivals.h"

namespace poe::server {
namespace {

// Bytes to decode that take about as long as a call itself.
constexpr std::size_t kSmallBytes = 64 << 10;

// A call that waits for its batch.
struct WaitingScore {
  RequestScope scope;
  grpc::ServerUnaryReactor* reactor;
  ServedModel served;
  DecodedScore decoded;
  v1::ScoreResponse& response;

  void Finish(const absl::Status& status) {
    reactor->Finish(scope.Finish(status));
  }
};

void SetVersion(const ServedModel& served, v1::ScoreResponse& response) {
  response.mutable_model()->set_name(served.name);
  response.mutable_model()->set_version(served.version);
}

}  // namespace

bool IsSmall(const v1::ScoreRequest& request, const Model& model) {
  const v1::Observations& observations = request.observations();
  if (observations.has_sequences()) return false;
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
      DecodeScore(request, *served.model, limits);
  if (!decoded.ok()) return decoded.status();
  scope.AddRows(decoded->rows.rows);
  const absl::StatusOr<Scores> scores =
      Score(*served.model, decoded->rows.View(), decoded->options, workers,
            [&scope] { return scope.Check(); });
  if (!scores.ok()) return scores.status();
  EncodeScores(*served.model, *scores, &response);
  SetVersion(served, response);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* AnswerScoreInBatch(
    const std::shared_ptr<Batcher>& batcher, RequestScope scope,
    const v1::ScoreRequest& request, ServedModel served,
    const RequestLimits& limits, v1::ScoreResponse& response) {
  grpc::CallbackServerContext& context = *scope.context();
  absl::StatusOr<DecodedScore> decoded;
  const absl::Status status = CatchExceptions([&] {
    decoded = DecodeScore(request, *served.model, limits);
    return decoded.status();
  });
  if (!status.ok()) return Refuse(std::move(scope), status);
  scope.AddRows(decoded->rows.rows);
  grpc::ServerUnaryReactor* const reactor = context.DefaultReactor();
  const auto waiting = std::make_shared<WaitingScore>(
      WaitingScore{std::move(scope), reactor, std::move(served),
                   *std::move(decoded), response});
  const bool run_is_due = batcher->Add(
      {.model = waiting->served.model,
       .rows = waiting->decoded.rows.View(),
       .options = waiting->decoded.options,
       .check = [waiting] { return waiting->scope.Check(); },
       .done =
           [waiting](absl::StatusOr<Batcher::Answer> answer) {
             waiting->Finish(CatchExceptions([&] {
               if (!answer.ok()) return answer.status();
               EncodeScores(*waiting->served.model, *answer->scores,
                            answer->first, waiting->decoded.rows.rows,
                            &waiting->response);
               SetVersion(waiting->served, waiting->response);
               return absl::OkStatus();
             }));
           }});
  if (run_is_due) {
    RunAfterArrivals(context, [batcher] { batcher->Run(); });
  }
  return reactor;
}

}  // namespace poe::server
