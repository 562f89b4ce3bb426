// How a ScoreRequest is answered, in a call of its own or within a stream.
#ifndef POE_SERVER_SERVICES_SCORE_HANDLER_H_
#define POE_SERVER_SERVICES_SCORE_HANDLER_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "poe/numerics/workers.h"
#include "poe/v1/scoring.pb.h"
#include "server/codec/request_codec.h"
#include "server/model_repository.h"
#include "server/request_scope.h"
#include "server/services/batched_answer.h"

namespace poe::server {

// Whether answering takes less time than handing the request to another thread,
// and a batch would not make it shorter.
bool IsSmall(const v1::ScoreRequest& request, const Model& model);

// Scores the observations; `scope` is asked whether to go on.
absl::Status AnswerScore(const v1::ScoreRequest& request,
                         const ServedModel& served, const RequestLimits& limits,
                         const Workers& workers, RequestScope& scope,
                         v1::ScoreResponse& response);

// What the request asks, its rows counted in `scope`. The answer is written
// into `response`, which must stay until then.
absl::StatusOr<DecodedQuestion> DecodeQuestion(const v1::ScoreRequest& request,
                                               const ServedModel& served,
                                               const RequestLimits& limits,
                                               RequestScope& scope,
                                               v1::ScoreResponse& response);

// Scores the observations in a batch with other calls, see AnswerInBatch. What
// is referred to must stay until `done` is called.
void ScoreInBatch(const v1::ScoreRequest& request, const ServedModel& served,
                  const RequestLimits& limits, const Batching& batching,
                  RequestScope& scope, v1::ScoreResponse& response,
                  absl::AnyInvocable<void(absl::Status)> done);

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_SCORE_HANDLER_H_
