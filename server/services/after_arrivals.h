// Work that waits until gRPC has handed over the calls that have arrived.
#ifndef POE_SERVER_SERVICES_AFTER_ARRIVALS_H_
#define POE_SERVER_SERVICES_AFTER_ARRIVALS_H_

#include "absl/functional/any_invocable.h"
#include "grpcpp/grpcpp.h"

namespace poe::server {

// Runs `task` once, in a thread of gRPC's, behind the calls that have been read
// from their connections by now but not yet handed over. Hold no lock: where
// gRPC has nothing to run it behind, it may run before this returns. `context`
// is that of a call whose handler has not returned yet; the task may outlive
// the call, and the server.
void RunAfterArrivals(grpc::CallbackServerContext& context,
                      absl::AnyInvocable<void()> task);

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_AFTER_ARRIVALS_H_
