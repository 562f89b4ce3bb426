#include "server/request_scope.h"

#include <chrono>
#include <memory>
#include <random>
#include <utility>

#include "absl/time/clock.h"
#include "server/errors.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

// Whether the server, rather than the request, is at fault.
bool IsServersFault(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal ||
         code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss;
}

}  // namespace

RequestScope::RequestScope(absl::string_view method,
                           grpc::CallbackServerContext* context)
    : method_(method), context_(context), start_(absl::Now()) {}

absl::Status RequestScope::Check() const {
  if (std::chrono::system_clock::now() >= context_->deadline()) {
    return absl::DeadlineExceededError("the deadline of the call has passed");
  }
  if (context_->IsCancelled()) {
    return absl::CancelledError("the call was cancelled");
  }
  return absl::OkStatus();
}

void RequestScope::SetModel(absl::string_view name, std::int64_t version) {
  model_ = std::string(name);
  version_ = version;
}

grpc::Status RequestScope::Finish(const absl::Status& status) {
  const auto level =
      IsServersFault(status.code()) ? spdlog::level::err : spdlog::level::debug;
  if (spdlog::should_log(level)) {
    spdlog::log(
        level, "{} model={} version={} rows={} code={} ms={:.3f}{}{}",
        std::string(method_), model_, version_, rows_,
        absl::StatusCodeToString(status.code()),
        absl::ToDoubleMilliseconds(absl::Now() - start_),
        level == spdlog::level::err ? " " : "",
        level == spdlog::level::err ? std::string(status.message()) : "");
  }
  return ToGrpcStatus(status);
}

std::uint64_t FreshSeed() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
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
  Executor::Task task;
  task.check = [shared] { return shared->Check(); };
  task.run = [shared, reactor,
              handle = std::move(handle)](absl::Status status) mutable {
    if (status.ok()) {
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
