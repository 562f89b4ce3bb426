#include "server/services/infer_handler.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "poe/v1/scoring.pb.h"
#include "server/codec/open_inference_codec.h"
#include "server/services/reconstruct_handler.h"
#include "server/services/sample_handler.h"
#include "server/services/score_handler.h"

namespace poe::server {
namespace {

// Adds the time that it is there.
class AddTime {
 public:
  explicit AddTime(absl::Duration& sum) : sum_(sum) {}
  ~AddTime() {
    sum_ += absl::FromChrono(std::chrono::steady_clock::now() - start_);
  }
  AddTime(const AddTime&) = delete;
  AddTime& operator=(const AddTime&) = delete;

 private:
  absl::Duration& sum_;
  const std::chrono::steady_clock::time_point start_ =
      std::chrono::steady_clock::now();
};

// `read` makes the request of poe.v1, and `respond` answers it.
template <typename Answer, typename Read, typename Respond>
absl::Status Infer(const inference::ModelInferRequest& request, InferTask task,
                   const Model& model, Read read, Respond respond,
                   InferenceTimes& times,
                   inference::ModelInferResponse& response) {
  const absl::StatusOr<std::vector<std::string>> outputs =
      AskedOutputs(request, model, task);
  if (!outputs.ok()) return outputs.status();
  const auto asked = [&] {
    const AddTime time(times.input);
    return read(request, model);
  }();
  if (!asked.ok()) return asked.status();
  Answer answer;
  absl::Status status = [&] {
    const AddTime time(times.infer);
    return respond(*asked, answer);
  }();
  if (!status.ok()) return status;
  const AddTime time(times.output);
  EncodeAnswer(request, *outputs, std::move(answer), &response);
  return absl::OkStatus();
}

}  // namespace

absl::Status AnswerInfer(const inference::ModelInferRequest& request,
                         InferTask task, const ServedModel& served,
                         const RequestLimits& limits, const Workers& workers,
                         RequestScope& scope, InferenceTimes& times,
                         inference::ModelInferResponse& response) {
  const Model& model = *served.model;
  switch (task) {
    case InferTask::kReconstruct:
      return Infer<v1::ReconstructResponse>(
          request, task, model, ToReconstructRequest,
          [&](const v1::ReconstructRequest& asked,
              v1::ReconstructResponse& answer) {
            return AnswerReconstruct(asked, served, limits, workers, scope,
                                     answer);
          },
          times, response);
    case InferTask::kSample:
      return Infer<v1::SampleResponse>(
          request, task, model, ToSampleRequest,
          [&](const v1::SampleRequest& asked, v1::SampleResponse& answer) {
            // Shown once, after the last step.
            return AnswerSample(asked, served, limits, workers, scope, answer,
                                [] { return absl::OkStatus(); });
          },
          times, response);
    default:
      return Infer<v1::ScoreResponse>(
          request, task, model, ToScoreRequest,
          [&](const v1::ScoreRequest& asked, v1::ScoreResponse& answer) {
            return AnswerScore(asked, served, limits, workers, scope, answer);
          },
          times, response);
  }
}

}  // namespace poe::server
