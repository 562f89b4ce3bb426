// How a SampleRequest is answered, whichever protocol it came by.
#ifndef POE_SERVER_SERVICES_SAMPLE_HANDLER_H_
#define POE_SERVER_SERVICES_SAMPLE_HANDLER_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "poe/numerics/workers.h"
#include "poe/v1/scoring.pb.h"
#include "server/codec/request_codec.h"
#include "server/model_repository.h"
#include "server/request_scope.h"

namespace poe::server {

// Runs the chains; `scope` is asked whether to go on. Whenever they are to be
// shown, `response` is filled in and `send` is called, which ends it all if its
// status is not OK.
absl::Status AnswerSample(const v1::SampleRequest& request,
                          const ServedModel& served,
                          const RequestLimits& limits, const Workers& workers,
                          RequestScope& scope, v1::SampleResponse& response,
                          absl::FunctionRef<absl::Status()> send);

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_SAMPLE_HANDLER_H_
