// What every call goes through, whatever it asks: one clock, one way to stop
// early, one line in the log, one place where errors become gRPC's.
#ifndef POE_SERVER_REQUEST_SCOPE_H_
#define POE_SERVER_REQUEST_SCOPE_H_

#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "server/executor.h"

namespace poe::server {

// One call from its arrival to its answer. The context must outlive it. Check
// may be called from any thread; everything else from one at a time.
class RequestScope {
 public:
  // `method` is a literal: the name of the RPC.
  RequestScope(absl::string_view method, grpc::CallbackServerContext* context);

  // OK while the answer is wanted; else Cancelled or DeadlineExceeded.
  absl::Status Check() const;

  // For the log line.
  void SetModel(absl::string_view name, std::int64_t version);
  void AddRows(std::int64_t rows) { rows_ += rows; }

  grpc::CallbackServerContext* context() const { return context_; }

  // The answer's status, logged. Call it once, before the reactor's Finish.
  grpc::Status Finish(const absl::Status& status);

 private:
  absl::string_view method_;
  grpc::CallbackServerContext* context_;
  absl::Time start_;
  std::string model_;
  std::int64_t version_ = 0;
  std::int64_t rows_ = 0;
};

// A seed from the system's randomness, for a call that gives none.
std::uint64_t FreshSeed();

// Ends a unary call with an error.
grpc::ServerUnaryReactor* Refuse(RequestScope scope, const absl::Status& error);

// Answers a unary call with what `handle` returns, in this thread.
grpc::ServerUnaryReactor* AnswerNow(
    RequestScope scope, absl::FunctionRef<absl::Status(RequestScope&)> handle);

// The same in a thread of the executor. `handle` keeps alive what it needs; it
// is not called if the client is gone by the time it would be.
grpc::ServerUnaryReactor* AnswerOn(
    Executor& executor, RequestScope scope,
    absl::AnyInvocable<absl::Status(RequestScope&)> handle);

// Answers a unary call with the status that `begin` passes on: exactly once,
// in any thread, whenever it will. The scope stays until then.
grpc::ServerUnaryReactor* AnswerLater(
    RequestScope scope,
    absl::FunctionRef<void(RequestScope&,
                           absl::AnyInvocable<void(absl::Status)> done)>
        begin);

}  // namespace poe::server

#endif  // POE_SERVER_REQUEST_SCOPE_H_
