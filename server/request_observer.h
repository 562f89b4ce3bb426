// What is told of every call, and how it comes to hear of them.
#ifndef POE_SERVER_REQUEST_OBSERVER_H_
#define POE_SERVER_REQUEST_OBSERVER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "grpcpp/grpcpp.h"
#include "server/model_repository.h"

namespace poe::server {

// A call that has ended. What it refers to is valid until OnFinish returns.
struct RequestReport {
  absl::string_view method;  // a literal: the name of the RPC
  // As far as they are known; empty and 0 otherwise. The name may be one that
  // the client made up.
  absl::string_view model;
  std::int64_t version = 0;
  std::int64_t rows = 0;
  // The version that answers; null where none does.
  const ServedModel* served = nullptr;
  const absl::Status& status;
  // Whether no thread had taken it when it ended.
  bool waiting = false;
  // From arrival to answer; of this, waiting for a thread; of this, working.
  // The rest is waiting for the client.
  absl::Duration total;
  absl::Duration queue;
  absl::Duration compute;
  absl::string_view request_id;
  const grpc::CallbackServerContext& context;
};

// Calls that are about to be answered together; those that are answered alone
// are batches of one. What it refers to is valid until OnBatch returns.
struct BatchReport {
  absl::string_view model;
  std::int64_t version = 0;
  const ServedModel* served = nullptr;  // as in RequestReport
  std::size_t calls = 0;
  // Of sequences, the rows of all together; of Sample, the chains.
  std::int64_t rows = 0;
};

// Thread-safe: calls come from the threads that work on requests, and must not
// take long.
class RequestObserver {
 public:
  virtual ~RequestObserver() = default;
  // A call has arrived. OnFinish follows.
  virtual void OnStart() {}
  // The server holds so many more bytes of requests, or fewer.
  virtual void OnBytes(std::int64_t /*change*/) {}
  virtual void OnBatch(const BatchReport& /*report*/) {}
  virtual void OnFinish(const RequestReport& report) = 0;
};

// For grpc::ServerBuilder::SetContextAllocator: the contexts of a server's
// calls know these observers, which must outlive the server.
std::unique_ptr<grpc::ContextAllocator> ObservedContexts(
    std::vector<RequestObserver*> observers);

// None unless the context was made by ObservedContexts. Valid as long as the
// server is there.
absl::Span<RequestObserver* const> ObserversOf(
    const grpc::CallbackServerContext& context);

}  // namespace poe::server

#endif  // POE_SERVER_REQUEST_OBSERVER_H_
