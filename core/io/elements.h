#ifndef POE_IO_ELEMENTS_H_
#define POE_IO_ELEMENTS_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/io/data_file.h"

namespace poe {

// The types of binary elements that the readers know.
enum class ElementType {
  kUint8,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat32,
  kFloat64,
};

// Bytes of an element.
size_t ElementSize(ElementType type);

// What the header of a file says of the array behind it.
struct ElementLayout {
  std::vector<int64_t> shape;
  ElementType type;
  std::endian order;
  // Bytes of the header.
  size_t begin;
};

// The number of elements of an array. INVALID_ARGUMENT if there is no
// dimension, one is negative, or the product of those that are not 0 does not
// fit in 63 bits.
absl::StatusOr<int64_t> ElementCount(absl::Span<const int64_t> shape);

// The data file of this shape whose elements are exactly `bytes`.
// INVALID_ARGUMENT if the shape is bad or needs another number of bytes;
// nothing is allocated before that is known.
absl::StatusOr<DataFile> DecodeElements(std::vector<int64_t> shape,
                                        ElementType type, std::endian order,
                                        absl::string_view bytes);

}  // namespace poe

#endif  // POE_IO_ELEMENTS_H_
