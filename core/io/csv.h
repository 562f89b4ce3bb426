#ifndef POE_IO_CSV_H_
#define POE_IO_CSV_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/io/data_file.h"

namespace poe {

// Reads a table of numbers from text: one row a line, each with the same
// number of cells. The result is double with two dimensions, lines x cells.
//
// - Cells are separated by tabs if the first line has one, else by semicolons
//   if it has one, else by commas; separators in quotes do not count.
// - A cell is a finite number with a decimal point; empty (white space
//   aside) or `nan`, it is a missing value: NaN.
// - The first line is a header if it has a name and no number. A name is text
//   that is not a number, or any text in double quotes ("" within them is one
//   quote); only names may be quoted.
// - Lines end in LF or CR LF. Empty lines at the end and a UTF-8 byte-order
//   mark are ignored; any other empty line is a row of one missing value, of
//   which at most 2^20 may follow each other.
//
// INVALID_ARGUMENT, naming line and column (both from 1), for any other text.
// Memory is proportional to the input.
absl::StatusOr<DataFile> ParseCsv(absl::string_view text);

// The same line by line. Not thread-safe.
class CsvParser {
 public:
  // Takes the next line, without its LF. After an error the parser can only be
  // destroyed.
  absl::Status Add(absl::string_view line);

  // 0 as long as there was no line but empty ones.
  int64_t columns() const { return columns_; }
  // Those that Take would return. Empty lines are rows once another follows.
  int64_t rows() const { return rows_; }
  // The rows since it was last called; the names of the columns each time.
  DataFile Take();

 private:
  absl::Status AddLine(absl::string_view line);

  // Empty lines that have come last, and the number of those before them.
  int64_t empty_lines_ = 0;
  int64_t lines_ = 0;
  char separator_ = ',';
  int64_t columns_ = 0;
  int64_t rows_ = 0;
  std::vector<double> values_;
  std::vector<std::string> column_names_;
};

}  // namespace poe

#endif  // POE_IO_CSV_H_
