#ifndef POE_IO_DATA_FILE_H_
#define POE_IO_DATA_FILE_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

namespace poe {

// The numbers of one file: a dense, row-major array whose first dimension
// counts the observations.
struct DataFile {
  // At least one dimension, each >= 0. A CSV file always has two.
  std::vector<int64_t> shape;

  // One value for each element of the array. Bytes stay bytes: b is the grey
  // level b / 255 or, in a file of labels, the label b. Integers of any other
  // width become int64. CSV values are double, missing ones NaN.
  std::variant<std::vector<uint8_t>, std::vector<float>, std::vector<double>,
               std::vector<int64_t>>
      values;

  // The names in a CSV file's header line, one for each column; else empty.
  std::vector<std::string> column_names;

  // The first dimension; 0 if there is no dimension.
  int64_t rows() const;

  // Values in a row: the product of all dimensions but the first, so 1 if
  // there is only one.
  int64_t columns() const;
};

// Reads an IDX, NPY or CSV file, each of them plain or gzipped. IDX and NPY
// are known by their first bytes; any other text is read as CSV.
//
// The whole file and its decoded values are in memory together for a moment.
// Errors name the path: NOT_FOUND or PERMISSION_DENIED and the like if it
// cannot be opened or read, DATA_LOSS if its compressed stream is damaged,
// INVALID_ARGUMENT if its contents are malformed (see ParseIdx, ParseNpy and
// ParseCsv) or are none of these formats.
absl::StatusOr<DataFile> ReadDataFile(const std::string& path);

}  // namespace poe

#endif  // POE_IO_DATA_FILE_H_
