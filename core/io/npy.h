#ifndef POE_IO_NPY_H_
#define POE_IO_NPY_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/io/data_file.h"
#include "core/io/elements.h"

namespace poe {

// The first bytes of an NPY file.
inline constexpr absl::string_view kNpyMagic("\x93NUMPY", 6);

// Reads what numpy.save writes, versions 1 to 3 of the format, from its
// bytes. Element types uint8, int8, int16, int32, int64, float32 and float64,
// little-endian, in C order, with at least one dimension. INVALID_ARGUMENT,
// with what is wrong, for any other bytes, too few or too many included.
// Memory is at most 8 times the input.
absl::StatusOr<DataFile> ParseNpy(absl::string_view bytes);

// The same of the header alone; what `bytes` has of the elements is not looked
// at.
absl::StatusOr<ElementLayout> ParseNpyLayout(absl::string_view bytes);

// Writes an array that numpy.load reads: `values` row-major, float32, float64
// or int64. INVALID_ARGUMENT if the shape has no dimension or its product is
// not the number of values; the errors of WriteFileBytes.
absl::Status WriteNpy(const std::string& path, absl::Span<const int64_t> shape,
                      absl::Span<const float> values);
absl::Status WriteNpy(const std::string& path, absl::Span<const int64_t> shape,
                      absl::Span<const double> values);
absl::Status WriteNpy(const std::string& path, absl::Span<const int64_t> shape,
                      absl::Span<const int64_t> values);

}  // namespace poe

#endif  // POE_IO_NPY_H_
