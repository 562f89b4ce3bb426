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
namespace {

// Of a value, a label or a weight.
constexpr std::int64_t kElementBytes = 4;

}  // namespace

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

Spool::Spool(std::string folder, SpoolLayout layout, SpoolLimits limits)
    : folder_(std::move(folder)), layout_(layout), limits_(limits) {
  values_.path = absl::StrCat(folder_, "/values");
  labels_.path = absl::StrCat(folder_, "/labels");
  weights_.path = absl::StrCat(folder_, "/weights");
  starts_.path = absl::StrCat(folder_, "/starts");
  observed_.path = absl::StrCat(folder_, "/observed");
}

Spool::~Spool() {
  if (!kept_) RemoveTree(folder_);
}

absl::StatusOr<std::unique_ptr<Spool>> Spool::Create(std::string folder,
                                                     SpoolLayout layout,
                                                     SpoolLimits limits) {
  absl::Status made = MakeFolder(folder);
  if (!made.ok()) return made;
  std::unique_ptr<Spool> spool(new Spool(std::move(folder), layout, limits));
  if (absl::Status s = spool->Open(spool->values_); !s.ok()) return s;
  if (layout.labelled) {
    if (absl::Status s = spool->Open(spool->labels_); !s.ok()) return s;
  }
  if (layout.sequential) {
    if (absl::Status s = spool->Open(spool->starts_); !s.ok()) return s;
    if (absl::Status s = spool->Write<Index>({0}, spool->starts_); !s.ok()) {
      return s;
    }
  }
  return spool;
}

absl::StatusOr<std::unique_ptr<Spool>> Spool::Reopen(std::string folder,
                                                     SpoolLayout layout,
                                                     std::int64_t rows) {
  std::unique_ptr<Spool> spool(new Spool(std::move(folder), layout, {}));
  // The object does not own what it may not have understood.
  spool->Keep();
  spool->rows_ = spool->frames_ = rows;
  const auto open = [](File& file, bool required, std::int64_t bytes) {
    absl::StatusOr<RegularFile> opened = OpenFile(file.path);
    if (absl::IsNotFound(opened.status()) && !required) {
      return absl::OkStatus();
    }
    if (absl::IsNotFound(opened.status())) {
      return absl::DataLossError(opened.status().message());
    }
    if (!opened.ok()) return opened.status();
    if (opened->size < bytes) {
      return absl::DataLossError(absl::StrCat(file.path, " has ", opened->size,
                                              " bytes; must have ", bytes));
    }
    file.descriptor = std::move(opened->descriptor);
    return absl::OkStatus();
  };
  if (layout.sequential) {
    const std::int64_t bytes = (rows + 1) * std::int64_t{sizeof(Index)};
    absl::Status status = open(spool->starts_, true, bytes);
    if (!status.ok()) return status;
    Index last = 0;
    const absl::StatusOr<std::size_t> read =
        ReadAt(spool->starts_.descriptor, &last, sizeof(last),
               bytes - std::int64_t{sizeof(last)}, spool->starts_.path);
    if (!read.ok()) return read.status();
    spool->frames_ = last;
  }
  const std::int64_t values = spool->frames_ * layout.dimension;
  absl::Status status = open(spool->values_, true, values * kElementBytes);
  if (status.ok() && layout.labelled) {
    status = open(spool->labels_, true, rows * kElementBytes);
  }
  if (status.ok()) {
    status = open(spool->weights_, false, rows * kElementBytes);
  }
  if (status.ok()) status = open(spool->observed_, false, values);
  if (!status.ok()) return status;
  spool->kept_ = false;
  return spool;
}

absl::Status Spool::Sync() const {
  for (const File* file :
       {&values_, &labels_, &weights_, &starts_, &observed_}) {
    if (!file->descriptor.is_open()) continue;
    if (absl::Status s = SyncFile(file->descriptor, file->path); !s.ok()) {
      return s;
    }
  }
  return SyncFolder(folder_);
}

absl::Status Spool::Open(File& file) {
  absl::StatusOr<FileDescriptor> created = CreateFile(file.path);
  if (!created.ok()) return created.status();
  file.descriptor = *std::move(created);
  return absl::OkStatus();
}

template <typename Element>
absl::Status Spool::Write(absl::Span<const Element> elements,
                          const File& file) {
  return WriteAll(file.descriptor, elements.data(),
                  elements.size() * sizeof(Element), file.path);
}

absl::Status Spool::CheckSize(std::int64_t rows) const {
  // Values and whether they are there, and at most a label, a weight and a
  // start.
  const std::int64_t row_bytes =
      (layout_.dimension + 2) * kElementBytes + layout_.dimension +
      (layout_.sequential ? std::int64_t{sizeof(Index)} : 0);
  const std::int64_t most = std::min(limits_.rows, limits_.bytes / row_bytes);
  if (rows <= most) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_ROWS",
               absl::StrCat(rows, " rows of ", layout_.dimension,
                            " values are more than this server takes for one "
                            "job; at most ",
                            most, " are allowed"));
}

absl::Status Spool::Append(absl::Span<const float> values,
                           absl::Span<const std::int32_t> labels,
                           absl::Span<const float> weights,
                           absl::Span<const Index> starts,
                           absl::Span<const std::uint8_t> observed) {
  const std::int64_t frames =
      static_cast<std::int64_t>(values.size()) / layout_.dimension;
  const std::int64_t rows = layout_.sequential
                                ? static_cast<std::int64_t>(starts.size()) - 1
                                : frames;
  if (absl::Status s = CheckSize(frames_ + frames); !s.ok()) return s;
  if (absl::Status s = Write(values, values_); !s.ok()) return s;
  if (layout_.labelled) {
    if (absl::Status s = Write(labels, labels_); !s.ok()) return s;
  }
  if (layout_.sequential) {
    if (absl::Status s = WriteEnds(starts); !s.ok()) return s;
  }
  if (absl::Status s = AppendOrOnes(weights, rows, rows_, weights_); !s.ok()) {
    return s;
  }
  if (absl::Status s = AppendOrOnes(observed, frames * layout_.dimension,
                                    frames_ * layout_.dimension, observed_);
      !s.ok()) {
    return s;
  }
  rows_ += rows;
  frames_ += frames;
  return absl::OkStatus();
}

absl::Status Spool::WriteEnds(absl::Span<const Index> starts) {
  std::vector<Index> ends(starts.begin() + 1, starts.end());
  for (Index& end : ends) end += frames_;
  return Write<Index>(ends, starts_);
}

template <typename Element>
absl::Status Spool::AppendOrOnes(absl::Span<const Element> elements,
                                 std::int64_t count, std::int64_t before,
                                 File& file) {
  if (elements.empty()) {
    return file.descriptor.is_open() ? WriteOnes<Element>(count, file)
                                     : absl::OkStatus();
  }
  if (!file.descriptor.is_open()) {
    if (absl::Status s = Open(file); !s.ok()) return s;
    if (absl::Status s = WriteOnes<Element>(before, file); !s.ok()) return s;
  }
  return Write(elements, file);
}

template <typename Element>
absl::Status Spool::WriteOnes(std::int64_t count, const File& file) {
  constexpr std::int64_t kBlock = 4096;
  const std::vector<Element> ones(std::min(count, kBlock), Element{1});
  for (std::int64_t done = 0; done < count; done += kBlock) {
    const auto block = static_cast<std::size_t>(std::min(kBlock, count - done));
    if (absl::Status s =
            Write(absl::MakeConstSpan(ones).subspan(0, block), file);
        !s.ok()) {
      return s;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TrainingRows> Spool::Map() {
  const std::pair<File*, std::int64_t> sizes[] = {
      {&values_, frames_ * layout_.dimension * kElementBytes},
      {&labels_, rows_ * kElementBytes},
      {&weights_, rows_ * kElementBytes},
      {&starts_, (rows_ + 1) * std::int64_t{sizeof(Index)}},
      {&observed_, frames_ * layout_.dimension}};
  for (const auto& [file, bytes] : sizes) {
    if (!file->descriptor.is_open()) continue;
    absl::StatusOr<MappedFile> mapped =
        MappedFile::Map(file->descriptor, bytes, file->path);
    if (!mapped.ok()) return mapped.status();
    file->mapped = *std::move(mapped);
  }
  TrainingRows rows;
  using Values = Eigen::Map<const RowMatrix<float>>;
  new (&rows.values) Values(static_cast<const float*>(values_.mapped.data()),
                            frames_, layout_.dimension);
  const auto size = static_cast<std::size_t>(rows_);
  rows.labels = labels_.Elements<std::int32_t>(size);
  rows.weights = weights_.Elements<float>(size);
  rows.starts = starts_.Elements<Index>(size + 1);
  rows.observed = observed_.Elements<std::uint8_t>(
      static_cast<std::size_t>(frames_ * layout_.dimension));
  return rows;
}

}  // namespace poe::server
