// What every call goes through, whatever it asks: one clock, one way to stop
// early, one report to who observes it, one place where errors become gRPC's.
#ifndef POE_SERVER_REQUEST_SCOPE_H_
#define POE_SERVER_REQUEST_SCOPE_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "grpcpp/grpcpp.h"
#include "server/executor.h"
#include "server/model_repository.h"
#include "server/request_observer.h"
#include "server/steady_time.h"

namespace poe::server {

// One call from its arrival to its answer. The context must outlive it. Check
// may be called from any thread; everything else from one at a time.
class RequestScope {
 public:
  // What takes its time: waiting for a thread, working, waiting for the client.
  enum class Phase { kQueue, kCompute, kClient };

  // `method` is a literal: the name of the RPC. The answer's trailing metadata
  // name the request's id.
  RequestScope(absl::string_view method, grpc::CallbackServerContext* context);

  // The answer is not wanted at that time any more, whatever the client's own
  // deadline. Before Check is called from another thread.
  void LimitTo(SteadyTime deadline);

  // From when on the answer is not wanted any more; a century from now if the
  // client has set no deadline.
  SteadyTime deadline() const { return deadline_; }

  // OK while the answer is wanted; else Cancelled or DeadlineExceeded.
  absl::Status Check() const;

  // For those who observe it. A call begins with kCompute and holds 0 bytes of
  // requests.
  void SetModel(absl::string_view name, std::int64_t version);
  void SetModel(const ServedModel& served) { served_ = served; }
  void AddRows(std::int64_t rows) { rows_ += rows; }
  void Enter(Phase phase);
  void HoldBytes(std::size_t bytes);
  // So many calls, this one among them, with so many rows are about to be
  // answered together. One of them says so.
  void ReportBatch(std::size_t calls, std::int64_t rows) const;

  grpc::CallbackServerContext* context() const { return context_; }

  // The answer's status, reported. Call it once, before the reactor's Finish.
  grpc::Status Finish(const absl::Status& status);

 private:
  absl::Duration TimeOf(Phase phase) const;
  // Null if no version answers.
  const ServedModel* Served() const;

  absl::string_view method_;
  grpc::CallbackServerContext* context_;
  absl::Span<RequestObserver* const> observers_;
  SteadyTime deadline_;
  std::string request_id_;
  // Without a model, a name and a version that are only asked about.
  ServedModel served_;
  std::int64_t rows_ = 0;
  std::int64_t held_bytes_ = 0;
  Phase phase_ = Phase::kCompute;
  std::chrono::steady_clock::time_point entered_;  // phase_
  std::array<absl::Duration, 3> times_;            // by phase
};

// A random seed, for a call that gives none.
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
