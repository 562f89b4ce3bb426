#include "client/cpp/command/output_rows.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/format.h"
#include "client/cpp/command/sequences.h"
#include "client/cpp/command/table.h"
#include "client/cpp/io/image_grid.h"
#include "client/cpp/io/picture.h"
#include "core/io/csv_writer.h"
#include "core/io/npy.h"

namespace poe::client {
namespace {

constexpr int64_t kImagesAcross = 20;
constexpr int kStripGap = 4;
constexpr int64_t kTableRows = 20;
constexpr int64_t kTableColumns = 8;

// An affine map of values to grey levels.
struct GreyScale {
  float black = 0;
  float white = 1;
};

GreyScale ScaleOf(const v1::DataSpec& spec,
                  const std::vector<std::vector<float>>& sets) {
  if (spec.family() == v1::FAMILY_BERNOULLI) return {};
  GreyScale scale = {INFINITY, -INFINITY};
  for (const auto& set : sets) {
    for (const float value : set) {
      if (!std::isfinite(value)) continue;
      scale.black = std::min(scale.black, value);
      scale.white = std::max(scale.white, value);
    }
  }
  if (scale.black >= scale.white) scale.white = scale.black + 1;
  return scale;
}

bool AllEqual(absl::Span<const int64_t> lengths) {
  return std::all_of(lengths.begin(), lengths.end(),
                     [&](int64_t length) { return length == lengths[0]; });
}

std::string ColumnName(const v1::DataSpec& spec, int64_t i) {
  return spec.coordinate_names_size() == spec.dimension()
             ? spec.coordinate_names(static_cast<int>(i))
             : absl::StrCat("[", i, "]");
}

absl::Status WriteTable(const std::string& path, const v1::DataSpec& spec,
                        absl::Span<const int64_t> lengths,
                        const std::vector<float>& values) {
  std::vector<std::string> names;
  if (!lengths.empty()) names.push_back(kSequenceColumn);
  for (int64_t i = 0; i < spec.dimension(); ++i) {
    names.push_back(ColumnName(spec, i));
  }
  std::vector<int64_t> sequences;
  for (size_t n = 0; n < lengths.size(); ++n) {
    sequences.insert(sequences.end(), lengths[n], static_cast<int64_t>(n));
  }
  return WriteCsv(path, names, sequences, values);
}

}  // namespace

absl::StatusOr<v1::DataSpec> FetchDataSpec(const v1::ModelSelector& model,
                                           const CallOptions& options,
                                           Client& client) {
  v1::GetModelRequest request;
  *request.mutable_model() = model;
  const absl::StatusOr<v1::GetModelResponse> response =
      client.GetModel(request, options);
  if (!response.ok()) return response.status();
  if (response->info().data_spec().dimension() < 1) {
    return absl::InternalError("the server gave a model without a dimension");
  }
  return response->info().data_spec();
}

void ToGreyLevels(const v1::DataSpec& spec,
                  std::vector<std::vector<float>>& sets) {
  const GreyScale scale = ScaleOf(spec, sets);
  for (std::vector<float>& set : sets) {
    for (float& value : set) {
      value = std::isnan(value)
                  ? 0.5f
                  : (value - scale.black) / (scale.white - scale.black);
    }
  }
}

absl::Status WriteImageStrips(const std::string& path, const v1::DataSpec& spec,
                              std::vector<std::vector<float>> sets) {
  if (spec.image_height() == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": the model's data are no images"));
  }
  ToGreyLevels(spec, sets);
  const int64_t rows =
      std::min(kMostImages,
               static_cast<int64_t>(sets.front().size()) / spec.dimension());
  // A single set fills a square, several stand in long strips.
  const int64_t columns = sets.size() == 1
                              ? static_cast<int64_t>(std::ceil(std::sqrt(rows)))
                              : std::min(rows, kImagesAcross);
  std::vector<Picture> strips;
  for (int64_t begin = 0; begin < rows; begin += columns) {
    const int64_t count = std::min(columns, rows - begin);
    std::vector<Picture> lines;
    for (const std::vector<float>& set : sets) {
      absl::StatusOr<Picture> line =
          ImageGrid(absl::MakeConstSpan(set).subspan(begin * spec.dimension(),
                                                     count * spec.dimension()),
                    count, spec.image_height(), spec.image_width(), columns);
      if (!line.ok()) return line.status();
      lines.push_back(*std::move(line));
    }
    strips.push_back(StackVertically(lines, 0));
  }
  return StackVertically(strips, sets.size() == 1 ? 0 : kStripGap)
      .WritePng(path);
}

bool IsTable(const std::string& path) {
  return absl::EndsWithIgnoreCase(path, ".csv");
}

absl::Status CheckOutput(const std::string& path,
                         absl::Span<const int64_t> lengths) {
  if (path.empty() || IsTable(path) || AllEqual(lengths)) {
    return absl::OkStatus();
  }
  return UsageError(absl::StrCat(
      "--out ", path,
      ": an array cannot hold sequences of different lengths; name a file that "
      "ends in .csv"));
}

absl::Status WriteRows(const std::string& path, const v1::DataSpec& spec,
                       int64_t samples, absl::Span<const int64_t> lengths,
                       const std::vector<float>& values) {
  if (IsTable(path)) return WriteTable(path, spec, lengths, values);
  if (absl::Status s = CheckOutput(path, lengths); !s.ok()) return s;
  const int64_t rows = static_cast<int64_t>(values.size()) / spec.dimension();
  std::vector<int64_t> shape = {rows, spec.dimension()};
  if (!lengths.empty()) {
    shape = {rows / lengths[0], lengths[0], spec.dimension()};
  } else if (spec.image_height() > 0) {
    shape = {rows, spec.image_height(), spec.image_width()};
  }
  if (samples > 0) {
    shape[0] /= samples;
    shape.insert(shape.begin(), samples);
  }
  return WriteNpy(path, shape, values);
}

std::string RowTable(const v1::DataSpec& spec,
                     const std::vector<Table::Column>& leading,
                     const std::vector<std::vector<std::string>>& cells,
                     const std::vector<float>& values) {
  const int64_t dimension = spec.dimension();
  const int64_t shown = std::min(dimension, kTableColumns);
  std::vector<Table::Column> columns = leading;
  for (int64_t i = 0; i < shown; ++i) {
    columns.push_back({ColumnName(spec, i), Table::Align::kRight});
  }
  if (shown < dimension) columns.push_back({"..."});
  Table table(columns);
  const auto rows = static_cast<int64_t>(cells.size());
  for (int64_t row = 0; row < std::min(rows, kTableRows); ++row) {
    std::vector<std::string> line = cells[row];
    for (int64_t i = 0; i < shown; ++i) {
      line.push_back(FormatNumber(values[row * dimension + i]));
    }
    table.AddRow(line);
  }
  std::string text = table.ToString();
  if (rows > kTableRows) {
    absl::StrAppend(&text, "... ", FormatCount(rows - kTableRows),
                    " more; --out writes all\n");
  }
  return text;
}

Json RowsJson(const v1::DataSpec& spec, absl::Span<const int64_t> lengths,
              absl::Span<const float> values) {
  if (!lengths.empty()) {
    Json sequences = Json::array();
    for (const int64_t length : lengths) {
      const int64_t size = length * spec.dimension();
      sequences.push_back(RowsJson(spec, {}, values.subspan(0, size)));
      values.remove_prefix(size);
    }
    return sequences;
  }
  Json rows = Json::array();
  const auto size = static_cast<int64_t>(values.size());
  for (int64_t begin = 0; begin < size; begin += spec.dimension()) {
    Json row = Json::array();
    for (int64_t i = 0; i < spec.dimension(); ++i) {
      row.push_back(JsonNumber(values[begin + i]));
    }
    rows.push_back(row);
  }
  return rows;
}

}  // namespace poe::client
