// Accepts connections for gRPC, no more than may be.
#ifndef POE_SERVER_GRPC_LISTENER_H_
#define POE_SERVER_GRPC_LISTENER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/server_builder.h"
#include "server/connection_counts.h"
#include "server/listen_address.h"
#include "server/refusals.h"
#include "server/steady_time.h"

namespace poe::server {

// Stands where gRPC would listen by itself, which bounds neither the
// connections of one client nor all together, and which listens no more once it
// has met a lack of file descriptors. What is too much is reset: clients see
// UNAVAILABLE and try again later by themselves. gRPC closes the others without
// a word, so it is looked which are still open when one more would be too many.
// Thread-safe.
class GrpcListener {
 public:
  // Each at least 1. Of the files that the process may have open, a quarter is
  // kept from connections.
  struct Limits {
    int per_client;
    int all;
  };

  // Connections that are reset are told to `refusals`.
  GrpcListener(const Limits& limits, std::shared_ptr<Refusals> refusals);
  ~GrpcListener();
  GrpcListener(const GrpcListener&) = delete;
  GrpcListener& operator=(const GrpcListener&) = delete;

  // Takes connections that wait until Start, and returns the port. Errors are
  // those of ListenOn. Once.
  absl::StatusOr<int> Listen(const ListenAddress& address);
  // Hands them on from now. Once, after Listen, and before the server that the
  // acceptor is of is told to end.
  void Start(
      std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor);
  // Takes no new ones; those that were handed on stay. When it has returned,
  // the server may be told to end.
  void Stop() ABSL_LOCKS_EXCLUDED(join_mutex_, mutex_);

  // Connections that are open.
  std::size_t open() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void AcceptOne(int listening) ABSL_LOCKS_EXCLUDED(mutex_);
  // False if there are too many.
  bool Count(int socket) ABSL_LOCKS_EXCLUDED(mutex_);
  bool TryToCount(int socket) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Once in a while: many lines would help nobody.
  void Warn(const std::string& message);
  // Waits so long; whether it is to end.
  bool StopsWithin(absl::Duration patience) ABSL_LOCKS_EXCLUDED(mutex_);

  const Limits limits_;
  const std::shared_ptr<Refusals> refusals_;
  ListeningSockets listening_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  // Of the thread that accepts.
  SteadyTime next_warning_ = SteadyTime::min();

  absl::Mutex join_mutex_;
  std::thread accepting_ ABSL_GUARDED_BY(join_mutex_);

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  SteadyCondition stop_;
  ConnectionCounts counts_ ABSL_GUARDED_BY(mutex_);
  SteadyTime next_look_ ABSL_GUARDED_BY(mutex_) = SteadyTime::min();
};

}  // namespace poe::server

#endif  // POE_SERVER_GRPC_LISTENER_H_
