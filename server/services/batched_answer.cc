#include "server/services/batched_answer.h"

#include <utility>

#include "server/errors.h"

namespace poe::server {
namespace {

using Phase = RequestScope::Phase;

struct Request {
  Batcher& batcher;
  RequestScope& scope;
  absl::AnyInvocable<absl::StatusOr<DecodedQuestion>()> decode;
  absl::AnyInvocable<void(absl::Status)> done;
  ByteBudget::Hold hold;

  void Finish(absl::Status status) {
    hold.reset();
    done(std::move(status));
  }
};

void DecodeAndSubmit(const std::shared_ptr<Request>& request) {
  absl::StatusOr<DecodedQuestion> asked;
  absl::Status status = CatchExceptions([&] {
    asked = request->decode();
    return asked.status();
  });
  if (!status.ok()) return request->Finish(std::move(status));
  request->scope.Enter(Phase::kQueue);
  request->batcher.Submit(
      {.model = std::move(asked->model),
       .question = std::move(asked->question),
       .rows = asked->rows->View(),
       .check = [request] { return request->scope.Check(); },
       .deadline = request->scope.deadline(),
       .begin =
           [request, begin = std::move(asked->begin)]() mutable {
             request->scope.Enter(Phase::kCompute);
             if (begin != nullptr) begin();
           },
       .lead = [request](
                   std::size_t calls,
                   Index rows) { request->scope.ReportBatch(calls, rows); },
       .done =
           [request, rows = asked->rows, encode = std::move(asked->encode)](
               absl::StatusOr<RowAnswer> answer) mutable {
             absl::Status status = answer.status();
             if (status.ok()) {
               status = CatchExceptions([&] {
                 encode(*answer);
                 return absl::OkStatus();
               });
             }
             request->Finish(std::move(status));
           }});
}

}  // namespace

void AnswerInBatch(const Batching& batching,
                   const google::protobuf::Message& asked, RequestScope& scope,
                   absl::AnyInvocable<absl::StatusOr<DecodedQuestion>()> decode,
                   absl::AnyInvocable<void(absl::Status)> done) {
  absl::StatusOr<ByteBudget::Hold> hold = batching.budget.Take(asked);
  if (!hold.ok()) return done(hold.status());
  const auto request = std::make_shared<Request>(
      Request{batching.batcher, scope, std::move(decode), std::move(done),
              *std::move(hold)});
  if (asked.ByteSizeLong() <= kQuicklyDecodedBytes) {
    return DecodeAndSubmit(request);
  }
  scope.Enter(Phase::kQueue);
  absl::Status submitted =
      batching.compute.Submit({[request] { return request->scope.Check(); },
                               [request](absl::Status status) {
                                 if (!status.ok())
                                   return request->Finish(std::move(status));
                                 request->scope.Enter(Phase::kCompute);
                                 DecodeAndSubmit(request);
                               }});
  if (!submitted.ok()) request->Finish(std::move(submitted));
}

}  // namespace poe::server
