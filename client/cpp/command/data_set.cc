#include "client/cpp/command/data_set.h"

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
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/label_column.h"
#include "client/cpp/command/sequences.h"
#include "client/cpp/tensor.h"
#include "core/io/data_file.h"

namespace poe::client {
namespace {

// A file as a table of rows, and the observations in it.
struct DataTable {
  DataFile file;
  // The first row of each observation and, last, the number of rows.
  std::vector<int64_t> starts;
  // One for each observation; or empty.
  std::vector<int64_t> labels;
};

absl::StatusOr<DataTable> ReadTable(const DataOptions& options,
                                    const DataForm& form) {
  absl::StatusOr<DataFile> file = ReadDataFile(options.data);
  if (!file.ok()) return file.status();
  absl::StatusOr<std::vector<int64_t>> labels = TakeLabelColumn(options, *file);
  if (!labels.ok()) return labels.status();
  DataTable table;
  table.starts.push_back(0);
  if (form.sequential) {
    const absl::StatusOr<std::vector<int64_t>> lengths =
        TakeSequences(options.data, *file);
    if (!lengths.ok()) return lengths.status();
    for (const int64_t length : *lengths) {
      table.starts.push_back(table.starts.back() + length);
    }
    if (!labels->empty()) {
      labels = LabelsOfSequences(options.data, *labels, *lengths);
      if (!labels.ok()) return labels.status();
    }
  } else {
    for (int64_t row = 0; row < file->rows(); ++row) {
      table.starts.push_back(row + 1);
    }
  }
  if (!options.labels.empty()) {
    labels = ReadLabelFile(options, table.starts.size() - 1,
                           form.sequential ? "sequences" : "rows");
    if (!labels.ok()) return labels.status();
  }
  if (file->rows() == 0 || file->columns() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.data, " has no values"));
  }
  table.labels = *std::move(labels);
  table.file = *std::move(file);
  return table;
}

// One byte for each value of rows `begin` to `end` - 1, 0 where it is NaN;
// empty if none is.
std::string MaskOf(const DataFile& file, int64_t begin, int64_t end) {
  std::string mask;
  const auto fill = [&](const auto& values) {
    using Value = typename std::decay_t<decltype(values)>::value_type;
    if constexpr (std::is_floating_point_v<Value>) {
      const int64_t first = begin * file.columns();
      const int64_t size = (end - begin) * file.columns();
      for (int64_t i = 0; i < size; ++i) {
        if (!std::isnan(values[first + i])) continue;
        if (mask.empty()) mask.assign(size, 1);
        mask[i] = 0;
      }
    }
  };
  std::visit(fill, file.values);
  return mask;
}

template <typename Value>
absl::StatusOr<v1::Tensor> MakeSymbols(absl::Span<const int64_t> shape,
                                       absl::Span<const Value> values) {
  for (const Value value : values) {
    if (static_cast<int64_t>(static_cast<int32_t>(value)) == value) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the value ", value, " is too large for a symbol"));
  }
  return MakeTensor(shape, std::vector<int32_t>(values.begin(), values.end()));
}

// Rows `begin` to `end` - 1 of a table.
absl::StatusOr<v1::Tensor> MakeRows(const DataFile& file, int64_t begin,
                                    int64_t end, const DataForm& form) {
  const std::vector<int64_t> shape = {end - begin, file.columns()};
  const auto make = [&](const auto& values) -> absl::StatusOr<v1::Tensor> {
    using Value = typename std::decay_t<decltype(values)>::value_type;
    const auto part = absl::MakeConstSpan(values).subspan(
        begin * file.columns(), shape[0] * shape[1]);
    if constexpr (std::is_integral_v<Value>) {
      if (form.symbols && !form.real_inputs) return MakeSymbols(shape, part);
    }
    if constexpr (std::is_same_v<Value, uint8_t>) {
      if (form.symbols) {
        return MakeTensor(shape, std::vector<float>(part.begin(), part.end()));
      }
    }
    if constexpr (std::is_same_v<Value, int64_t>) {
      return MakeTensor(shape, std::vector<double>(part.begin(), part.end()));
    } else {
      return MakeTensor(shape, part);
    }
  };
  return std::visit(make, file.values);
}

}  // namespace

void AddDataOptions(CLI::App& command, DataOptions& options, bool with_labels) {
  constexpr char kGroup[] = "Data";
  command
      .add_option("--data", options.data,
                  "The rows: an IDX, NPY or CSV file, plain or gzipped. Bytes "
                  "b are grey levels b / 255, or symbols. An empty cell of a "
                  "CSV file, like NaN, is a missing value. Sequences come as "
                  "an array of sequences x rows x columns, or as a CSV file "
                  "with a column named sequence: rows that follow each other "
                  "with the same value there are one.")
      ->type_name("FILE")
      ->required()
      ->group(kGroup);
  command
      .add_option("--rows", options.rows,
                  "Only rows FIRST to END - 1, counted from 0, or only those "
                  "sequences. Either may be left out.")
      ->type_name("FIRST:END")
      ->group(kGroup);
  if (!with_labels) return;
  command
      .add_option("--labels", options.labels,
                  "The label of each row or sequence, a whole number: an IDX, "
                  "NPY or CSV file.")
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

DataForm FormOf(const v1::DataSpec& spec) {
  return {.sequential = spec.sequential(),
          .symbols = spec.family() == v1::FAMILY_CATEGORICAL,
          .real_inputs = spec.real_inputs()};
}

absl::StatusOr<DataSet> ReadDataSet(const DataOptions& options,
                                    const DataForm& form) {
  absl::StatusOr<DataTable> table = ReadTable(options, form);
  if (!table.ok()) return table.status();
  DataFile& file = table->file;
  const absl::StatusOr<RowRange> range =
      ParseRows(options.rows, table->starts.size() - 1);
  if (!range.ok()) return range.status();
  const int64_t begin = table->starts[range->begin];
  const int64_t end = table->starts[range->end];
  absl::StatusOr<v1::Tensor> values = MakeRows(file, begin, end, form);
  if (!values.ok()) {
    return absl::Status(
        values.status().code(),
        absl::StrCat(options.data, ": ", values.status().message()));
  }
  DataSet set;
  if (form.sequential) {
    v1::Sequences& sequences = *set.observations.mutable_sequences();
    *sequences.mutable_values() = *std::move(values);
    for (int64_t n = range->begin; n < range->end; ++n) {
      sequences.add_lengths(table->starts[n + 1] - table->starts[n]);
    }
  } else {
    *set.observations.mutable_dense() = *std::move(values);
  }
  set.observations.set_mask(MaskOf(file, begin, end));
  set.rows = range->end - range->begin;
  set.frames = end - begin;
  set.dimension = file.columns();
  set.first_row = range->begin;
  set.grey_levels = !form.symbols &&
                    std::holds_alternative<std::vector<uint8_t>>(file.values);
  const int64_t most = std::numeric_limits<int32_t>::max();
  if (file.shape.size() == 3 && file.columns() <= most) {
    set.image_height = static_cast<int>(file.shape[1]);
    set.image_width = static_cast<int>(file.shape[2]);
  }
  set.column_names = std::move(file.column_names);
  if (!table->labels.empty()) {
    set.labels.assign(table->labels.begin() + range->begin,
                      table->labels.begin() + range->end);
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
