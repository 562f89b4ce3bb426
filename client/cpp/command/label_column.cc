#include "client/cpp/command/label_column.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/data_set.h"
#include "client/cpp/command/sequences.h"
#include "core/io/data_file.h"

namespace poe::client {
namespace {

// The column of a table that an option names, by its heading or its number
// from 1 on.
absl::StatusOr<int64_t> FindColumn(const DataFile& file,
                                   const std::string& column,
                                   const std::string& path) {
  const auto& names = file.column_names;
  const auto found = std::find(names.begin(), names.end(), column);
  if (found != names.end()) return found - names.begin();
  int64_t number = 0;
  if (absl::SimpleAtoi(column, &number) && number >= 1 &&
      number <= file.columns()) {
    return number - 1;
  }
  return UsageError(absl::StrCat(
      path, " has no column \"", column, "\"; it has ",
      names.empty() ? absl::StrCat("the numbers 1 to ", file.columns())
                    : absl::StrJoin(names, ", ")));
}

absl::StatusOr<std::vector<int64_t>> ColumnLabels(const DataFile& file,
                                                  int64_t column,
                                                  const std::string& path) {
  std::vector<int64_t> labels;
  labels.reserve(file.rows());
  absl::Status status;
  std::visit(
      [&](const auto& values) {
        for (int64_t row = 0; row < file.rows(); ++row) {
          const auto value = values[row * file.columns() + column];
          // Beyond 2^53 not every whole number is a double.
          const bool whole = std::abs(static_cast<double>(value)) <= 0x1p53 &&
                             value == std::trunc(value);
          if (!whole) {
            status = absl::InvalidArgumentError(
                absl::StrCat(path, ": the label of row ", row, " is ", value,
                             ", expected a whole number"));
            return;
          }
          labels.push_back(static_cast<int64_t>(value));
        }
      },
      file.values);
  if (!status.ok()) return status;
  return labels;
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> TakeLabelColumn(const DataOptions& options,
                                                     DataFile& data) {
  if (!options.labels.empty() || options.label_column.empty()) {
    return std::vector<int64_t>();
  }
  const absl::StatusOr<int64_t> column =
      FindColumn(data, options.label_column, options.data);
  if (!column.ok()) return column.status();
  absl::StatusOr<std::vector<int64_t>> labels =
      ColumnLabels(data, *column, options.data);
  RemoveColumn(*column, data);
  return labels;
}

absl::StatusOr<std::vector<int64_t>> ReadLabelFile(const DataOptions& options,
                                                   int64_t count,
                                                   absl::string_view noun) {
  const absl::StatusOr<DataFile> file = ReadDataFile(options.labels);
  if (!file.ok()) return file.status();
  if (file->rows() != count) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.labels, " has ", file->rows(), " labels, ",
                     options.data, " ", count, " ", noun));
  }
  absl::StatusOr<int64_t> column = 0;
  if (!options.label_column.empty()) {
    column = FindColumn(*file, options.label_column, options.labels);
    if (!column.ok()) return column.status();
  } else if (file->columns() != 1) {
    return UsageError(absl::StrCat(options.labels, " has ", file->columns(),
                                   " columns; choose one by --label-column"));
  }
  return ColumnLabels(*file, *column, options.labels);
}

}  // namespace poe::client
