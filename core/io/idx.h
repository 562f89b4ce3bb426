#ifndef POE_IO_IDX_H_
#define POE_IO_IDX_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/io/data_file.h"
#include "core/io/elements.h"

namespace poe {

// The first two bytes of an IDX file.
inline constexpr absl::string_view kIdxMagic("\0\0", 2);

// Reads an IDX file (the format of MNIST, unpacked) from its bytes:
//   2 bytes  0
//   1 byte   element type: 0x08 unsigned byte, 0x09 signed byte, 0x0B short,
//            0x0C int, 0x0D float, 0x0E double
//   1 byte   number of dimensions, at least 1
//   4 bytes  for each dimension, its length, unsigned
//   the elements, row-major
// all big-endian. INVALID_ARGUMENT, with what is wrong, for any other bytes,
// too few or too many included. Memory is at most 8 times the input.
absl::StatusOr<DataFile> ParseIdx(absl::string_view bytes);

// The same of the header alone; what `bytes` has of the elements is not looked
// at.
absl::StatusOr<ElementLayout> ParseIdxLayout(absl::string_view bytes);

}  // namespace poe

#endif  // POE_IO_IDX_H_
