#include <optional>
#include <utility>

#include "inference/open_inference.pb.h"
#include "poe/v1/scoring.pb.h"
#include "server/codec/open_inference_codec.h"
#include "tests/fuzz/answers.h"
#include "tests/fuzz/models.h"
#include "tests/fuzz/read_message.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/targets.h"

namespace poe::fuzz {
namespace {

// Asks what the request has become, and answers in the protocol's way.
template <typename Request>
void Infer(const inference::ModelInferRequest& request,
           const absl::StatusOr<Request>& question, server::InferTask task,
           const Model& model) {
  if (!question.ok()) return;
  const auto outputs = server::AskedOutputs(request, model, task);
  if (!outputs.ok()) return;
  auto answer = Answer(*question, model);
  if (!answer.has_value()) return;
  inference::ModelInferResponse response;
  server::EncodeAnswer(request, *outputs, *std::move(answer), &response);
  Require(response.outputs_size() == response.raw_output_contents_size(),
          "each output has contents");
}

}  // namespace

void FuzzOpenInference(absl::string_view input) {
  inference::ModelInferRequest request;
  if (!ReadMessage(input, &request)) return;
  server::SelectModel(request.model_name(), request.model_version())
      .IgnoreError();
  const auto task = server::FindTask(request);
  if (!task.ok()) return;
  const Model& model = FindModel(request.model_name());
  switch (*task) {
    case server::InferTask::kScore:
      return Infer(request, server::ToScoreRequest(request, model), *task,
                   model);
    case server::InferTask::kReconstruct:
      return Infer(request, server::ToReconstructRequest(request, model), *task,
                   model);
    case server::InferTask::kSample:
      return Infer(request, server::ToSampleRequest(request, model), *task,
                   model);
  }
}

}  // namespace poe::fuzz
