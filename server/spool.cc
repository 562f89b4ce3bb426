#include "server/spool.h"

#include <errno.h>
#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/errors.h"

namespace poe::server {

absl::StatusOr<MappedFile> MappedFile::Map(const FileDescriptor& file,
                                           std::int64_t bytes,
                                           const std::string& path) {
  MappedFile mapped;
  if (bytes == 0) return mapped;
  void* data = mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ,
                    MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) return FileError("map", path, errno);
  mapped.data_ = data;
  mapped.size_ = static_cast<std::size_t>(bytes);
  return mapped;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(data_, size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Spool::Spool(std::string folder, Index dimension, bool labelled,
             SpoolLimits limits)
    : folder_(std::move(folder)),
      dimension_(dimension),
      labelled_(labelled),
      limits_(limits) {
  values_.path = absl::StrCat(folder_, "/values");
  labels_.path = absl::StrCat(folder_, "/labels");
  weights_.path = absl::StrCat(folder_, "/weights");
}

Spool::~Spool() { RemoveTree(folder_); }

absl::StatusOr<std::unique_ptr<Spool>> Spool::Create(std::string folder,
                                                     Index dimension,
                                                     bool labelled,
                                                     SpoolLimits limits) {
  absl::Status made = MakeFolder(folder);
  if (!made.ok()) return made;
  std::unique_ptr<Spool> spool(
      new Spool(std::move(folder), dimension, labelled, limits));
  if (absl::Status s = spool->Open(spool->values_); !s.ok()) return s;
  if (labelled) {
    if (absl::Status s = spool->Open(spool->labels_); !s.ok()) return s;
  }
  return spool;
}

absl::Status Spool::Open(File& file) {
  absl::StatusOr<FileDescriptor> created = CreateFile(file.path);
  if (!created.ok()) return created.status();
  file.descriptor = *std::move(created);
  return absl::OkStatus();
}

absl::Status Spool::CheckSize(std::int64_t rows) const {
  // Values, and at most a label and a weight.
  const std::int64_t row_bytes = (dimension_ + 2) * std::int64_t{4};
  const std::int64_t most = std::min(limits_.rows, limits_.bytes / row_bytes);
  if (rows <= most) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_ROWS",
               absl::StrCat(rows, " rows of ", dimension_,
                            " values are more than this server takes for one "
                            "job; at most ",
                            most, " are allowed"));
}

absl::Status Spool::Append(absl::Span<const float> values,
                           absl::Span<const std::int32_t> labels,
                           absl::Span<const float> weights) {
  const auto rows = static_cast<std::int64_t>(values.size()) / dimension_;
  if (absl::Status s = CheckSize(rows_ + rows); !s.ok()) return s;
  if (absl::Status s = WriteAll(values_.descriptor, values.data(),
                                values.size() * sizeof(float), values_.path);
      !s.ok()) {
    return s;
  }
  if (labelled_) {
    if (absl::Status s =
            WriteAll(labels_.descriptor, labels.data(),
                     labels.size() * sizeof(std::int32_t), labels_.path);
        !s.ok()) {
      return s;
    }
  }
  if (!weights.empty()) {
    if (!weights_.descriptor.is_open()) {
      if (absl::Status s = StartWeights(); !s.ok()) return s;
    }
    if (absl::Status s =
            WriteAll(weights_.descriptor, weights.data(),
                     weights.size() * sizeof(float), weights_.path);
        !s.ok()) {
      return s;
    }
  } else if (weights_.descriptor.is_open()) {
    if (absl::Status s = AppendOnes(rows); !s.ok()) return s;
  }
  rows_ += rows;
  return absl::OkStatus();
}

absl::Status Spool::StartWeights() {
  if (absl::Status s = Open(weights_); !s.ok()) return s;
  return AppendOnes(rows_);
}

absl::Status Spool::AppendOnes(std::int64_t count) {
  constexpr std::int64_t kBlock = 4096;
  const std::vector<float> ones(std::min(count, kBlock), 1.0f);
  for (std::int64_t done = 0; done < count; done += kBlock) {
    const auto block = static_cast<std::size_t>(std::min(kBlock, count - done));
    if (absl::Status s = WriteAll(weights_.descriptor, ones.data(),
                                  block * sizeof(float), weights_.path);
        !s.ok()) {
      return s;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TrainingRows> Spool::Map() {
  for (File* file : {&values_, &labels_, &weights_}) {
    if (!file->descriptor.is_open()) continue;
    const std::int64_t row_values = file == &values_ ? dimension_ : 1;
    absl::StatusOr<MappedFile> mapped = MappedFile::Map(
        file->descriptor, rows_ * row_values * std::int64_t{4}, file->path);
    if (!mapped.ok()) return mapped.status();
    file->mapped = *std::move(mapped);
  }
  TrainingRows rows;
  using Values = Eigen::Map<const RowMatrix<float>>;
  new (&rows.values) Values(static_cast<const float*>(values_.mapped.data()),
                            rows_, dimension_);
  const auto size = static_cast<std::size_t>(rows_);
  if (labels_.mapped.data() != nullptr) {
    rows.labels = absl::MakeConstSpan(
        static_cast<const std::int32_t*>(labels_.mapped.data()), size);
  }
  if (weights_.mapped.data() != nullptr) {
    rows.weights = absl::MakeConstSpan(
        static_cast<const float*>(weights_.mapped.data()), size);
  }
  return rows;
}

}  // namespace poe::server
