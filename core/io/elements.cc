#include "core/io/elements.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace poe {
namespace {

template <typename Stored, typename Value>
std::vector<Value> Decode(absl::string_view bytes, std::endian order) {
  std::vector<Value> values(bytes.size() / sizeof(Stored));
  const char* next = bytes.data();
  for (Value& value : values) {
    std::array<char, sizeof(Stored)> element;
    std::copy_n(next, sizeof(Stored), element.begin());
    next += sizeof(Stored);
    if (order != std::endian::native) {
      std::reverse(element.begin(), element.end());
    }
    value = static_cast<Value>(std::bit_cast<Stored>(element));
  }
  return values;
}

}  // namespace

size_t ElementSize(ElementType type) {
  switch (type) {
    case ElementType::kUint8:
    case ElementType::kInt8:
      return 1;
    case ElementType::kInt16:
      return 2;
    case ElementType::kInt32:
    case ElementType::kFloat32:
      return 4;
    case ElementType::kInt64:
    case ElementType::kFloat64:
      return 8;
  }
  return 1;
}

absl::StatusOr<int64_t> ElementCount(absl::Span<const int64_t> shape) {
  if (shape.empty()) {
    return absl::InvalidArgumentError(
        "holds a single number without a dimension, not rows of data");
  }
  int64_t product = 1;
  bool empty = false;
  for (const int64_t length : shape) {
    if (length < 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "shape (", absl::StrJoin(shape, ", "), ") has a negative dimension"));
    }
    empty |= length == 0;
    if (__builtin_mul_overflow(product, std::max<int64_t>(length, 1),
                               &product)) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape (", absl::StrJoin(shape, ", "),
                       ") has more elements than can be counted"));
    }
  }
  return empty ? 0 : product;
}

absl::StatusOr<DataFile> DecodeElements(std::vector<int64_t> shape,
                                        ElementType type, std::endian order,
                                        absl::string_view bytes) {
  const absl::StatusOr<int64_t> count = ElementCount(shape);
  if (!count.ok()) return count.status();
  const size_t size = ElementSize(type);
  if (bytes.size() % size != 0 ||
      bytes.size() / size != static_cast<uint64_t>(*count)) {
    return absl::InvalidArgumentError(
        absl::StrCat("shape (", absl::StrJoin(shape, ", "), ") needs ", *count,
                     " elements of ", size, " bytes, but ", bytes.size(),
                     " bytes follow the header"));
  }
  DataFile file;
  file.shape = std::move(shape);
  switch (type) {
    case ElementType::kUint8:
      file.values = Decode<uint8_t, uint8_t>(bytes, order);
      break;
    case ElementType::kInt8:
      file.values = Decode<int8_t, int64_t>(bytes, order);
      break;
    case ElementType::kInt16:
      file.values = Decode<int16_t, int64_t>(bytes, order);
      break;
    case ElementType::kInt32:
      file.values = Decode<int32_t, int64_t>(bytes, order);
      break;
    case ElementType::kInt64:
      file.values = Decode<int64_t, int64_t>(bytes, order);
      break;
    case ElementType::kFloat32:
      file.values = Decode<float, float>(bytes, order);
      break;
    case ElementType::kFloat64:
      file.values = Decode<double, double>(bytes, order);
      break;
  }
  return file;
}

}  // namespace poe
