#include "core/io/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/io/file_bytes.h"
#include "core/io/npy_header.h"

namespace poe {
namespace {

// The magic bytes, two of version, and the header's length: two bytes in
// version 1, four later.
constexpr size_t kVersionEnd = 8;
constexpr size_t kPrefixBytesOfVersion1 = 10;
// numpy pads the header so that the elements begin at such a multiple.
constexpr size_t kAlignment = 64;

std::optional<ElementType> TypeOfDescr(absl::string_view descr) {
  if (descr == "|u1" || descr == "<u1") return ElementType::kUint8;
  if (descr == "|i1" || descr == "<i1") return ElementType::kInt8;
  if (descr == "<i2") return ElementType::kInt16;
  if (descr == "<i4") return ElementType::kInt32;
  if (descr == "<i8") return ElementType::kInt64;
  if (descr == "<f4") return ElementType::kFloat32;
  if (descr == "<f8") return ElementType::kFloat64;
  return std::nullopt;
}

template <typename T>
absl::Status Write(const std::string& path, absl::string_view descr,
                   absl::Span<const int64_t> shape,
                   absl::Span<const T> values) {
  const absl::StatusOr<int64_t> count = ElementCount(shape);
  if (!count.ok()) return count.status();
  if (static_cast<uint64_t>(*count) != values.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot write ", path, ": shape (", absl::StrJoin(shape, ", "),
        ") has ", *count, " elements, but ", values.size(), " are given"));
  }
  std::string header = absl::StrCat(
      "{'descr': '", descr, "', 'fortran_order': False, 'shape': (",
      absl::StrJoin(shape, ", "), shape.size() == 1 ? "," : "", "), }");
  const size_t unpadded = kPrefixBytesOfVersion1 + header.size() + 1;
  header.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  header.push_back('\n');
  if (header.size() > 0xFFFF) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot write ", path, ": ", shape.size(), " dimensions are too many"));
  }
  std::string bytes =
      absl::StrCat(kNpyMagic, absl::string_view("\x01\x00", 2),
                   std::string{static_cast<char>(header.size() & 0xFF),
                               static_cast<char>(header.size() >> 8)},
                   header);
  bytes.reserve(bytes.size() + values.size() * sizeof(T));
  for (const T value : values) {
    auto element = std::bit_cast<std::array<char, sizeof(T)>>(value);
    if constexpr (std::endian::native != std::endian::little) {
      std::reverse(element.begin(), element.end());
    }
    bytes.append(element.data(), element.size());
  }
  return WriteFileBytes(path, bytes);
}

}  // namespace

absl::StatusOr<ElementLayout> ParseNpyLayout(absl::string_view bytes) {
  if (!absl::StartsWith(bytes, kNpyMagic)) {
    return absl::InvalidArgumentError(
        "is not an NPY file: it does not begin with \\x93NUMPY");
  }
  if (bytes.size() < kVersionEnd) {
    return absl::InvalidArgumentError(
        "NPY header is cut off before its version");
  }
  const int version = static_cast<uint8_t>(bytes[6]);
  const int minor = static_cast<uint8_t>(bytes[7]);
  if (version < 1 || version > 3 || minor != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("NPY version ", version, ".", minor,
                     " is unknown; known are 1.0, 2.0 and 3.0"));
  }
  const size_t prefix = kVersionEnd + (version == 1 ? 2 : 4);
  if (bytes.size() < prefix) {
    return absl::InvalidArgumentError(
        "NPY header is cut off before its length");
  }
  uint64_t length = 0;
  for (size_t i = prefix; i-- > kVersionEnd;) {
    length = length * 256 + static_cast<uint8_t>(bytes[i]);
  }
  bytes.remove_prefix(prefix);
  if (bytes.size() < length) {
    return absl::InvalidArgumentError(
        absl::StrCat("NPY header is cut off: it should have ", length,
                     " bytes, but ", bytes.size(), " are left"));
  }
  absl::StatusOr<NpyHeader> header = ParseNpyHeader(bytes.substr(0, length));
  if (!header.ok()) return header.status();
  const std::optional<ElementType> type = TypeOfDescr(header->descr);
  if (!type.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "NPY element type '", absl::CEscape(header->descr),
        "' is not read; convert with astype to one of |u1, |i1, <i2, <i4, "
        "<i8, <f4 and <f8"));
  }
  if (header->fortran_order) {
    return absl::InvalidArgumentError(
        "NPY array is in Fortran order; save numpy.ascontiguousarray of it");
  }
  return ElementLayout{.shape = std::move(header->shape),
                       .type = *type,
                       .order = std::endian::little,
                       .begin = prefix + length};
}

absl::StatusOr<DataFile> ParseNpy(absl::string_view bytes) {
  absl::StatusOr<ElementLayout> layout = ParseNpyLayout(bytes);
  if (!layout.ok()) return layout.status();
  return DecodeElements(std::move(layout->shape), layout->type, layout->order,
                        bytes.substr(layout->begin));
}

absl::Status WriteNpy(const std::string& path, absl::Span<const int64_t> shape,
                      absl::Span<const float> values) {
  return Write(path, "<f4", shape, values);
}

absl::Status WriteNpy(const std::string& path, absl::Span<const int64_t> shape,
                      absl::Span<const double> values) {
  return Write(path, "<f8", shape, values);
}

absl::Status WriteNpy(const std::string& path, absl::Span<const int64_t> shape,
                      absl::Span<const int64_t> values) {
  return Write(path, "<i8", shape, values);
}

}  // namespace poe
