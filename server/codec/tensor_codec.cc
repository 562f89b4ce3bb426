#include "server/codec/tensor_codec.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/errors.h"

namespace poe::server {
namespace {

static_assert(std::endian::native == std::endian::little,
              "tensors are copied as they stand in memory");
static_assert(std::numeric_limits<float>::is_iec559 &&
              std::numeric_limits<double>::is_iec559);

// Bytes of one element; 0 for a type that `data` cannot have.
std::int64_t ElementSize(v1::ElementType type) {
  switch (type) {
    case v1::ELEMENT_TYPE_FLOAT32:
    case v1::ELEMENT_TYPE_INT32:
      return 4;
    case v1::ELEMENT_TYPE_FLOAT64:
      return 8;
    case v1::ELEMENT_TYPE_UINT8:
      return 1;
    default:
      return 0;
  }
}

std::string TypeText(v1::ElementType type) {
  return v1::ElementType_IsValid(type) ? v1::ElementType_Name(type)
                                       : absl::StrCat(static_cast<int>(type));
}

absl::Status CheckValues(const v1::Tensor& tensor, absl::string_view field,
                         std::int64_t elements) {
  if (!tensor.data().empty())
    return FieldError(field, "INVALID_TENSOR",
                      "has both data and values; exactly one must be given");
  if (tensor.element_type() != v1::ELEMENT_TYPE_UNSPECIFIED &&
      tensor.element_type() != v1::ELEMENT_TYPE_FLOAT32)
    return FieldError(
        absl::StrCat(field, ".element_type"), "INVALID_ELEMENT_TYPE",
        absl::StrCat("is ", TypeText(tensor.element_type()),
                     "; values are ELEMENT_TYPE_FLOAT32 or unset"));
  if (tensor.values_size() != elements)
    return FieldError(
        absl::StrCat(field, ".values"), "WRONG_SIZE",
        absl::StrCat("has ", tensor.values_size(), " elements; shape ",
                     ShapeText(ShapeOf(tensor)), " needs ", elements));
  return absl::OkStatus();
}

absl::Status CheckData(const v1::Tensor& tensor, absl::string_view field,
                       std::int64_t elements) {
  const std::int64_t size = ElementSize(tensor.element_type());
  if (size == 0)
    return FieldError(
        absl::StrCat(field, ".element_type"), "INVALID_ELEMENT_TYPE",
        absl::StrCat("is ", TypeText(tensor.element_type()),
                     "; data needs ELEMENT_TYPE_FLOAT32, _FLOAT64, _UINT8 or "
                     "_INT32"));
  const auto bytes = static_cast<std::int64_t>(tensor.data().size());
  if (bytes % size != 0 || bytes / size != elements)
    return FieldError(absl::StrCat(field, ".data"), "WRONG_SIZE",
                      absl::StrCat("has ", bytes, " bytes; shape ",
                                   ShapeText(ShapeOf(tensor)), " of ",
                                   TypeText(tensor.element_type()), " needs ",
                                   elements, " x ", size));
  return absl::OkStatus();
}

// Element i of little-endian bytes of any alignment.
template <typename T>
T Load(const std::string& bytes, std::size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

// `convert` sets its second argument and says whether the element is allowed.
// Returns the first element that is not and is observed, or -1.
template <typename T, typename Convert>
std::int64_t ConvertElements(const std::string& bytes,
                             absl::Span<const std::uint8_t> observed,
                             Convert convert, std::vector<float>& values) {
  values.resize(bytes.size() / sizeof(T));
  std::int64_t bad = -1;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!convert(Load<T>(bytes, i), values[i]) && bad < 0 &&
        (observed.empty() || observed[i] != 0))
      bad = static_cast<std::int64_t>(i);
  return bad;
}

absl::Status ElementError(const v1::Tensor& tensor, absl::string_view field,
                          std::int64_t place, absl::string_view description) {
  return FieldError(absl::StrCat(field, PlaceText(ShapeOf(tensor), place)),
                    "INVALID_VALUE", description);
}

template <typename Scalar>
void Encode(ConstRowMatrixRef<Scalar> matrix, v1::ElementType type,
            absl::Span<const std::int64_t> shape, v1::Tensor* tensor) {
  tensor->Clear();
  tensor->set_element_type(type);
  if (shape.empty()) {
    tensor->add_shape(matrix.rows());
    tensor->add_shape(matrix.cols());
  } else {
    tensor->mutable_shape()->Assign(shape.begin(), shape.end());
  }
  std::string& data = *tensor->mutable_data();
  const std::size_t row_bytes = matrix.cols() * sizeof(Scalar);
  data.reserve(matrix.rows() * row_bytes);
  for (Index n = 0; n < matrix.rows(); ++n)
    data.append(
        reinterpret_cast<const char*>(matrix.data() + n * matrix.outerStride()),
        row_bytes);
}

}  // namespace

absl::Span<const std::int64_t> ShapeOf(const v1::Tensor& tensor) {
  return absl::MakeConstSpan(tensor.shape().data(), tensor.shape_size());
}

std::string ShapeText(absl::Span<const std::int64_t> shape) {
  constexpr std::size_t kMost = 8;
  return absl::StrCat("[", absl::StrJoin(shape.subspan(0, kMost), ", "),
                      shape.size() > kMost ? ", ...]" : "]");
}

std::string PlaceText(absl::Span<const std::int64_t> shape, std::int64_t flat) {
  std::string text;
  for (std::size_t i = shape.size(); i > 0; --i) {
    text = absl::StrCat("[", flat % shape[i - 1], "]", text);
    flat /= shape[i - 1];
  }
  return text;
}

absl::StatusOr<std::int64_t> CountElements(absl::Span<const std::int64_t> shape,
                                           absl::string_view field) {
  std::int64_t elements = 1;
  bool empty = false, overflow = false;
  for (std::int64_t length : shape) {
    if (length < 0)
      return FieldError(absl::StrCat(field, ".shape"), "INVALID_SHAPE",
                        absl::StrCat("is ", ShapeText(shape),
                                     "; no dimension may be negative"));
    empty = empty || length == 0;
    overflow = __builtin_mul_overflow(elements, length, &elements) || overflow;
  }
  if (empty) return 0;
  if (overflow)
    return FieldError(absl::StrCat(field, ".shape"), "INVALID_SHAPE",
                      absl::StrCat("is ", ShapeText(shape),
                                   "; that many elements cannot be"));
  return elements;
}

absl::StatusOr<std::int64_t> CheckTensor(const v1::Tensor& tensor,
                                         absl::string_view field) {
  const absl::StatusOr<std::int64_t> elements =
      CountElements(ShapeOf(tensor), field);
  if (!elements.ok()) return elements;
  if (tensor.values().empty() && tensor.data().empty()) {
    if (*elements > 0)
      return FieldError(field, "INVALID_TENSOR",
                        absl::StrCat("has neither data nor values; shape ",
                                     ShapeText(ShapeOf(tensor)), " needs ",
                                     *elements, " elements"));
    return elements;
  }
  const absl::Status status = tensor.values().empty()
                                  ? CheckData(tensor, field, *elements)
                                  : CheckValues(tensor, field, *elements);
  if (!status.ok()) return status;
  return elements;
}

absl::Status DecodeElements(const v1::Tensor& tensor, absl::string_view field,
                            absl::Span<const std::uint8_t> observed,
                            std::vector<float>& values, Elements kind) {
  if (tensor.data().empty()) {
    values.assign(tensor.values().begin(), tensor.values().end());
    return absl::OkStatus();
  }
  const std::string& data = tensor.data();
  switch (tensor.element_type()) {
    case v1::ELEMENT_TYPE_UINT8:
      if (kind == Elements::kSymbols)
        return FieldError(absl::StrCat(field, ".element_type"),
                          "INVALID_ELEMENT_TYPE",
                          "is ELEMENT_TYPE_UINT8, whose bytes b are grey "
                          "levels b / 255; send symbols as "
                          "ELEMENT_TYPE_INT32");
      values.resize(data.size());
      for (std::size_t i = 0; i < data.size(); ++i)
        values[i] =
            static_cast<float>(static_cast<unsigned char>(data[i])) / 255.0f;
      return absl::OkStatus();
    case v1::ELEMENT_TYPE_FLOAT64: {
      const std::int64_t bad = ConvertElements<double>(
          data, observed,
          [](double from, float& to) {
            to = static_cast<float>(from);
            return !std::isinf(to) || std::isinf(from);
          },
          values);
      if (bad < 0) return absl::OkStatus();
      return ElementError(tensor, field, bad,
                          absl::StrCat("is ", Load<double>(data, bad),
                                       "; it must fit into a float32"));
    }
    case v1::ELEMENT_TYPE_INT32: {
      const std::int64_t bad = ConvertElements<std::int32_t>(
          data, observed,
          [kind](std::int32_t from, float& to) {
            to = static_cast<float>(from);
            return kind == Elements::kSymbols || from == 0 || from == 1;
          },
          values);
      if (bad < 0) return absl::OkStatus();
      return ElementError(
          tensor, field, bad,
          absl::StrCat("is ", Load<std::int32_t>(data, bad),
                       "; ELEMENT_TYPE_INT32 is for 0 and 1, send grey levels "
                       "as ELEMENT_TYPE_UINT8 and real numbers as "
                       "ELEMENT_TYPE_FLOAT32"));
    }
    default:
      values.resize(data.size() / sizeof(float));
      std::memcpy(values.data(), data.data(), data.size());
      return absl::OkStatus();
  }
}

absl::StatusOr<RowMatrix<float>> DecodeParameters(
    const v1::Tensor& tensor, absl::string_view field,
    absl::Span<const std::int64_t> expected, Index columns) {
  if (ShapeOf(tensor) != expected)
    return FieldError(absl::StrCat(field, ".shape"), "INVALID_SHAPE",
                      absl::StrCat("is ", ShapeText(ShapeOf(tensor)),
                                   "; must be ", ShapeText(expected)));
  const absl::StatusOr<std::int64_t> elements = CheckTensor(tensor, field);
  if (!elements.ok()) return elements.status();
  if (!tensor.data().empty() &&
      tensor.element_type() != v1::ELEMENT_TYPE_FLOAT32)
    return FieldError(absl::StrCat(field, ".element_type"),
                      "INVALID_ELEMENT_TYPE",
                      absl::StrCat("is ", TypeText(tensor.element_type()),
                                   "; parameters are ELEMENT_TYPE_FLOAT32"));
  assert(columns > 0 && *elements % columns == 0);
  RowMatrix<float> values(*elements / columns, columns);
  if (tensor.data().empty()) {
    std::copy(tensor.values().begin(), tensor.values().end(), values.data());
  } else {
    std::memcpy(values.data(), tensor.data().data(), tensor.data().size());
  }
  return values;
}

void EncodeTensor(ConstRowMatrixRef<float> matrix, v1::Tensor* tensor,
                  absl::Span<const std::int64_t> shape) {
  Encode<float>(matrix, v1::ELEMENT_TYPE_FLOAT32, shape, tensor);
}

void EncodeTensor(ConstRowMatrixRef<double> matrix, v1::Tensor* tensor,
                  absl::Span<const std::int64_t> shape) {
  Encode<double>(matrix, v1::ELEMENT_TYPE_FLOAT64, shape, tensor);
}

void EncodeSymbols(ConstRowMatrixRef<float> matrix, v1::Tensor* tensor,
                   absl::Span<const std::int64_t> shape) {
  const RowMatrix<std::int32_t> symbols = matrix.cast<std::int32_t>();
  Encode<std::int32_t>(symbols, v1::ELEMENT_TYPE_INT32, shape, tensor);
}

}  // namespace poe::server
