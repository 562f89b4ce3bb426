#include "server/codec/open_inference_outputs.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "poe/scoring.h"
#include "server/errors.h"

namespace poe::server {
namespace {

constexpr absl::string_view kFp32 = "FP32", kFp64 = "FP64", kInt64 = "INT64",
                            kBytes = "BYTES";

constexpr absl::string_view kLogScore = "log_score", kLabel = "label",
                            kLabelIndex = "label_index", kMargin = "margin",
                            kProbability = "probability",
                            kPercentile = "percentile",
                            kLogProbability = "log_probability",
                            kReconstruction = "reconstruction",
                            kSample = "sample";

constexpr std::int64_t kAnyLength = -1;

struct TensorFormat {
  absl::string_view name, datatype;
  std::vector<std::int64_t> shape;
};

TensorFormat InputOf(const Model& model) {
  const DataSpec& spec = model.data_spec;
  const bool symbols = spec.family == Family::kCategorical && !spec.real_inputs;
  return {"x", symbols ? kInt64 : kFp32, {kAnyLength, spec.dimension}};
}

bool HasLogProbabilities(const Model& model) {
  return std::any_of(model.classes.begin(), model.classes.end(),
                     [](const ClassModel& one) {
                       return !one.log_partitions.empty();
                     }) ||
         KnowsConditionalProbability(model.data_spec,
                                     model.classes[0].layers[0]);
}

// As Score fills them in.
std::vector<TensorFormat> OutputsOfScore(const Model& model) {
  const std::int64_t classes = model.num_classes();
  std::vector<TensorFormat> outputs = {
      {kLogScore, kFp64, {kAnyLength, classes * model.num_layers()}}};
  if (model.separator.has_value()) {
    outputs.push_back({kLabel, kBytes, {kAnyLength}});
    outputs.push_back({kLabelIndex, kInt64, {kAnyLength}});
    outputs.push_back({kMargin, kFp64, {kAnyLength}});
    if (model.calibration.has_value())
      outputs.push_back({kProbability, kFp64, {kAnyLength, classes}});
  }
  if (std::all_of(
          model.classes.begin(), model.classes.end(),
          [](const ClassModel& one) { return one.percentiles.has_value(); }))
    outputs.push_back({kPercentile, kFp64, {kAnyLength, classes}});
  if (HasLogProbabilities(model))
    outputs.push_back({kLogProbability, kFp64, {kAnyLength, classes}});
  return outputs;
}

std::vector<std::string> OutputNames(const Model& model, InferTask task) {
  if (task == InferTask::kReconstruct) return {std::string(kReconstruction)};
  if (task == InferTask::kSample) return {std::string(kSample)};
  std::vector<std::string> names;
  for (const TensorFormat& output : OutputsOfScore(model))
    names.emplace_back(output.name);
  return names;
}

void SetFormat(const TensorFormat& format,
               inference::ModelMetadataResponse::TensorMetadata* tensor) {
  tensor->set_name(std::string(format.name));
  tensor->set_datatype(std::string(format.datatype));
  tensor->mutable_shape()->Assign(format.shape.begin(), format.shape.end());
}

template <typename Tensor>
void SetFormat(const TensorFormat& format, Tensor* tensor) {
  tensor->set_name(std::string(format.name));
  tensor->set_data_type(format.datatype == kFp32    ? inference::TYPE_FP32
                        : format.datatype == kFp64  ? inference::TYPE_FP64
                        : format.datatype == kInt64 ? inference::TYPE_INT64
                                                    : inference::TYPE_STRING);
  tensor->mutable_dims()->Assign(format.shape.begin(), format.shape.end());
}

absl::string_view DatatypeOf(v1::ElementType type) {
  switch (type) {
    case v1::ELEMENT_TYPE_FLOAT64:
      return kFp64;
    case v1::ELEMENT_TYPE_INT32:
      return kInt64;
    default:
      return kFp32;
  }
}

// poe.v1 has symbols in 32 bits.
std::string WidenIntegers(absl::string_view narrow) {
  const std::size_t elements = narrow.size() / sizeof(std::int32_t);
  std::string wide(elements * sizeof(std::int64_t), '\0');
  for (std::size_t i = 0; i < elements; ++i) {
    std::int32_t element;
    std::memcpy(&element, narrow.data() + i * sizeof(element), sizeof(element));
    const std::int64_t value = element;
    std::memcpy(wide.data() + i * sizeof(value), &value, sizeof(value));
  }
  return wide;
}

void AddOutput(absl::string_view name, absl::string_view datatype,
               absl::Span<const std::int64_t> shape, std::string contents,
               inference::ModelInferResponse* response) {
  inference::ModelInferResponse::InferOutputTensor& output =
      *response->add_outputs();
  output.set_name(std::string(name));
  output.set_datatype(std::string(datatype));
  output.mutable_shape()->Assign(shape.begin(), shape.end());
  response->add_raw_output_contents(std::move(contents));
}

// `shape` replaces the tensor's where it is given.
void AddOutput(absl::string_view name, v1::Tensor* tensor,
               inference::ModelInferResponse* response,
               absl::Span<const std::int64_t> shape = {}) {
  if (shape.empty())
    shape = absl::MakeConstSpan(tensor->shape().data(), tensor->shape_size());
  std::string contents = tensor->element_type() == v1::ELEMENT_TYPE_INT32
                             ? WidenIntegers(tensor->data())
                             : std::move(*tensor->mutable_data());
  AddOutput(name, DatatypeOf(tensor->element_type()), shape,
            std::move(contents), response);
}

template <typename T>
std::string BytesOf(const T* elements, std::int64_t count) {
  return std::string(reinterpret_cast<const char*>(elements),
                     count * sizeof(T));
}

// Names of classes, empty for a row without a label.
std::string EncodeLabels(const v1::ScoreResponse& answer) {
  std::string bytes;
  for (const std::int32_t label : answer.labels()) {
    const absl::string_view name =
        label < 0 ? absl::string_view() : answer.class_names(label);
    const auto length = static_cast<std::uint32_t>(name.size());
    absl::StrAppend(&bytes, BytesOf(&length, 1), name);
  }
  return bytes;
}

void AddScoreOutput(absl::string_view name, v1::ScoreResponse& answer,
                    inference::ModelInferResponse* response) {
  const std::int64_t rows = answer.log_scores().shape(0);
  if (name == kLogScore) {
    const auto& shape = answer.log_scores().shape();
    AddOutput(name, answer.mutable_log_scores(), response,
              {rows, shape[1] * shape[2]});
  } else if (name == kLabel) {
    AddOutput(name, kBytes, {rows}, EncodeLabels(answer), response);
  } else if (name == kLabelIndex) {
    const std::vector<std::int64_t> labels(answer.labels().begin(),
                                           answer.labels().end());
    AddOutput(name, kInt64, {rows},
              BytesOf(labels.data(), answer.labels_size()), response);
  } else if (name == kMargin) {
    AddOutput(name, kFp64, {rows},
              BytesOf(answer.margins().data(), answer.margins_size()),
              response);
  } else if (name == kProbability) {
    AddOutput(name, answer.mutable_probabilities(), response);
  } else if (name == kPercentile) {
    AddOutput(name, answer.mutable_percentiles(), response);
  } else if (name == kLogProbability) {
    AddOutput(name, answer.mutable_log_probabilities(), response);
  }
}

void EncodeHead(const inference::ModelInferRequest& request,
                const v1::ModelVersion& model,
                inference::ModelInferResponse* response) {
  response->set_model_name(model.name());
  response->set_model_version(absl::StrCat(model.version()));
  response->set_id(request.id());
}

void EncodeSeed(std::uint64_t seed, inference::ModelInferResponse* response) {
  (*response->mutable_parameters())["seed"].set_uint64_param(seed);
}

// Of the tasks with a single output.
template <typename Answer>
void EncodeObservations(const inference::ModelInferRequest& request,
                        const std::vector<std::string>& outputs, Answer answer,
                        inference::ModelInferResponse* response) {
  EncodeHead(request, answer.model(), response);
  EncodeSeed(answer.seed(), response);
  for (const std::string& name : outputs)
    AddOutput(name, answer.mutable_observations()->mutable_dense(), response);
}

}  // namespace

std::string TaskName(InferTask task) {
  switch (task) {
    case InferTask::kReconstruct:
      return "reconstruct";
    case InferTask::kSample:
      return "sample";
    default:
      return "score";
  }
}

absl::StatusOr<std::vector<std::string>> AskedOutputs(
    const inference::ModelInferRequest& request, const Model& model,
    InferTask task) {
  const std::vector<std::string> names = OutputNames(model, task);
  if (request.outputs().empty()) return names;
  std::vector<std::string> asked;
  for (const auto& output : request.outputs()) {
    if (std::find(names.begin(), names.end(), output.name()) == names.end())
      return FieldError(
          "outputs", "UNKNOWN_OUTPUT",
          absl::StrCat("has ", Quoted(output.name()), "; of the task ",
                       TaskName(task), " this model has ",
                       absl::StrJoin(names, ", ")));
    if (std::find(asked.begin(), asked.end(), output.name()) != asked.end())
      return FieldError("outputs", "REPEATED",
                        absl::StrCat("has ", Quoted(output.name()), " twice"));
    if (!output.parameters().empty())
      return FieldError(absl::StrCat("outputs.", output.name(), ".parameters"),
                        "NOT_ALLOWED", "is given; tensors take none here");
    asked.push_back(output.name());
  }
  return asked;
}

absl::Status CheckNotSequential(const Model& model) {
  if (!model.data_spec.sequential) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "SEQUENTIAL_MODEL",
               "this model's observations are sequences, which the Open "
               "Inference Protocol has no tensors for; ask "
               "poe.v1.ProductOfExperts");
}

void EncodeTensorMetadata(const Model& model,
                          inference::ModelMetadataResponse* response) {
  SetFormat(InputOf(model), response->add_inputs());
  for (const TensorFormat& output : OutputsOfScore(model))
    SetFormat(output, response->add_outputs());
}

void EncodeTensorMetadata(const Model& model, inference::ModelConfig* config) {
  SetFormat(InputOf(model), config->add_input());
  for (const TensorFormat& output : OutputsOfScore(model))
    SetFormat(output, config->add_output());
}

void EncodeAnswer(const inference::ModelInferRequest& request,
                  const std::vector<std::string>& outputs,
                  v1::ScoreResponse answer,
                  inference::ModelInferResponse* response) {
  EncodeHead(request, answer.model(), response);
  if (answer.has_seed()) EncodeSeed(answer.seed(), response);
  for (const std::string& name : outputs)
    AddScoreOutput(name, answer, response);
}

void EncodeAnswer(const inference::ModelInferRequest& request,
                  const std::vector<std::string>& outputs,
                  v1::ReconstructResponse answer,
                  inference::ModelInferResponse* response) {
  EncodeObservations(request, outputs, std::move(answer), response);
}

void EncodeAnswer(const inference::ModelInferRequest& request,
                  const std::vector<std::string>& outputs,
                  v1::SampleResponse answer,
                  inference::ModelInferResponse* response) {
  EncodeObservations(request, outputs, std::move(answer), response);
}

}  // namespace poe::server
