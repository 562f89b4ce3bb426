#include "server/request_scope.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "absl/random/random.h"
#include "absl/time/clock.h"
#include "server/errors.h"
#include "server/request_identity.h"

namespace poe::server {

RequestScope::RequestScope(absl::string_view method,
                           grpc::CallbackServerContext* context)
    : method_(method),
      context_(context),
      observers_(ObserversOf(*context)),
      deadline_(
          SteadyTimeAfter(absl::FromChrono(context->deadline()) - absl::Now())),
      request_id_(RequestIdOf(context->client_metadata())),
      entered_(std::chrono::steady_clock::now()) {
  // Not among the initial ones: clients do not try a call again once those have
  // come.
  context_->AddTrailingMetadata(std::string(kRequestIdHeader), request_id_);
  for (RequestObserver* observer : observers_) observer->OnStart();
}

void RequestScope::LimitTo(SteadyTime deadline) {
  deadline_ = std::min(deadline_, deadline);
}

absl::Status RequestScope::Check() const {
  if (SteadyNow() >= deadline_) {
    return absl::DeadlineExceededError("the deadline of the call has passed");
  }
  if (context_->IsCancelled()) {
    return absl::CancelledError("the call was cancelled");
  }
  return absl::OkStatus();
}

void RequestScope::SetModel(absl::string_view name, std::int64_t version) {
  served_ = {.name = std::string(name), .version = version, .model = nullptr};
}

void RequestScope::Enter(Phase phase) {
  const auto now = std::chrono::steady_clock::now();
  times_[static_cast<std::size_t>(phase_)] += absl::FromChrono(now - entered_);
  phase_ = phase;
  entered_ = now;
}

void RequestScope::HoldBytes(std::size_t bytes) {
  const auto held = static_cast<std::int64_t>(bytes);
  for (RequestObserver* observer : observers_) {
    observer->OnBytes(held - held_bytes_);
  }
  held_bytes_ = held;
}

void RequestScope::ReportBatch(std::size_t calls, std::int64_t rows) const {
  const BatchReport report = {.model = served_.name,
                              .version = served_.version,
                              .served = Served(),
                              .calls = calls,
                              .rows = rows};
  for (RequestObserver* observer : observers_) observer->OnBatch(report);
}

const ServedModel* RequestScope::Served() const {
  return served_.model == nullptr ? nullptr : &served_;
}

absl::Duration RequestScope::TimeOf(Phase phase) const {
  return times_[static_cast<std::size_t>(phase)];
}

grpc::Status RequestScope::Finish(const absl::Status& status) {
  Enter(phase_);
  HoldBytes(0);
  const absl::Duration queue = TimeOf(Phase::kQueue);
  const absl::Duration compute = TimeOf(Phase::kCompute);
  const RequestReport report = {
      .method = method_,
      .model = served_.name,
      .version = served_.version,
      .rows = rows_,
      .served = Served(),
      .status = status,
      .waiting = phase_ == Phase::kQueue,
      .total = queue + compute + TimeOf(Phase::kClient),
      .queue = queue,
      .compute = compute,
      .request_id = request_id_,
      .context = *context_,
  };
  for (RequestObserver* observer : observers_) observer->OnFinish(report);
  return ToGrpcStatus(status);
}

std::uint64_t FreshSeed() {
  // Every call asks for one, and the system's own takes longer than a call.
  thread_local absl::BitGen generator;
  return absl::Uniform<std::uint64_t>(
      absl::IntervalClosed, generator, 0,
      std::numeric_limits<std::uint64_t>::max());
}

grpc::ServerUnaryReactor* Refuse(RequestScope scope,
                                 const absl::Status& error) {
  return AnswerNow(std::move(scope), [&](RequestScope&) { return error; });
}

grpc::ServerUnaryReactor* AnswerNow(
    RequestScope scope, absl::FunctionRef<absl::Status(RequestScope&)> handle) {
  grpc::ServerUnaryReactor* reactor = scope.context()->DefaultReactor();
  const absl::Status status = CatchExceptions([&] { return handle(scope); });
  reactor->Finish(scope.Finish(status));
  return reactor;
}

grpc::ServerUnaryReactor* AnswerOn(
    Executor& executor, RequestScope scope,
    absl::AnyInvocable<absl::Status(RequestScope&)> handle) {
  grpc::ServerUnaryReactor* reactor = scope.context()->DefaultReactor();
  auto shared = std::make_shared<RequestScope>(std::move(scope));
  shared->Enter(RequestScope::Phase::kQueue);
  Executor::Task task;
  task.check = [shared] { return shared->Check(); };
  task.run = [shared, reactor,
              handle = std::move(handle)](absl::Status status) mutable {
    if (status.ok()) {
      shared->Enter(RequestScope::Phase::kCompute);
      status = CatchExceptions([&] { return handle(*shared); });
    }
    reactor->Finish(shared->Finish(status));
  };
  const absl::Status submitted = executor.Submit(std::move(task));
  if (!submitted.ok()) reactor->Finish(shared->Finish(submitted));
  return reactor;
}

grpc::ServerUnaryReactor* AnswerLater(
    RequestScope scope,
    absl::FunctionRef<void(RequestScope&,
                           absl::AnyInvocable<void(absl::Status)> done)>
        begin) {
  grpc::ServerUnaryReactor* reactor = scope.context()->DefaultReactor();
  const auto shared = std::make_shared<RequestScope>(std::move(scope));
  begin(*shared, [shared, reactor](const absl::Status& status) {
    reactor->Finish(shared->Finish(status));
  });
  return reactor;
}

}  // namespace poe::server
