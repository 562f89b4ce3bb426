#include "client/cpp/tensor.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"

namespace poe::client {
namespace {

// Tensors are little-endian on the wire and copied as they are.
static_assert(std::endian::native == std::endian::little);

template <typename Element>
v1::Tensor Encode(absl::Span<const int64_t> shape, v1::ElementType type,
                  absl::Span<const Element> values) {
  v1::Tensor tensor;
  tensor.mutable_shape()->Add(shape.begin(), shape.end());
  tensor.set_element_type(type);
  tensor.set_data(values.data(), values.size() * sizeof(Element));
  return tensor;
}

template <typename Element>
v1::Observations Encode(absl::Span<const Element> values, int64_t dimension,
                        absl::Span<const uint8_t> mask) {
  v1::Observations observations;
  *observations.mutable_dense() = MakeTensor(
      {static_cast<int64_t>(values.size()) / dimension, dimension}, values);
  observations.set_mask(mask.data(), mask.size());
  return observations;
}

template <typename Element>
v1::Observations Encode(absl::Span<const Element> values, int64_t dimension,
                        absl::Span<const int64_t> lengths,
                        absl::Span<const uint8_t> mask) {
  v1::Observations observations;
  v1::Sequences& sequences = *observations.mutable_sequences();
  *sequences.mutable_values() = MakeTensor(
      {static_cast<int64_t>(values.size()) / dimension, dimension}, values);
  sequences.mutable_lengths()->Add(lengths.begin(), lengths.end());
  observations.set_mask(mask.data(), mask.size());
  return observations;
}

template <typename Element, typename Value>
std::vector<Value> Decode(const std::string& data) {
  if (data.size() % sizeof(Element) != 0) return {};
  std::vector<Value> values(data.size() / sizeof(Element));
  for (size_t i = 0; i < values.size(); ++i) {
    Element element;
    std::memcpy(&element, data.data() + i * sizeof(Element), sizeof(Element));
    values[i] = static_cast<Value>(element);
  }
  return values;
}

template <typename Value>
std::vector<Value> DecodeAs(const v1::Tensor& tensor) {
  switch (tensor.element_type()) {
    case v1::ELEMENT_TYPE_FLOAT32:
      if (!tensor.values().empty()) break;
      return Decode<float, Value>(tensor.data());
    case v1::ELEMENT_TYPE_FLOAT64:
      return Decode<double, Value>(tensor.data());
    case v1::ELEMENT_TYPE_INT32:
      return Decode<int32_t, Value>(tensor.data());
    case v1::ELEMENT_TYPE_UINT8: {
      std::vector<Value> values = Decode<uint8_t, Value>(tensor.data());
      for (Value& value : values) value /= 255;
      return values;
    }
    default:
      break;
  }
  return {tensor.values().begin(), tensor.values().end()};
}

template <typename Value>
absl::StatusOr<std::vector<Value>> Values(const v1::Tensor& tensor) {
  int64_t count = 1;
  for (const int64_t length : tensor.shape()) {
    if (length < 0 || __builtin_mul_overflow(count, length, &count)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "bad tensor shape [", absl::StrJoin(tensor.shape(), ", "), "]"));
    }
  }
  if (tensor.shape().empty()) count = 0;
  std::vector<Value> values = DecodeAs<Value>(tensor);
  if (static_cast<int64_t>(values.size()) != count) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor of shape [", absl::StrJoin(tensor.shape(), ", "),
                     "] has ", values.size(), " elements"));
  }
  return values;
}

}  // namespace

v1::Tensor MakeTensor(absl::Span<const int64_t> shape,
                      absl::Span<const float> values) {
  return Encode(shape, v1::ELEMENT_TYPE_FLOAT32, values);
}

v1::Tensor MakeTensor(absl::Span<const int64_t> shape,
                      absl::Span<const double> values) {
  return Encode(shape, v1::ELEMENT_TYPE_FLOAT64, values);
}

v1::Tensor MakeTensor(absl::Span<const int64_t> shape,
                      absl::Span<const uint8_t> values) {
  return Encode(shape, v1::ELEMENT_TYPE_UINT8, values);
}

v1::Tensor MakeTensor(absl::Span<const int64_t> shape,
                      absl::Span<const int32_t> values) {
  return Encode(shape, v1::ELEMENT_TYPE_INT32, values);
}

v1::Observations MakeObservations(absl::Span<const float> values,
                                  int64_t dimension,
                                  absl::Span<const uint8_t> mask) {
  return Encode(values, dimension, mask);
}

v1::Observations MakeObservations(absl::Span<const uint8_t> values,
                                  int64_t dimension,
                                  absl::Span<const uint8_t> mask) {
  return Encode(values, dimension, mask);
}

v1::Observations MakeObservations(absl::Span<const int32_t> values,
                                  int64_t dimension,
                                  absl::Span<const uint8_t> mask) {
  return Encode(values, dimension, mask);
}

v1::Observations MakeSequences(absl::Span<const float> values,
                               int64_t dimension,
                               absl::Span<const int64_t> lengths,
                               absl::Span<const uint8_t> mask) {
  return Encode(values, dimension, lengths, mask);
}

v1::Observations MakeSequences(absl::Span<const int32_t> values,
                               int64_t dimension,
                               absl::Span<const int64_t> lengths,
                               absl::Span<const uint8_t> mask) {
  return Encode(values, dimension, lengths, mask);
}

const v1::Tensor& ValuesOf(const v1::Observations& observations) {
  return observations.has_sequences() ? observations.sequences().values()
                                      : observations.dense();
}

absl::StatusOr<std::vector<float>> TensorFloats(const v1::Tensor& tensor) {
  return Values<float>(tensor);
}

absl::StatusOr<std::vector<double>> TensorDoubles(const v1::Tensor& tensor) {
  return Values<double>(tensor);
}

int64_t RowCount(const v1::Observations& observations) {
  if (observations.has_sequences()) {
    return observations.sequences().lengths_size();
  }
  return observations.dense().shape().empty() ? 0
                                              : observations.dense().shape(0);
}

}  // namespace poe::client
