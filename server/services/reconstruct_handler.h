// How a ReconstructRequest is answered, whichever protocol it came by.
#ifndef POE_SERVER_SERVICES_RECONSTRUCT_HANDLER_H_
#define POE_SERVER_SERVICES_RECONSTRUCT_HANDLER_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "poe/numerics/workers.h"
#include "poe/v1/scoring.pb.h"
#include "server/codec/request_codec.h"
#include "server/model_repository.h"
#include "server/request_scope.h"
#include "server/services/batched_answer.h"

namespace poe::server {

// Reconstructs the observations; `scope` is asked whether to go on.
absl::Status AnswerReconstruct(const v1::ReconstructRequest& request,
                               const ServedModel& served,
                               const RequestLimits& limits,
                               const Workers& workers, RequestScope& scope,
                               v1::ReconstructResponse& response);

// The same in a batch with other calls, see AnswerInBatch. What is referred to
// must stay until `done` is called.
void ReconstructInBatch(const v1::ReconstructRequest& request,
                        const ServedModel& served, const RequestLimits& limits,
                        const Batching& batching, RequestScope& scope,
                        v1::ReconstructResponse& response,
                        absl::AnyInvocable<void(absl::Status)> done);

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_RECONSTRUCT_HANDLER_H_
