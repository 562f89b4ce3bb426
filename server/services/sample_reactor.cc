#include "server/services/sample_reactor.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/errors.h"
#include "server/services/sample_handler.h"

namespace poe::server {

SampleReactor::SampleReactor(RequestScope scope,
                             const v1::SampleRequest& request,
                             const ModelRepository& repository,
                             const RequestLimits& limits,
                             const Workers& workers, absl::Duration patience)
    : scope_(std::move(scope)),
      request_(request),
      repository_(repository),
      limits_(limits),
      workers_(workers),
      patience_(patience) {
  scope_.HoldBytes(request_.ByteSizeLong());
}

void SampleReactor::Start(Executor& executor, ByteBudget& budget) {
  absl::StatusOr<ByteBudget::Hold> hold = budget.Take(request_);
  if (!hold.ok()) return Finish(scope_.Finish(hold.status()));
  hold_ = *std::move(hold);
  scope_.Enter(RequestScope::Phase::kQueue);
  const absl::Status submitted =
      executor.Submit({[this] { return scope_.Check(); },
                       [this](absl::Status status) {
                         if (status.ok()) {
                           scope_.Enter(RequestScope::Phase::kCompute);
                           status = CatchExceptions([this] { return Run(); });
                         }
                         Finish(scope_.Finish(status));
                       }});
  if (!submitted.ok()) Finish(scope_.Finish(submitted));
}

void SampleReactor::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  write_ = ok ? Write::kDone : Write::kFailed;
  write_is_over_.NotifyAll();
}

absl::Status SampleReactor::Run() {
  const absl::StatusOr<ServedModel> served = repository_.Find(request_.model());
  if (!served.ok()) return served.status();
  scope_.SetModel(*served);
  return AnswerSample(request_, *served, limits_, workers_, scope_, response_,
                      [this] {
                        scope_.Enter(RequestScope::Phase::kClient);
                        absl::Status sent = Send();
                        scope_.Enter(RequestScope::Phase::kCompute);
                        return sent;
                      });
}

absl::Status SampleReactor::Send() {
  const auto is_over = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return write_ != Write::kPending;
  };
  {
    absl::MutexLock lock(&mutex_);
    write_ = Write::kPending;
  }
  StartWrite(&response_);
  absl::MutexLock lock(&mutex_);
  // gRPC fails the write when the call is cancelled or its deadline passes.
  if (write_is_over_.AwaitUntil(mutex_, SteadyTimeAfter(patience_), is_over)) {
    if (write_ == Write::kDone) return absl::OkStatus();
    const absl::Status status = scope_.Check();
    return status.ok() ? absl::CancelledError("the client has gone") : status;
  }
  scope_.context()->TryCancel();
  mutex_.Await(absl::Condition(&is_over));
  return Error(absl::StatusCode::kCancelled, "CLIENT_TOO_SLOW",
               absl::StrCat("the client has not taken a message for ",
                            absl::FormatDuration(patience_)));
}

}  // namespace poe::server
