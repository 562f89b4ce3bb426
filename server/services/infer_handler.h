// How a ModelInferRequest is answered: read as a request of poe.v1, answered as
// such, and written as tensors.
#ifndef POE_SERVER_SERVICES_INFER_HANDLER_H_
#define POE_SERVER_SERVICES_INFER_HANDLER_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "inference/open_inference.pb.h"
#include "poe/numerics/workers.h"
#include "server/codec/open_inference_outputs.h"
#include "server/codec/request_codec.h"
#include "server/inference_statistics.h"
#include "server/model_repository.h"
#include "server/request_scope.h"
#include "server/services/batched_answer.h"

namespace poe::server {

// Scores or reconstructs in a batch with other calls, those of poe.v1 among
// them; see AnswerInBatch. `timer` began when the call came. What is referred
// to must stay until `done` is called.
void InferInBatch(const inference::ModelInferRequest& request, InferTask task,
                  const ServedModel& served, const RequestLimits& limits,
                  const Batching& batching, RequestScope& scope,
                  InferenceTimer timer, inference::ModelInferResponse& response,
                  absl::AnyInvocable<void(absl::Status)> done);

// Samples; `scope` is asked whether to go on, and `timer` began when the call
// came.
absl::Status InferSamples(const inference::ModelInferRequest& request,
                          const ServedModel& served,
                          const RequestLimits& limits, const Workers& workers,
                          RequestScope& scope, InferenceTimer& timer,
                          inference::ModelInferResponse& response);

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_INFER_HANDLER_H_
