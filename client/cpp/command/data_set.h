#ifndef POE_CLIENT_CPP_COMMAND_DATA_SET_H_
#define POE_CLIENT_CPP_COMMAND_DATA_SET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "poe/v1/tensor.pb.h"

namespace poe::client {

// Which rows of which files.
struct DataOptions {
  std::string data;
  std::string labels;
  std::string label_column;
  std::string rows;
};

// Adds --data (required) and --rows, and the options for labels if asked for.
void AddDataOptions(CLI::App& command, DataOptions& options, bool with_labels);

// How a model reads a file.
struct DataForm {
  bool sequential = false;
  // Whole numbers are symbols, bytes included.
  bool symbols = false;
  // Some columns have any numbers beside those symbols.
  bool real_inputs = false;
};
DataForm FormOf(const v1::DataSpec& spec);

// Observations as they are sent to the server: rows, or sequences of rows.
struct DataSet {
  // Bytes stay bytes (symbols become integers or numbers), NaN becomes a
  // missing value.
  v1::Observations observations;
  // Number of observations, and of the rows of all sequences together.
  int64_t rows = 0;
  int64_t frames = 0;
  int64_t dimension = 0;
  // Number in the file of the first observation.
  int64_t first_row = 0;
  // True if the values are grey levels, one byte each.
  bool grey_levels = false;
  // Of images, where the file has them as such; else 0.
  int image_height = 0;
  int image_width = 0;
  // Of the D columns; or empty.
  std::vector<std::string> column_names;
  // One for each observation; or empty.
  std::vector<int64_t> labels;
};

// Reads files; see TakeSequences for those of sequences. Errors name the file;
// a column or rows that do not exist are usage errors.
absl::StatusOr<DataSet> ReadDataSet(const DataOptions& options,
                                    const DataForm& form = {});

// Rows "FIRST:END" (FIRST to END - 1, either may be left out) or "ROW" of
// `rows`, as [begin, end). A usage error for anything else, no row included.
struct RowRange {
  int64_t begin;
  int64_t end;
};
absl::StatusOr<RowRange> ParseRows(const std::string& text, int64_t rows);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_DATA_SET_H_
