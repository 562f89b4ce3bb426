#include "core/io/data_file_reader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/io/data_format.h"
#include "core/io/idx.h"
#include "core/io/npy.h"

namespace poe {
namespace {

// What the header of an array may take, and what is read of text at a time.
constexpr std::size_t kBlockBytes = 1 << 20;
constexpr std::size_t kMostLineBytes = 64 << 20;
constexpr std::int64_t kMostColumns = 1 << 28;

DataFile NoRows(std::int64_t columns) {
  DataFile file;
  file.shape = {0, columns};
  return file;
}

}  // namespace

DataFileReader::DataFileReader(FileReader file, std::string name)
    : file_(std::move(file)), name_(std::move(name)) {}

absl::StatusOr<DataFileReader> DataFileReader::Open(int descriptor,
                                                    std::string name) {
  absl::StatusOr<FileReader> file = FileReader::Adopt(descriptor, name);
  if (!file.ok()) return file.status();
  DataFileReader reader(*std::move(file), std::move(name));
  if (absl::Status s = reader.Fill(kBlockBytes); !s.ok()) return s;
  if (absl::Status s = reader.ReadHeader(); !s.ok()) return reader.WithName(s);
  return reader;
}

absl::Status DataFileReader::ReadHeader() {
  const absl::StatusOr<DataFormat> format = DetectFormat(name_, buffer_);
  if (!format.ok()) return format.status();
  if (*format == DataFormat::kCsv) {
    if (absl::Status s = ReadLines(0); !s.ok()) return s;
    columns_ = csv_.columns();
    if (columns_ > 0) return absl::OkStatus();
    return absl::InvalidArgumentError("has no line of text");
  }
  absl::StatusOr<ElementLayout> layout = *format == DataFormat::kIdx
                                             ? ParseIdxLayout(buffer_)
                                             : ParseNpyLayout(buffer_);
  if (!layout.ok()) return layout.status();
  const absl::StatusOr<std::int64_t> count = ElementCount(layout->shape);
  if (!count.ok()) return count.status();
  DataFile whole;
  whole.shape = layout->shape;
  columns_ = whole.columns();
  if (columns_ > kMostColumns) {
    return absl::InvalidArgumentError(absl::StrCat("has ", columns_,
                                                   " values in a row; at most ",
                                                   kMostColumns, " are read"));
  }
  rows_left_ = whole.rows();
  row_bytes_ = static_cast<std::size_t>(columns_) * ElementSize(layout->type);
  buffer_.erase(0, layout->begin);
  layout_ = *std::move(layout);
  return absl::OkStatus();
}

absl::StatusOr<DataFile> DataFileReader::Read(std::int64_t rows) {
  if (layout_.has_value()) {
    absl::StatusOr<DataFile> piece = ReadElements(rows);
    if (!piece.ok()) return WithName(piece.status());
    return piece;
  }
  if (absl::Status s = ReadLines(rows); !s.ok()) return WithName(s);
  return csv_.Take();
}

absl::StatusOr<DataFile> DataFileReader::ReadElements(std::int64_t rows) {
  rows = std::min(rows, rows_left_);
  if (rows == 0) {
    if (absl::Status s = Fill(1); !s.ok()) return s;
    if (buffer_.empty()) return NoRows(columns_);
    return absl::InvalidArgumentError(
        absl::StrCat("goes on behind the ", layout_->shape[0],
                     " rows that its header tells of"));
  }
  const std::size_t bytes = static_cast<std::size_t>(rows) * row_bytes_;
  if (absl::Status s = Fill(bytes); !s.ok()) return s;
  if (buffer_.size() < bytes) {
    const std::int64_t before = layout_->shape[0] - rows_left_;
    return absl::InvalidArgumentError(absl::StrCat(
        "ends in row ",
        before + static_cast<std::int64_t>(buffer_.size() / row_bytes_),
        ", counted from 0, of the ", layout_->shape[0],
        " that its header tells of"));
  }
  std::vector<std::int64_t> shape = layout_->shape;
  shape[0] = rows;
  absl::StatusOr<DataFile> piece =
      DecodeElements(std::move(shape), layout_->type, layout_->order,
                     absl::string_view(buffer_).substr(0, bytes));
  buffer_.erase(0, bytes);
  rows_left_ -= rows;
  return piece;
}

absl::Status DataFileReader::ReadLines(std::int64_t rows) {
  while (csv_.columns() == 0 || csv_.rows() < rows) {
    std::size_t end = buffer_.find('\n', begin_);
    if (end == std::string::npos && !at_end_) {
      buffer_.erase(0, std::exchange(begin_, 0));
      if (buffer_.size() > kMostLineBytes) {
        return absl::InvalidArgumentError(
            absl::StrCat("has a line of more than ", kMostLineBytes, " bytes"));
      }
      if (absl::Status s = Fill(buffer_.size() + kBlockBytes); !s.ok()) {
        return s;
      }
      continue;
    }
    if (begin_ == buffer_.size()) break;
    end = std::min(end, buffer_.size());
    absl::Status added =
        csv_.Add(absl::string_view(buffer_).substr(begin_, end - begin_));
    if (!added.ok()) return added;
    begin_ = std::min(end + 1, buffer_.size());
  }
  return absl::OkStatus();
}

absl::Status DataFileReader::Fill(std::size_t size) {
  if (at_end_ || buffer_.size() >= size) return absl::OkStatus();
  absl::Status read = file_.Read(size - buffer_.size(), buffer_);
  at_end_ = buffer_.size() < size;
  return read;
}

absl::Status DataFileReader::WithName(const absl::Status& status) const {
  // What the file says of itself has the name already.
  if (!absl::IsInvalidArgument(status)) return status;
  return absl::InvalidArgumentError(
      absl::StrCat(name_, ": ", status.message()));
}

}  // namespace poe
