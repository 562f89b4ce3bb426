#ifndef POE_IO_DATA_FILE_READER_H_
#define POE_IO_DATA_FILE_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/io/csv.h"
#include "core/io/data_file.h"
#include "core/io/elements.h"
#include "core/io/file_reader.h"

namespace poe {

// The rows of a file that ReadDataFile reads, a piece at a time: in memory are
// a piece and at most a megabyte more, or a line of text if that is longer.
// Errors are those of ReadDataFile. Not thread-safe.
class DataFileReader {
 public:
  // Of an open file, which is closed with the object or at once. Its name says
  // what it is (see DetectFormat) and stands before errors.
  static absl::StatusOr<DataFileReader> Open(int descriptor, std::string name);

  // Values in a row.
  std::int64_t columns() const { return columns_; }

  // The next `rows` rows (from 1 to 2^31), or as many as are left: fewer only
  // at the end. More where empty lines of a CSV file turn out to be rows, of
  // one missing value each: up to 2^20 more.
  absl::StatusOr<DataFile> Read(std::int64_t rows);

 private:
  DataFileReader(FileReader file, std::string name);

  absl::Status ReadHeader();
  absl::StatusOr<DataFile> ReadElements(std::int64_t rows);
  // Gives lines to csv_ until it knows the number of columns and has that many
  // rows, or until the end.
  absl::Status ReadLines(std::int64_t rows);
  // Brings buffer_ to this size, if there are as many bytes.
  absl::Status Fill(std::size_t size);
  absl::Status WithName(const absl::Status& status) const;

  FileReader file_;
  std::string name_;
  std::int64_t columns_ = 0;
  // What has been read of the file and not been returned, from begin_ on.
  std::string buffer_;
  std::size_t begin_ = 0;
  bool at_end_ = false;
  // Of an IDX or NPY file; its elements take so many bytes a row.
  std::optional<ElementLayout> layout_;
  std::size_t row_bytes_ = 0;
  std::int64_t rows_left_ = 0;
  // Of any other.
  CsvParser csv_;
};

}  // namespace poe

#endif  // POE_IO_DATA_FILE_READER_H_
