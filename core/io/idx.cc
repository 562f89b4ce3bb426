#include "core/io/idx.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace poe {
namespace {

constexpr size_t kPrefixBytes = 4;
constexpr size_t kLengthBytes = 4;

std::optional<ElementType> TypeOfCode(uint8_t code) {
  switch (code) {
    case 0x08:
      return ElementType::kUint8;
    case 0x09:
      return ElementType::kInt8;
    case 0x0B:
      return ElementType::kInt16;
    case 0x0C:
      return ElementType::kInt32;
    case 0x0D:
      return ElementType::kFloat32;
    case 0x0E:
      return ElementType::kFloat64;
    default:
      return std::nullopt;
  }
}

}  // namespace

absl::StatusOr<ElementLayout> ParseIdxLayout(absl::string_view bytes) {
  if (!absl::StartsWith(bytes, kIdxMagic)) {
    return absl::InvalidArgumentError(
        "is not an IDX file: its first two bytes are not 0");
  }
  if (bytes.size() < kPrefixBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("IDX header is cut off: ", bytes.size(),
                     " bytes where the magic number has ", kPrefixBytes));
  }
  const uint8_t code = static_cast<uint8_t>(bytes[2]);
  const std::optional<ElementType> type = TypeOfCode(code);
  if (!type.has_value()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "IDX element type 0x%02x is unknown; known are 0x08, 0x09, 0x0b, "
        "0x0c, 0x0d and 0x0e",
        code));
  }
  const size_t rank = static_cast<uint8_t>(bytes[3]);
  bytes.remove_prefix(kPrefixBytes);
  if (bytes.size() < rank * kLengthBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "IDX header is cut off: the lengths of ", rank, " dimensions take ",
        rank * kLengthBytes, " bytes, but ", bytes.size(), " are left"));
  }
  std::vector<int64_t> shape(rank);
  for (int64_t& length : shape) {
    for (size_t i = 0; i < kLengthBytes; ++i) {
      length = length * 256 + static_cast<uint8_t>(bytes[i]);
    }
    bytes.remove_prefix(kLengthBytes);
  }
  return ElementLayout{.shape = std::move(shape),
                       .type = *type,
                       .order = std::endian::big,
                       .begin = kPrefixBytes + rank * kLengthBytes};
}

absl::StatusOr<DataFile> ParseIdx(absl::string_view bytes) {
  absl::StatusOr<ElementLayout> layout = ParseIdxLayout(bytes);
  if (!layout.ok()) return layout.status();
  return DecodeElements(std::move(layout->shape), layout->type, layout->order,
                        bytes.substr(layout->begin));
}

}  // namespace poe
