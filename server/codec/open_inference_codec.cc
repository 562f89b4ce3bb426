#include "server/codec/open_inference_codec.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/codec/open_inference_inputs.h"
#include "server/errors.h"

namespace poe::server {
namespace {

constexpr absl::string_view kTask = "task", kTimeout = "timeout";

// What the parameters of a request can say besides the task.
struct Parameters {
  std::string class_name;
  std::int32_t steps = 0, chains = 0;  // 0: the default
  std::optional<std::uint64_t> seed;
};

// A whole number from 0 to `most`; clients differ in the type they send it as.
absl::StatusOr<std::uint64_t> ReadNumber(
    const inference::InferParameter& parameter, absl::string_view path,
    std::uint64_t most) {
  const auto out_of_range = [&](auto value) {
    return FieldError(path, "OUT_OF_RANGE",
                      absl::StrCat("is ", value, "; must be from 0 to ", most));
  };
  std::uint64_t value = parameter.uint64_param();
  if (parameter.has_int64_param()) {
    if (parameter.int64_param() < 0)
      return out_of_range(parameter.int64_param());
    value = static_cast<std::uint64_t>(parameter.int64_param());
  } else if (!parameter.has_uint64_param()) {
    return FieldError(path, "INVALID_VALUE",
                      "is of another type; must be an int64 or a uint64");
  }
  if (value > most) return out_of_range(value);
  return value;
}

absl::Status ReadCount(const inference::InferParameter& parameter,
                       absl::string_view path, std::int32_t& count) {
  const absl::StatusOr<std::uint64_t> number =
      ReadNumber(parameter, path, std::numeric_limits<std::int32_t>::max());
  if (number.ok()) count = static_cast<std::int32_t>(*number);
  return number.status();
}

absl::StatusOr<std::string> ReadText(const inference::InferParameter& parameter,
                                     absl::string_view path) {
  if (parameter.has_string_param()) return parameter.string_param();
  return FieldError(path, "INVALID_VALUE",
                    "is of another type; must be a string");
}

// Whether clients of Triton send it to say how they want to be served, which
// changes no answer here.
bool IsIgnored(absl::string_view name) {
  return name == "priority" || name == "binary_data_output" ||
         name == "triton_enable_empty_final_response";
}

bool IsOfSequences(absl::string_view name) {
  return name == "sequence_id" || name == "sequence_start" ||
         name == "sequence_end";
}

// 0, false, empty, or without a value.
bool SaysNothing(const inference::InferParameter& parameter) {
  return !parameter.bool_param() && parameter.int64_param() == 0 &&
         parameter.uint64_param() == 0 && parameter.double_param() == 0 &&
         parameter.string_param().empty();
}

absl::Status ReadParameter(const std::string& name,
                           const inference::InferParameter& parameter,
                           InferTask task, Parameters& parameters) {
  const std::string path = absl::StrCat("parameters.", name);
  const bool has_class = task != InferTask::kScore;
  if (name == kTask || name == kTimeout || IsIgnored(name))
    return absl::OkStatus();
  if (IsOfSequences(name)) {
    if (SaysNothing(parameter)) return absl::OkStatus();
    return FieldError(path, "NOT_ALLOWED",
                      "is given; each call is answered by itself here, and "
                      "none is part of a sequence of calls");
  }
  if (name == "steps") return ReadCount(parameter, path, parameters.steps);
  if (name == "chains") return ReadCount(parameter, path, parameters.chains);
  if (name == "seed") {
    const absl::StatusOr<std::uint64_t> seed =
        ReadNumber(parameter, path, std::numeric_limits<std::uint64_t>::max());
    if (seed.ok()) parameters.seed = *seed;
    return seed.status();
  }
  if (has_class && name == "class") {
    const absl::StatusOr<std::string> class_name = ReadText(parameter, path);
    if (class_name.ok()) parameters.class_name = *class_name;
    return class_name.status();
  }
  return FieldError(
      "parameters", "UNKNOWN_PARAMETER",
      absl::StrCat("has ", Quoted(name), "; of the task ", TaskName(task),
                   " there are task, ", has_class ? "class, " : "",
                   "steps, chains, seed and timeout"));
}

absl::StatusOr<Parameters> ReadParameters(
    const inference::ModelInferRequest& request, InferTask task) {
  Parameters parameters;
  for (const auto& [name, parameter] : request.parameters()) {
    absl::Status status = ReadParameter(name, parameter, task, parameters);
    if (!status.ok()) return status;
  }
  return parameters;
}

// All that a request says for one task.
struct Question {
  Parameters parameters;
  std::optional<v1::Observations> observations;
};

absl::StatusOr<Question> ReadQuestion(
    const inference::ModelInferRequest& request, const Model& model,
    InferTask task) {
  absl::Status status = CheckNotSequential(model);
  if (!status.ok()) return status;
  absl::StatusOr<Parameters> parameters = ReadParameters(request, task);
  if (!parameters.ok()) return parameters.status();
  auto observations = DecodeInputTensors(request, task != InferTask::kSample);
  if (!observations.ok()) return observations.status();
  return Question{*std::move(parameters), *std::move(observations)};
}

// Class, steps, chains and seed, where the messages name them alike.
template <typename Request>
void SetParameters(Parameters parameters, Request* request) {
  request->set_class_name(std::move(parameters.class_name));
  request->set_steps(parameters.steps);
  request->set_chains(parameters.chains);
  if (parameters.seed.has_value()) request->set_seed(*parameters.seed);
}

}  // namespace

absl::StatusOr<InferTask> FindTask(
    const inference::ModelInferRequest& request) {
  const auto found = request.parameters().find(std::string(kTask));
  if (found == request.parameters().end()) return InferTask::kScore;
  const std::string path = absl::StrCat("parameters.", kTask);
  const absl::StatusOr<std::string> name = ReadText(found->second, path);
  if (!name.ok()) return name.status();
  for (const InferTask task :
       {InferTask::kScore, InferTask::kReconstruct, InferTask::kSample})
    if (*name == TaskName(task)) return task;
  return FieldError(path, "INVALID_VALUE",
                    absl::StrCat("is ", Quoted(*name),
                                 "; must be score, reconstruct or sample"));
}

absl::StatusOr<absl::Duration> FindTimeout(
    const inference::ModelInferRequest& request) {
  const auto found = request.parameters().find(std::string(kTimeout));
  if (found == request.parameters().end()) return absl::InfiniteDuration();
  const absl::StatusOr<std::uint64_t> microseconds =
      ReadNumber(found->second, absl::StrCat("parameters.", kTimeout),
                 std::numeric_limits<std::int64_t>::max());
  if (!microseconds.ok()) return microseconds.status();
  if (*microseconds == 0) return absl::InfiniteDuration();
  return absl::Microseconds(static_cast<std::int64_t>(*microseconds));
}

absl::StatusOr<v1::ModelSelector> SelectModel(absl::string_view name,
                                              absl::string_view version,
                                              absl::string_view field) {
  v1::ModelSelector selector;
  selector.set_name(std::string(name));
  if (version.empty()) return selector;
  if (!std::all_of(version.begin(), version.end(), absl::ascii_isdigit)) {
    selector.set_label(std::string(version));
    return selector;
  }
  std::int64_t number = 0;
  if (!absl::SimpleAtoi(version, &number))
    return FieldError(field, "OUT_OF_RANGE",
                      absl::StrCat("is ", Quoted(version),
                                   "; must be a number of 64 bits, a label, or "
                                   "empty for the default version"));
  selector.set_version(number);
  return selector;
}

absl::StatusOr<v1::ScoreRequest> ToScoreRequest(
    const inference::ModelInferRequest& request, const Model& model) {
  absl::StatusOr<Question> question =
      ReadQuestion(request, model, InferTask::kScore);
  if (!question.ok()) return question.status();
  const Parameters& parameters = question->parameters;
  v1::ScoreRequest score;
  if (!question->observations->mask().empty() || parameters.steps > 0 ||
      parameters.chains > 0 || parameters.seed.has_value()) {
    v1::MissingValueEstimate& missing = *score.mutable_missing();
    missing.set_chains(parameters.chains);
    missing.set_temperatures(parameters.steps);
    if (parameters.seed.has_value()) missing.set_seed(*parameters.seed);
  }
  *score.mutable_observations() = *std::move(question->observations);
  return score;
}

absl::StatusOr<v1::ReconstructRequest> ToReconstructRequest(
    const inference::ModelInferRequest& request, const Model& model) {
  absl::StatusOr<Question> question =
      ReadQuestion(request, model, InferTask::kReconstruct);
  if (!question.ok()) return question.status();
  v1::ReconstructRequest reconstruct;
  SetParameters(std::move(question->parameters), &reconstruct);
  *reconstruct.mutable_observations() = *std::move(question->observations);
  return reconstruct;
}

absl::StatusOr<v1::SampleRequest> ToSampleRequest(
    const inference::ModelInferRequest& request, const Model& model) {
  absl::StatusOr<Question> question =
      ReadQuestion(request, model, InferTask::kSample);
  if (!question.ok()) return question.status();
  v1::SampleRequest sample;
  SetParameters(std::move(question->parameters), &sample);
  if (question->observations.has_value()) {
    sample.set_start(question->observations->mask().empty()
                         ? v1::SampleRequest::START_DATA
                         : v1::SampleRequest::START_GIVEN);
    *sample.mutable_start_from() = *std::move(question->observations);
  }
  return sample;
}

}  // namespace poe::server
