// How a ReconstructRequest is answered, whichever protocol it came by.
#ifndef POE_SERVER_SERVICES_RECONSTRUCT_HANDLER_H_
#define POE_SERVER_SERVICES_RECONSTRUCT_HANDLER_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "poe/v1/scoring.pb.h"
#include "server/codec/request_codec.h"
#include "server/model_repository.h"
#include "server/request_scope.h"
#include "server/services/batched_answer.h"

namespace poe::server {

// What the request asks, its rows counted in `scope`. The answer is written
// into `response`; that and the request, of whose observations all but the
// shape and the lengths may go, must stay until then.
absl::StatusOr<DecodedQuestion> DecodeQuestion(
    const v1::ReconstructRequest& request, const ServedModel& served,
    const RequestLimits& limits, RequestScope& scope,
    v1::ReconstructResponse& response);

// Reconstructs the observations in a batch with other calls, see AnswerInBatch.
// What is referred to must stay until `done` is called.
void ReconstructInBatch(const v1::ReconstructRequest& request,
                        const ServedModel& served, const RequestLimits& limits,
                        const Batching& batching, RequestScope& scope,
                        v1::ReconstructResponse& response,
                        absl::AnyInvocable<void(absl::Status)> done);

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_RECONSTRUCT_HANDLER_H_
