#ifndef POE_CLIENT_CPP_CALLS_H_
#define POE_CLIENT_CPP_CALLS_H_

#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "client/cpp/errors.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/sync_stream.h"
#include "poe/v1/registry.grpc.pb.h"
#include "poe/v1/scoring.grpc.pb.h"
#include "poe/v1/training.grpc.pb.h"

namespace poe::client {

struct Client::Stubs {
  explicit Stubs(const std::shared_ptr<grpc::Channel>& channel)
      : experts(channel), jobs(channel), registry(channel), health(channel) {}

  v1::ProductOfExperts::Stub experts;
  v1::TrainingJobs::Stub jobs;
  v1::ModelRegistry::Stub registry;
  grpc::health::v1::Health::Stub health;
};

inline void Prepare(const CallOptions& options, grpc::ClientContext& context) {
  if (options.timeout != absl::InfiniteDuration()) {
    context.set_deadline(absl::ToChronoTime(absl::Now() + options.timeout));
  }
}

// A call with one response.
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Call(Stub& stub,
                              grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                           const Request&,
                                                           Response*),
                              const Request& request,
                              const CallOptions& options) {
  grpc::ClientContext context;
  Prepare(options, context);
  Response response;
  const absl::Status status =
      FromGrpcStatus((stub.*method)(&context, request, &response));
  if (!status.ok()) return status;
  return response;
}

// Hands every response of a stream to `receive`.
template <typename Response>
absl::Status ReadAll(
    grpc::ClientContext& context, grpc::ClientReaderInterface<Response>& stream,
    absl::FunctionRef<absl::Status(const Response& response)> receive) {
  absl::Status received;
  Response response;
  while (stream.Read(&response)) {
    if (!received.ok()) continue;
    received = receive(response);
    if (!received.ok()) context.TryCancel();
  }
  const absl::Status finished = FromGrpcStatus(stream.Finish());
  return received.ok() ? finished : received;
}

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_CALLS_H_
