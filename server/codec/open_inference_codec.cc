#include "server/codec/open_inference_codec.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "server/codec/tensor_codec.h"
#include "server/errors.h"

namespace poe::server {
namespace {

using InputTensor = inference::ModelInferRequest::InferInputTensor;

constexpr absl::string_view kTask = "task";

// One input of a request.
struct Input {
  const InputTensor* tensor = nullptr;  // null: not given
  const std::string* raw = nullptr;     // null: contents are in the tensor
  std::string path;

  absl::Span<const std::int64_t> shape() const {
    return absl::MakeConstSpan(tensor->shape().data(), tensor->shape_size());
  }
};

struct Inputs {
  Input x = {.path = "inputs.x"};
  Input mask = {.path = "inputs.mask"};
};

absl::Status CheckInput(const InputTensor& tensor, bool has_raw,
                        absl::string_view path) {
  if (has_raw && tensor.has_contents())
    return FieldError(absl::StrCat(path, ".contents"), "CONFLICT",
                      "is given beside raw_input_contents; contents are all "
                      "raw or none");
  if (!tensor.parameters().empty())
    return FieldError(absl::StrCat(path, ".parameters"), "NOT_ALLOWED",
                      "is given; tensors take none here");
  return absl::OkStatus();
}

absl::StatusOr<Inputs> FindInputs(const inference::ModelInferRequest& request) {
  const bool has_raw = !request.raw_input_contents().empty();
  if (has_raw && request.raw_input_contents_size() != request.inputs_size())
    return FieldError(
        "raw_input_contents", "WRONG_SIZE",
        absl::StrCat("has ", request.raw_input_contents_size(),
                     " elements; must have ", request.inputs_size(),
                     ", one for each input, or none"));
  Inputs inputs;
  for (int i = 0; i < request.inputs_size(); ++i) {
    const InputTensor& tensor = request.inputs(i);
    if (tensor.name() != "x" && tensor.name() != "mask")
      return FieldError("inputs", "UNKNOWN_INPUT",
                        absl::StrCat("has ", Quoted(tensor.name()),
                                     "; there are x and, optional, mask"));
    Input& input = tensor.name() == "x" ? inputs.x : inputs.mask;
    if (input.tensor != nullptr)
      return FieldError("inputs", "REPEATED",
                        absl::StrCat("has ", Quoted(tensor.name()), " twice"));
    absl::Status status = CheckInput(tensor, has_raw, input.path);
    if (!status.ok()) return status;
    input.tensor = &tensor;
    if (has_raw) input.raw = &request.raw_input_contents(i);
  }
  return inputs;
}

// Bytes of one element.
std::size_t SizeOf(absl::string_view datatype) {
  if (datatype == "FP64" || datatype == "INT64") return 8;
  return datatype == "FP32" ? 4 : 1;
}

template <typename Elements>
std::string BytesOf(const Elements& elements) {
  return std::string(reinterpret_cast<const char*>(elements.data()),
                     elements.size() * sizeof(*elements.data()));
}

absl::StatusOr<std::string> PackBytes(
    const inference::InferTensorContents& contents, absl::string_view path) {
  std::string bytes;
  for (const std::uint32_t value : contents.uint_contents()) {
    if (value > std::numeric_limits<std::uint8_t>::max())
      return FieldError(
          absl::StrCat(path, ".contents"), "INVALID_VALUE",
          absl::StrCat("has ", value, "; a UINT8 is at most 255"));
    bytes.push_back(static_cast<char>(value));
  }
  return bytes;
}

// The elements of the field that the datatype has, as they would stand in raw
// contents. Nothing may be in the others.
absl::StatusOr<std::string> PackContents(const InputTensor& tensor,
                                         absl::string_view path) {
  const inference::InferTensorContents& contents = tensor.contents();
  const std::string& datatype = tensor.datatype();
  absl::StatusOr<std::string> bytes =
      datatype == "FP32"    ? BytesOf(contents.fp32_contents())
      : datatype == "FP64"  ? BytesOf(contents.fp64_contents())
      : datatype == "INT64" ? BytesOf(contents.int64_contents())
      : datatype == "BOOL"  ? BytesOf(contents.bool_contents())
                            : PackBytes(contents, path);
  if (!bytes.ok()) return bytes;
  const std::size_t given =
      static_cast<std::size_t>(contents.bool_contents_size()) +
      contents.int_contents_size() + contents.int64_contents_size() +
      contents.uint_contents_size() + contents.uint64_contents_size() +
      contents.fp32_contents_size() + contents.fp64_contents_size() +
      contents.bytes_contents_size();
  if (given != bytes->size() / SizeOf(datatype))
    return FieldError(
        absl::StrCat(path, ".contents"), "INVALID_TENSOR",
        absl::StrCat("has elements of another datatype than ", datatype));
  return bytes;
}

// The contents of an input whose datatype is known, as many as its shape says.
absl::StatusOr<std::string> ReadContents(const Input& input) {
  const absl::StatusOr<std::int64_t> elements =
      CountElements(input.shape(), input.path);
  if (!elements.ok()) return elements.status();
  absl::StatusOr<std::string> bytes =
      input.raw != nullptr ? *input.raw
                           : PackContents(*input.tensor, input.path);
  if (!bytes.ok()) return bytes;
  const std::size_t size = SizeOf(input.tensor->datatype());
  if (bytes->size() % size != 0 ||
      bytes->size() / size != static_cast<std::size_t>(*elements))
    return FieldError(
        input.path, "WRONG_SIZE",
        absl::StrCat("has ", bytes->size(), " bytes; shape ",
                     ShapeText(input.shape()), " of ", input.tensor->datatype(),
                     " needs ", *elements, " x ", size));
  return bytes;
}

// INT64 to the whole numbers that poe.v1 takes. Elements where `mask`, one byte
// for each or empty, has a 0 may be anything.
absl::StatusOr<std::string> NarrowIntegers(const std::string& wide,
                                           const std::string& mask,
                                           const Input& input) {
  const std::size_t elements = wide.size() / sizeof(std::int64_t);
  std::string narrow(elements * sizeof(std::int32_t), '\0');
  for (std::size_t i = 0; i < elements; ++i) {
    std::int64_t value;
    std::memcpy(&value, wide.data() + i * sizeof(value), sizeof(value));
    if (!mask.empty() && mask[i] == 0) value = 0;
    const auto element = static_cast<std::int32_t>(value);
    if (element != value)
      return FieldError(
          absl::StrCat(input.path, PlaceText(input.shape(), i)),
          "INVALID_VALUE",
          absl::StrCat("is ", value, "; must be a 32-bit number"));
    std::memcpy(narrow.data() + i * sizeof(element), &element, sizeof(element));
  }
  return narrow;
}

absl::Status WrongDatatype(const Input& input, absl::string_view allowed) {
  return FieldError(absl::StrCat(input.path, ".datatype"), "INVALID_DATATYPE",
                    absl::StrCat("is ", Quoted(input.tensor->datatype()),
                                 "; must be ", allowed));
}

absl::StatusOr<std::string> ReadMask(const Inputs& inputs) {
  const Input& mask = inputs.mask;
  if (mask.tensor->datatype() != "UINT8" && mask.tensor->datatype() != "BOOL")
    return WrongDatatype(mask, "UINT8 or BOOL");
  if (mask.shape() != inputs.x.shape())
    return FieldError(
        absl::StrCat(mask.path, ".shape"), "INVALID_SHAPE",
        absl::StrCat("is ", ShapeText(mask.shape()), "; must be that of x, ",
                     ShapeText(inputs.x.shape())));
  return ReadContents(mask);
}

absl::StatusOr<v1::Observations> ReadObservations(const Inputs& inputs) {
  const Input& x = inputs.x;
  const std::string& datatype = x.tensor->datatype();
  v1::ElementType type = v1::ELEMENT_TYPE_UNSPECIFIED;
  if (datatype == "FP32") {
    type = v1::ELEMENT_TYPE_FLOAT32;
  } else if (datatype == "FP64") {
    type = v1::ELEMENT_TYPE_FLOAT64;
  } else if (datatype == "UINT8") {
    type = v1::ELEMENT_TYPE_UINT8;
  } else if (datatype == "INT64") {
    type = v1::ELEMENT_TYPE_INT32;
  } else {
    return WrongDatatype(x, "FP32, FP64, UINT8 or INT64");
  }
  v1::Observations observations;
  if (inputs.mask.tensor != nullptr) {
    absl::StatusOr<std::string> mask = ReadMask(inputs);
    if (!mask.ok()) return mask.status();
    observations.set_mask(*std::move(mask));
  }
  absl::StatusOr<std::string> data = ReadContents(x);
  if (data.ok() && datatype == "INT64")
    data = NarrowIntegers(*data, observations.mask(), x);
  if (!data.ok()) return data.status();
  v1::Tensor& dense = *observations.mutable_dense();
  *dense.mutable_shape() = x.tensor->shape();
  dense.set_element_type(type);
  dense.set_data(*std::move(data));
  return observations;
}

// Absent if x is not given and need not be.
absl::StatusOr<std::optional<v1::Observations>> FindObservations(
    const inference::ModelInferRequest& request, bool needed) {
  const absl::StatusOr<Inputs> inputs = FindInputs(request);
  if (!inputs.ok()) return inputs.status();
  if (inputs->x.tensor == nullptr) {
    if (needed || inputs->mask.tensor != nullptr)
      return FieldError(inputs->x.path, "REQUIRED",
                        "is missing; it holds the rows");
    return std::nullopt;
  }
  absl::StatusOr<v1::Observations> observations = ReadObservations(*inputs);
  if (!observations.ok()) return observations.status();
  return *std::move(observations);
}

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

absl::Status ReadParameter(const std::string& name,
                           const inference::InferParameter& parameter,
                           InferTask task, Parameters& parameters) {
  const std::string path = absl::StrCat("parameters.", name);
  const bool has_class = task != InferTask::kScore;
  if (name == kTask) return absl::OkStatus();
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
                   "steps, chains and seed"));
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
  auto observations = FindObservations(request, task != InferTask::kSample);
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

absl::StatusOr<v1::ModelSelector> SelectModel(absl::string_view name,
                                              absl::string_view version,
                                              absl::string_view field) {
  v1::ModelSelector selector;
  selector.set_name(std::string(name));
  if (version.empty()) return selector;
  std::int64_t number = 0;
  if (!std::all_of(version.begin(), version.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(version, &number))
    return FieldError(field, "INVALID_VALUE",
                      absl::StrCat("is ", Quoted(version),
                                   "; must be a decimal number, or empty for "
                                   "the default version"));
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
