#ifndef POE_CLIENT_CPP_EXCHANGE_H_
#define POE_CLIENT_CPP_EXCHANGE_H_

#include <thread>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "client/cpp/errors.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/sync_stream.h"

namespace poe::client {

// Runs both directions of a bidirectional stream until it ends, so that
// neither waits for the other. Another thread asks `next` for requests (false:
// there are no more) and sends them, while this one hands the responses to
// `receive`. With `max_unanswered` > 0, where each request has one response,
// at most so many requests wait for theirs at a time.
//
// An error of `next` or `receive` cancels the call and is returned; otherwise
// the outcome of the call.
template <typename Request, typename Response>
absl::Status Exchange(
    grpc::ClientContext& context,
    grpc::ClientReaderWriterInterface<Request, Response>& stream,
    int max_unanswered, absl::FunctionRef<absl::StatusOr<bool>(Request&)> next,
    absl::FunctionRef<absl::Status(const Response&)> receive) {
  absl::Mutex mutex;
  int unanswered = 0;
  bool ended = false;
  absl::Status sent;
  const auto may_send = [&] {
    return ended || max_unanswered == 0 || unanswered < max_unanswered;
  };
  std::thread sender([&] {
    Request request;
    while (true) {
      {
        absl::MutexLock lock(&mutex);
        mutex.Await(absl::Condition(&may_send));
        if (ended) return;
        ++unanswered;
      }
      request.Clear();
      const absl::StatusOr<bool> more = next(request);
      if (!more.ok()) {
        sent = more.status();
        context.TryCancel();
        return;
      }
      if (!*more) {
        stream.WritesDone();
        return;
      }
      if (!stream.Write(request)) return;
    }
  });
  absl::Status received;
  Response response;
  while (stream.Read(&response)) {
    if (!received.ok()) continue;
    {
      absl::MutexLock lock(&mutex);
      --unanswered;
    }
    received = receive(response);
    if (!received.ok()) context.TryCancel();
  }
  {
    absl::MutexLock lock(&mutex);
    ended = true;
  }
  sender.join();
  absl::Status finished = FromGrpcStatus(stream.Finish());
  if (!sent.ok()) return sent;
  if (!received.ok()) return received;
  return finished;
}

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_EXCHANGE_H_
