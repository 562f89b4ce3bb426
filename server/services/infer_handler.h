// How a ModelInferRequest is answered: read as a request of poe.v1, answered as
// such, and written as tensors.
#ifndef POE_SERVER_SERVICES_INFER_HANDLER_H_
#define POE_SERVER_SERVICES_INFER_HANDLER_H_

#include "absl/status/status.h"
#include "inference/open_inference.pb.h"
#include "poe/numerics/workers.h"
#include "server/codec/open_inference_outputs.h"
#include "server/codec/request_codec.h"
#include "server/inference_statistics.h"
#include "server/model_repository.h"
#include "server/request_scope.h"

namespace poe::server {

// `scope` is asked whether to go on. Adds to all of `times` but the queue, as
// far as the request gets.
absl::Status AnswerInfer(const inference::ModelInferRequest& request,
                         InferTask task, const ServedModel& served,
                         const RequestLimits& limits, const Workers& workers,
                         RequestScope& scope, InferenceTimes& times,
                         inference::ModelInferResponse& response);

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_INFER_HANDLER_H_
