#include "client/cpp/command/sequences.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "core/io/data_file.h"

namespace poe::client {
namespace {

absl::StatusOr<std::vector<int64_t>> LengthsOfRuns(const std::string& path,
                                                   const DataFile& file,
                                                   int64_t column) {
  const auto& values = std::get<std::vector<double>>(file.values);
  std::vector<int64_t> lengths;
  for (int64_t row = 0; row < file.rows(); ++row) {
    const double value = values[row * file.columns() + column];
    if (std::isnan(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": row ", row, " has no value in the column \"",
                       kSequenceColumn, "\""));
    }
    const bool begins =
        row == 0 || value != values[(row - 1) * file.columns() + column];
    if (begins) lengths.push_back(0);
    ++lengths.back();
  }
  return lengths;
}

}  // namespace

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

absl::StatusOr<std::vector<int64_t>> TakeSequences(const std::string& path,
                                                   DataFile& file) {
  if (file.shape.size() == 3) {
    const int64_t sequences = file.shape[0];
    const int64_t length = file.shape[1];
    file.shape = {sequences * length, file.shape[2]};
    return std::vector<int64_t>(sequences, length);
  }
  const auto& names = file.column_names;
  const auto found = std::find(names.begin(), names.end(), kSequenceColumn);
  if (found == names.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " has the shape (", absl::StrJoin(file.shape, ", "),
        ") and no column \"", kSequenceColumn,
        "\"; sequences come as an array of sequences x rows x columns, or as "
        "a table with that column"));
  }
  const int64_t column = found - names.begin();
  absl::StatusOr<std::vector<int64_t>> lengths =
      LengthsOfRuns(path, file, column);
  if (lengths.ok()) RemoveColumn(column, file);
  return lengths;
}

absl::StatusOr<std::vector<int64_t>> LabelsOfSequences(
    const std::string& path, absl::Span<const int64_t> row_labels,
    absl::Span<const int64_t> lengths) {
  std::vector<int64_t> labels;
  size_t row = 0;
  for (const int64_t length : lengths) {
    const auto own = row_labels.subspan(row, length);
    for (size_t i = 1; i < own.size(); ++i) {
      if (own[i] == own[0]) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": row ", row + i, " has the label ", own[i],
          " where the sequence that it belongs to begins with ", own[0]));
    }
    labels.push_back(own[0]);
    row += length;
  }
  return labels;
}

}  // namespace poe::client
