#include "server/codec/open_inference_inputs.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/codec/tensor_codec.h"
#include "server/errors.h"

namespace poe::server {
namespace {

using InputTensor = inference::ModelInferRequest::InferInputTensor;

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
  return datatype == "FP32" || datatype == "INT32" ? 4 : 1;
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
  } else if (datatype == "INT32" || datatype == "INT64") {
    type = v1::ELEMENT_TYPE_INT32;
  } else {
    return WrongDatatype(x, "FP32, FP64, UINT8, INT32 or INT64");
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

}  // namespace

absl::StatusOr<std::string> PackContents(
    const inference::ModelInferRequest::InferInputTensor& tensor,
    absl::string_view path) {
  const inference::InferTensorContents& contents = tensor.contents();
  const std::string& datatype = tensor.datatype();
  absl::StatusOr<std::string> bytes =
      datatype == "FP32"    ? BytesOf(contents.fp32_contents())
      : datatype == "FP64"  ? BytesOf(contents.fp64_contents())
      : datatype == "INT32" ? BytesOf(contents.int_contents())
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

absl::StatusOr<std::optional<v1::Observations>> DecodeInputTensors(
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

}  // namespace poe::server
