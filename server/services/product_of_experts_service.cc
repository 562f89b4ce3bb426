#include "server/services/product_of_experts_service.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/request_scope.h"
#include "server/services/reconstruct_handler.h"
#include "server/services/sample_reactor.h"
#include "server/services/score_handler.h"
#include "server/services/score_stream_reactor.h"
#include "server/services/train_reactor.h"

namespace poe::server {

grpc::ServerUnaryReactor* ProductOfExpertsService::Score(
    grpc::CallbackServerContext* context, const v1::ScoreRequest* request,
    v1::ScoreResponse* response) {
  RequestScope scope("Score", context);
  scope.HoldBytes(request->ByteSizeLong());
  absl::StatusOr<ServedModel> served =
      resources_.repository.Find(request->model());
  if (!served.ok()) return Refuse(std::move(scope), served.status());
  scope.SetModel(*served);
  if (IsSmall(*request, *served->model)) {
    const int others = small_calls_++;
    const absl::Cleanup leave = [this] { --small_calls_; };
    if (others < resources_.quick_calls) {
      return AnswerNow(std::move(scope), [&](RequestScope& scope) {
        return AnswerScore(*request, *served, resources_.limits,
                           Workers::Inline(), scope, *response);
      });
    }
  }
  return AnswerLater(
      std::move(scope),
      [&](RequestScope& scope, absl::AnyInvocable<void(absl::Status)> done) {
        ScoreInBatch(*request, *served, resources_.limits, resources_.batching,
                     scope, *response, std::move(done));
      });
}

grpc::ServerBidiReactor<v1::ScoreRequest, v1::ScoreResponse>*
ProductOfExpertsService::ScoreStream(grpc::CallbackServerContext* context) {
  return new ScoreStreamReactor(RequestScope("ScoreStream", context),
                                resources_.repository, resources_.limits,
                                resources_.batching);
}

grpc::ServerUnaryReactor* ProductOfExpertsService::Reconstruct(
    grpc::CallbackServerContext* context, const v1::ReconstructRequest* request,
    v1::ReconstructResponse* response) {
  RequestScope scope("Reconstruct", context);
  scope.HoldBytes(request->ByteSizeLong());
  absl::StatusOr<ServedModel> served =
      resources_.repository.Find(request->model());
  if (!served.ok()) return Refuse(std::move(scope), served.status());
  scope.SetModel(*served);
  return AnswerLater(
      std::move(scope),
      [&](RequestScope& scope, absl::AnyInvocable<void(absl::Status)> done) {
        ReconstructInBatch(*request, *served, resources_.limits,
                           resources_.batching, scope, *response,
                           std::move(done));
      });
}

grpc::ServerWriteReactor<v1::SampleResponse>* ProductOfExpertsService::Sample(
    grpc::CallbackServerContext* context, const v1::SampleRequest* request) {
  auto* reactor = new SampleReactor(RequestScope("Sample", context), *request,
                                    resources_.repository, resources_.limits,
                                    resources_.workers, resources_.patience);
  reactor->Start(resources_.sampling, resources_.batching.budget);
  return reactor;
}

grpc::ServerBidiReactor<v1::TrainRequest, v1::TrainResponse>*
ProductOfExpertsService::Train(grpc::CallbackServerContext* context) {
  return NewTrainReactor(resources_.jobs, resources_.uploads, context);
}

}  // namespace poe::server
