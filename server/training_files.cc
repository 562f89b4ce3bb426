#include "server/training_files.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/io/data_file.h"
#include "core/io/data_file_reader.h"
#include "poe/data_spec.h"
#include "poe/v1/tensor.pb.h"
#include "poe/v1/training.pb.h"
#include "server/errors.h"
#include "server/files.h"

namespace poe::server {
namespace {

constexpr std::int64_t kPieceValues = 1 << 18;

absl::Status BadFile(absl::string_view field, absl::string_view text) {
  return FieldError(field, "BAD_DATA_FILE", text);
}

// A reader's errors as those of a request that names a bad file.
absl::Status OfRequest(absl::string_view field, const absl::Status& status) {
  if (!absl::IsInvalidArgument(status) && !absl::IsDataLoss(status)) {
    return status;
  }
  // A file may hold anything, a message only UTF-8.
  const absl::string_view text = status.message();
  const bool plain = std::all_of(text.begin(), text.end(), absl::ascii_isascii);
  return BadFile(field,
                 absl::StrCat("cannot be read: ",
                              plain ? std::string(text) : absl::CEscape(text)));
}

absl::StatusOr<DataFileReader> OpenReader(const std::string& folder,
                                          const std::string& name,
                                          absl::string_view field) {
  absl::StatusOr<RegularFile> file = OpenBelow(folder, name);
  if (absl::IsInvalidArgument(file.status())) {
    return OfRequest(field, file.status());
  }
  if (!file.ok()) return WithPrefix(field, file.status());
  absl::StatusOr<DataFileReader> reader =
      DataFileReader::Open(file->descriptor.Release(), name);
  if (!reader.ok()) return OfRequest(field, reader.status());
  return reader;
}

template <typename Value>
void SetData(const std::vector<Value>& values, v1::ElementType type,
             v1::Tensor& tensor) {
  tensor.set_element_type(type);
  tensor.set_data(values.data(), values.size() * sizeof(Value));
}

// One byte for each value, 0 where it is NaN; empty if none is.
template <typename Value>
std::string MissingMask(const std::vector<Value>& values) {
  std::string mask;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isnan(values[i])) continue;
    if (mask.empty()) mask.assign(values.size(), 1);
    mask[i] = 0;
  }
  return mask;
}

// Rows of a file as clients send them.
v1::Observations MakeObservations(const DataFile& piece, bool symbols) {
  v1::Observations observations;
  v1::Tensor& dense = *observations.mutable_dense();
  dense.add_shape(piece.rows());
  dense.add_shape(piece.columns());
  const auto set = [&](const auto& values) {
    using Value = typename std::decay_t<decltype(values)>::value_type;
    if constexpr (std::is_same_v<Value, std::uint8_t>) {
      if (symbols) {
        SetData(std::vector<float>(values.begin(), values.end()),
                v1::ELEMENT_TYPE_FLOAT32, dense);
      } else {
        SetData(values, v1::ELEMENT_TYPE_UINT8, dense);
      }
    } else if constexpr (std::is_same_v<Value, std::int64_t>) {
      SetData(std::vector<double>(values.begin(), values.end()),
              v1::ELEMENT_TYPE_FLOAT64, dense);
    } else {
      SetData(values,
              std::is_same_v<Value, float> ? v1::ELEMENT_TYPE_FLOAT32
                                           : v1::ELEMENT_TYPE_FLOAT64,
              dense);
      observations.set_mask(MissingMask(values));
    }
  };
  std::visit(set, piece.values);
  return observations;
}

// Adds the labels of a file to a chunk; the first is that of row `first`.
absl::Status AddLabels(const DataFile& piece, std::int64_t first,
                       std::size_t classes, v1::TrainChunk& chunk) {
  absl::Status status;
  const auto add = [&](const auto& values) {
    for (const auto value : values) {
      const auto label = static_cast<double>(value);
      if (!(label >= 0 && label < static_cast<double>(classes) &&
            label == std::trunc(label))) {
        status = BadFile(
            "label_file",
            absl::StrCat("has ", label, " in row ", first + chunk.labels_size(),
                         ", counted from 0; must be an index into the ",
                         classes, " class_names, 0 to ", classes - 1));
        return;
      }
      chunk.add_labels(static_cast<std::int32_t>(label));
    }
  };
  std::visit(add, piece.values);
  return status;
}

absl::Status CheckWidths(const TrainingJob& job, const DataFileReader& data,
                         const std::optional<DataFileReader>& labels) {
  const std::int64_t dimension = job.settings().data_spec.dimension;
  if (data.columns() != dimension) {
    return BadFile(
        "data_file",
        absl::StrCat(Quoted(job.start().data_file()), " has ", data.columns(),
                     " values in a row; data_spec.dimension is ", dimension));
  }
  if (labels.has_value() && labels->columns() != 1) {
    return BadFile("label_file", absl::StrCat(Quoted(job.start().label_file()),
                                              " has ", labels->columns(),
                                              " values in a row; must have 1"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AppendFiles(const std::string& folder, std::int64_t sender,
                         TrainingJob& job) {
  const v1::TrainStart& start = job.start();
  absl::StatusOr<DataFileReader> data =
      OpenReader(folder, start.data_file(), "data_file");
  if (!data.ok()) return data.status();
  std::optional<DataFileReader> labels;
  if (!start.label_file().empty()) {
    absl::StatusOr<DataFileReader> opened =
        OpenReader(folder, start.label_file(), "label_file");
    if (!opened.ok()) return opened.status();
    labels = *std::move(opened);
  }
  if (absl::Status s = CheckWidths(job, *data, labels); !s.ok()) return s;

  const bool symbols = job.settings().data_spec.family == Family::kCategorical;
  const std::int64_t piece_rows =
      std::max<std::int64_t>(1, kPieceValues / data->columns());
  std::int64_t rows = 0;
  while (true) {
    const absl::StatusOr<DataFile> piece = data->Read(piece_rows);
    if (!piece.ok()) return OfRequest("data_file", piece.status());
    v1::TrainChunk chunk;
    if (labels.has_value()) {
      // At the end there must be none either.
      const absl::StatusOr<DataFile> part =
          labels->Read(std::max<std::int64_t>(1, piece->rows()));
      if (!part.ok()) return OfRequest("label_file", part.status());
      absl::Status added =
          AddLabels(*part, rows, job.settings().class_names.size(), chunk);
      if (!added.ok()) return added;
      if (part->rows() < piece->rows()) {
        return BadFile("label_file",
                       absl::StrCat("ends after ", rows + part->rows(),
                                    " labels; data_file has more rows"));
      }
      if (part->rows() > piece->rows()) {
        return BadFile("label_file", absl::StrCat("has more labels than the ",
                                                  rows + piece->rows(),
                                                  " rows of data_file"));
      }
    }
    if (piece->rows() == 0) break;
    chunk.set_row_offset(rows);
    *chunk.mutable_observations() = MakeObservations(*piece, symbols);
    const absl::StatusOr<std::int64_t> appended = job.Append(chunk, sender);
    if (!appended.ok()) {
      return WithPrefix(absl::StrCat("data_file ", Quoted(start.data_file())),
                        appended.status());
    }
    rows = *appended;
  }
  if (rows > 0) return absl::OkStatus();
  return BadFile("data_file",
                 absl::StrCat(Quoted(start.data_file()), " has no rows"));
}

}  // namespace poe::server
