#include "client/cpp/command/data_set.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "client/cpp/command/context.h"
#include "client/cpp/io/data_file.h"
#include "client/cpp/tensor.h"

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

// Takes a column out of a table.
void RemoveColumn(int64_t column, DataFile& file) {
  const int64_t columns = file.columns();
  std::visit(
      [&](auto& values) {
        int64_t index = 0;
        std::erase_if(values,
                      [&](const auto&) { return index++ % columns == column; });
      },
      file.values);
  file.shape = {file.rows(), columns - 1};
  if (!file.column_names.empty()) {
    file.column_names.erase(file.column_names.begin() + column);
  }
}

// The labels, from their own file or a column of `data` that is taken out.
absl::StatusOr<std::vector<int64_t>> ReadLabels(const DataOptions& options,
                                                DataFile& data) {
  if (options.labels.empty()) {
    if (options.label_column.empty()) return std::vector<int64_t>();
    const absl::StatusOr<int64_t> column =
        FindColumn(data, options.label_column, options.data);
    if (!column.ok()) return column.status();
    absl::StatusOr<std::vector<int64_t>> labels =
        ColumnLabels(data, *column, options.data);
    RemoveColumn(*column, data);
    return labels;
  }
  const absl::StatusOr<DataFile> file = ReadDataFile(options.labels);
  if (!file.ok()) return file.status();
  if (file->rows() != data.rows()) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.labels, " has ", file->rows(), " labels, ",
                     options.data, " ", data.rows(), " rows"));
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

// One byte for each value, 0 where it is NaN; empty if none is.
template <typename Value>
std::string MaskOf(absl::Span<const Value> values) {
  std::string mask;
  if constexpr (std::is_floating_point_v<Value>) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (!std::isnan(values[i])) continue;
      if (mask.empty()) mask.assign(values.size(), 1);
      mask[i] = 0;
    }
  }
  return mask;
}

v1::Observations MakeRows(const DataFile& file, const RowRange& range) {
  v1::Observations observations;
  const std::vector<int64_t> shape = {range.end - range.begin, file.columns()};
  const auto fill = [&](const auto& values) {
    using Value = typename std::decay_t<decltype(values)>::value_type;
    const auto part = absl::MakeConstSpan(values).subspan(
        range.begin * file.columns(), shape[0] * shape[1]);
    if constexpr (std::is_same_v<Value, int64_t>) {
      *observations.mutable_dense() =
          MakeTensor(shape, std::vector<double>(part.begin(), part.end()));
    } else {
      *observations.mutable_dense() = MakeTensor(shape, part);
    }
    observations.set_mask(MaskOf(part));
  };
  std::visit(fill, file.values);
  return observations;
}

}  // namespace

void AddDataOptions(CLI::App& command, DataOptions& options, bool with_labels) {
  constexpr char kGroup[] = "Data";
  command
      .add_option("--data", options.data,
                  "The rows: an IDX, NPY or CSV file, plain or gzipped. Bytes "
                  "b are grey levels b / 255. An empty cell of a CSV file, "
                  "like NaN, is a missing value.")
      ->type_name("FILE")
      ->required()
      ->group(kGroup);
  command
      .add_option("--rows", options.rows,
                  "Only rows FIRST to END - 1, counted from 0. Either may be "
                  "left out.")
      ->type_name("FIRST:END")
      ->group(kGroup);
  if (!with_labels) return;
  command
      .add_option("--labels", options.labels,
                  "The label of each row, a whole number: an IDX, NPY or CSV "
                  "file.")
      ->type_name("FILE")
      ->group(kGroup);
  command
      .add_option("--label-column", options.label_column,
                  "The column of a CSV file that has the labels, by its "
                  "heading or its number from 1 on: of the file of --labels "
                  "or, without that, of --data.")
      ->type_name("NAME")
      ->group(kGroup);
}

absl::StatusOr<DataSet> ReadDataSet(const DataOptions& options) {
  absl::StatusOr<DataFile> file = ReadDataFile(options.data);
  if (!file.ok()) return file.status();
  absl::StatusOr<std::vector<int64_t>> labels = ReadLabels(options, *file);
  if (!labels.ok()) return labels.status();
  if (file->rows() == 0 || file->columns() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.data, " has no values"));
  }
  const absl::StatusOr<RowRange> range = ParseRows(options.rows, file->rows());
  if (!range.ok()) return range.status();
  DataSet set;
  set.observations = MakeRows(*file, *range);
  set.rows = range->end - range->begin;
  set.dimension = file->columns();
  set.first_row = range->begin;
  set.grey_levels = std::holds_alternative<std::vector<uint8_t>>(file->values);
  const int64_t most = std::numeric_limits<int32_t>::max();
  if (file->shape.size() == 3 && file->columns() <= most) {
    set.image_height = static_cast<int>(file->shape[1]);
    set.image_width = static_cast<int>(file->shape[2]);
  }
  set.column_names = std::move(file->column_names);
  if (!labels->empty()) {
    set.labels.assign(labels->begin() + range->begin,
                      labels->begin() + range->end);
  }
  return set;
}

absl::StatusOr<RowRange> ParseRows(const std::string& text, int64_t rows) {
  RowRange range = {0, rows};
  const absl::string_view view = text;
  const size_t colon = view.find(':');
  const absl::string_view first = view.substr(0, colon);
  bool good = first.empty() || absl::SimpleAtoi(first, &range.begin);
  if (colon != absl::string_view::npos) {
    const absl::string_view end = view.substr(colon + 1);
    good = good && (end.empty() || absl::SimpleAtoi(end, &range.end));
  } else if (!first.empty()) {
    range.end = range.begin + 1;
  }
  if (!good || range.begin < 0 || range.begin >= range.end) {
    return UsageError(absl::StrCat("--rows ", text,
                                   " is not of the form FIRST:END, with FIRST "
                                   "less than END, or ROW"));
  }
  if (range.end > rows) {
    return UsageError(absl::StrCat("--rows ", text, " goes beyond the file's ",
                                   rows, " rows"));
  }
  return range;
}

}  // namespace poe::client
