#include "server/services/infer_handler.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "poe/v1/scoring.pb.h"
#include "server/codec/open_inference_codec.h"
#include "server/errors.h"
#include "server/services/reconstruct_handler.h"
#include "server/services/sample_handler.h"
#include "server/services/score_handler.h"

namespace poe::server {
namespace {

// A request on its way through a batch, and what poe.v1 makes of it.
template <typename Asked, typename Answer>
struct Inference {
  const inference::ModelInferRequest& request;
  const InferTask task;
  const ServedModel served;
  inference::ModelInferResponse& response;
  InferenceTimer timer;
  std::vector<std::string> outputs;
  Asked asked;
  Answer answer;

  absl::Status Read(absl::StatusOr<Asked> read(
      const inference::ModelInferRequest&, const Model&)) {
    auto names = AskedOutputs(request, *served.model, task);
    if (!names.ok()) return names.status();
    outputs = *std::move(names);
    absl::StatusOr<Asked> question = read(request, *served.model);
    if (!question.ok()) return question.status();
    asked = *std::move(question);
    return absl::OkStatus();
  }

  // The values are in the rows: the tensors' shape is all that is still needed.
  void ForgetValues() {
    asked.mutable_observations()->mutable_dense()->clear_data();
    asked.mutable_observations()->clear_mask();
  }

  void Encode() {
    EncodeAnswer(request, outputs, std::move(answer), &response);
    timer.End(&InferenceTimes::output);
  }
};

// `read` makes the request of poe.v1.
template <typename Answer, typename Asked>
void InferTogether(absl::StatusOr<Asked> read(
                       const inference::ModelInferRequest&, const Model&),
                   const inference::ModelInferRequest& request, InferTask task,
                   const ServedModel& served, const RequestLimits& limits,
                   const Batching& batching, RequestScope& scope,
                   InferenceTimer timer,
                   inference::ModelInferResponse& response,
                   absl::AnyInvocable<void(absl::Status)> done) {
  using Call = Inference<Asked, Answer>;
  const auto call = std::make_shared<Call>(Call{.request = request,
                                                .task = task,
                                                .served = served,
                                                .response = response,
                                                .timer = std::move(timer),
                                                .outputs = {},
                                                .asked = {},
                                                .answer = {}});
  AnswerInBatch(
      batching, request, scope,
      [call, read, &limits, &scope]() -> absl::StatusOr<DecodedQuestion> {
        call->timer.End(&InferenceTimes::queue);
        absl::Status status = call->Read(read);
        if (!status.ok()) return status;
        absl::StatusOr<DecodedQuestion> question = DecodeQuestion(
            call->asked, call->served, limits, scope, call->answer);
        if (!question.ok()) return question.status();
        call->ForgetValues();
        question->begin = [call] { call->timer.End(&InferenceTimes::queue); };
        question->encode = [call, encode = std::move(question->encode)](
                               const RowAnswer& answer) mutable {
          call->timer.End(&InferenceTimes::infer);
          encode(answer);
          call->Encode();
        };
        call->timer.End(&InferenceTimes::input);
        call->timer.Wait();
        return question;
      },
      [call, done = std::move(done)](absl::Status status) mutable {
        call->timer.Report(status);
        done(std::move(status));
      });
}

}  // namespace

void InferInBatch(const inference::ModelInferRequest& request, InferTask task,
                  const ServedModel& served, const RequestLimits& limits,
                  const Batching& batching, RequestScope& scope,
                  InferenceTimer timer, inference::ModelInferResponse& response,
                  absl::AnyInvocable<void(absl::Status)> done) {
  if (task == InferTask::kReconstruct) {
    InferTogether<v1::ReconstructResponse>(
        ToReconstructRequest, request, task, served, limits, batching, scope,
        std::move(timer), response, std::move(done));
  } else {
    InferTogether<v1::ScoreResponse>(ToScoreRequest, request, task, served,
                                     limits, batching, scope, std::move(timer),
                                     response, std::move(done));
  }
}

absl::Status InferSamples(const inference::ModelInferRequest& request,
                          const ServedModel& served,
                          const RequestLimits& limits, const Workers& workers,
                          RequestScope& scope, InferenceTimer& timer,
                          inference::ModelInferResponse& response) {
  timer.End(&InferenceTimes::queue);
  absl::Status status = CatchExceptions([&]() -> absl::Status {
    const auto outputs =
        AskedOutputs(request, *served.model, InferTask::kSample);
    if (!outputs.ok()) return outputs.status();
    const absl::StatusOr<v1::SampleRequest> asked =
        ToSampleRequest(request, *served.model);
    timer.End(&InferenceTimes::input);
    if (!asked.ok()) return asked.status();
    v1::SampleResponse answer;
    // Shown once, after the last step.
    absl::Status sampled =
        AnswerSample(*asked, served, limits, workers, scope, answer,
                     [] { return absl::OkStatus(); });
    timer.End(&InferenceTimes::infer);
    if (!sampled.ok()) return sampled;
    EncodeAnswer(request, *outputs, std::move(answer), &response);
    timer.End(&InferenceTimes::output);
    return absl::OkStatus();
  });
  timer.Report(status);
  return status;
}

}  // namespace poe::server
