#ifndef POE_CLIENT_CPP_ERRORS_H_
#define POE_CLIENT_CPP_ERRORS_H_

#include <string>

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace poe::client {

// The outcome of a call as an absl::Status of the same code. The message is
// the server's; a reason (google.rpc.ErrorInfo) and field violations
// (google.rpc.BadRequest) that it does not mention follow it:
//   "observations.dense has 3 columns, the model takes 784 [SHAPE_MISMATCH]"
// The ErrorInfo is also attached as a payload, for ErrorReason.
absl::Status FromGrpcStatus(const grpc::Status& status);

// The reason in UPPER_SNAKE that the server gave for an error, or "".
std::string ErrorReason(const absl::Status& status);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_ERRORS_H_
