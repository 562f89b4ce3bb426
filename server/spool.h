// Training rows on their way from the network to the trainer: appended to files
// as they come, then mapped, so that they never need to fit into memory.
#ifndef POE_SERVER_SPOOL_H_
#define POE_SERVER_SPOOL_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/training.h"
#include "server/files.h"

namespace poe::server {

struct SpoolLimits {
  std::int64_t rows = 100'000'000;
  std::int64_t bytes = std::int64_t{64} << 30;
};

// A file mapped read-only. Its pages belong to the file: the system takes them
// back when memory is short, and they are no anonymous memory.
class MappedFile {
 public:
  MappedFile() = default;
  // The first `bytes` bytes of an open file; none if 0.
  static absl::StatusOr<MappedFile> Map(const FileDescriptor& file,
                                        std::int64_t bytes,
                                        const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  const void* data() const { return data_; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

// The rows of one job in a folder of its own, which goes with the object.
// Native byte order: nothing but the process that wrote it reads it. Not
// thread-safe.
class Spool {
 public:
  // Rows of `dimension` values; `labelled`: each has a label. The folder must
  // not exist, its parent must.
  static absl::StatusOr<std::unique_ptr<Spool>> Create(std::string folder,
                                                       Index dimension,
                                                       bool labelled,
                                                       SpoolLimits limits);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Adds N rows: N x D values, N labels or none as created, N weights or none
  // (all 1). ResourceExhausted over the limits (nothing is added) or when the
  // disk is full; after a failed write the spool can only be destroyed.
  absl::Status Append(absl::Span<const float> values,
                      absl::Span<const std::int32_t> labels,
                      absl::Span<const float> weights);

  std::int64_t rows() const { return rows_; }

  // ResourceExhausted if so many rows in all would be too many.
  absl::Status CheckSize(std::int64_t rows) const;

  // All rows, as long as the spool lives; call it once, after the last Append,
  // with at least one row.
  absl::StatusOr<TrainingRows> Map();

 private:
  struct File {
    std::string path;
    FileDescriptor descriptor;
    MappedFile mapped;
  };

  Spool(std::string folder, Index dimension, bool labelled, SpoolLimits limits);

  absl::Status Open(File& file);
  // Weights of 1 for the rows before the first row with a weight.
  absl::Status StartWeights();
  absl::Status AppendOnes(std::int64_t count);

  const std::string folder_;
  const Index dimension_;
  const bool labelled_;
  const SpoolLimits limits_;
  std::int64_t rows_ = 0;
  File values_, labels_, weights_;
};

}  // namespace poe::server

#endif  // POE_SERVER_SPOOL_H_
