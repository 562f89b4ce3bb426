#include <cstddef>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "inference/open_inference.pb.h"
#include "nlohmann/json.hpp"
#include "poe/v1/scoring.pb.h"
#include "server/codec/open_inference_binary.h"
#include "server/codec/open_inference_codec.h"
#include "server/codec/open_inference_json.h"
#include "tests/fuzz/answers.h"
#include "tests/fuzz/models.h"
#include "tests/fuzz/read_message.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/targets.h"

namespace poe::fuzz {
namespace {

// Asks what the request has become, and answers in the protocol's way. Nothing
// if something refuses.
template <typename Request>
std::optional<inference::ModelInferResponse> Ask(
    const inference::ModelInferRequest& request,
    const absl::StatusOr<Request>& question, server::InferTask task,
    const Model& model) {
  if (!question.ok()) return std::nullopt;
  const auto outputs = server::AskedOutputs(request, model, task);
  if (!outputs.ok()) return std::nullopt;
  auto answer = Answer(*question, model);
  if (!answer.has_value()) return std::nullopt;
  inference::ModelInferResponse response;
  server::EncodeAnswer(request, *outputs, *std::move(answer), &response);
  Require(response.outputs_size() == response.raw_output_contents_size(),
          "each output has contents");
  return response;
}

std::optional<inference::ModelInferResponse> Infer(
    const inference::ModelInferRequest& request, const Model& model) {
  const auto task = server::FindTask(request);
  if (!task.ok()) return std::nullopt;
  switch (*task) {
    case server::InferTask::kScore:
      return Ask(request, server::ToScoreRequest(request, model), *task, model);
    case server::InferTask::kReconstruct:
      return Ask(request, server::ToReconstructRequest(request, model), *task,
                 model);
    case server::InferTask::kSample:
      return Ask(request, server::ToSampleRequest(request, model), *task,
                 model);
  }
  return std::nullopt;
}

}  // namespace

void FuzzOpenInference(absl::string_view input) {
  inference::ModelInferRequest request;
  if (!ReadMessage(input, &request)) return;
  server::SelectModel(request.model_name(), request.model_version())
      .IgnoreError();
  Infer(request, FindModel(request.model_name()));
}

// A zero byte, which JSON has none of, ends the JSON; the rest is bytes.
void FuzzOpenInferenceJson(absl::string_view input) {
  const std::size_t end = input.find('\0');
  auto request = server::ReadInferRequest(input.substr(0, end));
  if (!request.ok()) {
    Require(absl::IsInvalidArgument(request.status()),
            "what is wrong with a request is the client's mistake");
    return;
  }
  const absl::string_view bytes = end == absl::string_view::npos
                                      ? absl::string_view()
                                      : input.substr(end + 1);
  const auto wanted = server::TakeBinaryInputs(bytes, &*request);
  if (!wanted.ok()) return;
  std::size_t raw = 0;
  for (const auto& contents : request->raw_input_contents())
    raw += contents.size();
  Require(raw >= bytes.size(), "all bytes belong to inputs");
  Require(request->raw_input_contents().empty() ||
              request->raw_input_contents_size() == request->inputs_size(),
          "contents are all raw or none");
  for (const auto& one : request->inputs())
    Require(!one.parameters().contains(server::kBinaryDataSize),
            "no parameter of the extension is left");
  // The model stands in the URL; here its id says which.
  auto response = Infer(*request, FindModel(request->id()));
  if (!response.has_value()) return;
  server::TakeBinaryOutputs(*wanted, &*response);
  Require(nlohmann::json::accept(server::InferResponseJson(*response)),
          "what is answered is JSON");
}

}  // namespace poe::fuzz
