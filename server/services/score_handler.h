// How a ScoreRequest is answered, in a call of its own or within a stream.
#ifndef POE_SERVER_SERVICES_SCORE_HANDLER_H_
#define POE_SERVER_SERVICES_SCORE_HANDLER_H_

#include <memory>

#include "absl/status/status.h"
#include "grpcpp/grpcpp.h"
#include "poe/numerics/workers.h"
#include "poe/v1/scoring.pb.h"
#include "server/batcher.h"
#include "server/codec/request_codec.h"
#include "server/model_repository.h"
#include "server/request_scope.h"

namespace poe::server {

// Multiply-adds that take about as long as a call itself.
inline constexpr double kSmallWork = 2e6;

// Whether answering takes less time than handing the request to another thread.
bool IsSmall(const v1::ScoreRequest& request, const Model& model);

// Scores the observations; `scope` is asked whether to go on.
absl::Status AnswerScore(const v1::ScoreRequest& request,
                         const ServedModel& served, const RequestLimits& limits,
                         const Workers& workers, RequestScope& scope,
                         v1::ScoreResponse& response);

// Answers a small call together with others that arrive with it. Request and
// response stay valid until the call is finished.
grpc::ServerUnaryReactor* AnswerScoreInBatch(
    const std::shared_ptr<Batcher>& batcher, RequestScope scope,
    const v1::ScoreRequest& request, ServedModel served,
    const RequestLimits& limits, v1::ScoreResponse& response);

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_SCORE_HANDLER_H_
