// Training rows on their way from the network to the trainer: appended to files
// as they come, then mapped, so that they never need to fit into memory.
#ifndef POE_SERVER_SPOOL_H_
#define POE_SERVER_SPOOL_H_

#include <cstddef>
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
  // Rows of observations; those of sequences all together.
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

// What the observations of a spool are.
struct SpoolLayout {
  Index dimension;
  bool labelled;            // each observation has a label
  bool sequential = false;  // each is a sequence of rows
};

// The observations of one job in a folder of its own, which goes with the
// object unless it is kept. Native byte order: nothing but programs of one
// machine read it.
// Not thread-safe.
class Spool {
 public:
  // The folder must not exist, its parent must.
  static absl::StatusOr<std::unique_ptr<Spool>> Create(std::string folder,
                                                       SpoolLayout layout,
                                                       SpoolLimits limits);
  // What Sync has left of so many observations, to be mapped. DataLoss if it is
  // not all there; what is said of files that cannot be read now.
  static absl::StatusOr<std::unique_ptr<Spool>> Reopen(std::string folder,
                                                       SpoolLayout layout,
                                                       std::int64_t rows);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Adds N observations: their rows' values, N labels or none as created, N
  // weights or none (all 1), of sequences N + 1 starts as in RawRows, and which
  // values were observed, or none (all).
  // ResourceExhausted over the limits (nothing is added) or when the disk is
  // full; after a failed write the spool can only be destroyed.
  absl::Status Append(absl::Span<const float> values,
                      absl::Span<const std::int32_t> labels,
                      absl::Span<const float> weights,
                      absl::Span<const Index> starts = {},
                      absl::Span<const std::uint8_t> observed = {});

  // Number of observations.
  std::int64_t rows() const { return rows_; }

  // ResourceExhausted if so many rows in all, or as many sequences, would be
  // too many.
  absl::Status CheckSize(std::int64_t rows) const;

  // Makes all observations stay after a crash.
  absl::Status Sync() const;
  // The folder stays when the object goes.
  void Keep() { kept_ = true; }

  // All observations, as long as the spool lives; call it once, after the last
  // Append, with at least one observation.
  absl::StatusOr<TrainingRows> Map();

 private:
  struct File {
    std::string path;
    FileDescriptor descriptor;
    MappedFile mapped;

    // What is mapped; empty if nothing is.
    template <typename Element>
    absl::Span<const Element> Elements(std::size_t size) const {
      if (mapped.data() == nullptr) return {};
      return {static_cast<const Element*>(mapped.data()), size};
    }
  };

  Spool(std::string folder, SpoolLayout layout, SpoolLimits limits);

  absl::Status Open(File& file);
  template <typename Element>
  absl::Status Write(absl::Span<const Element> elements, const File& file);
  // The ends of sequences, counted from the first row of all.
  absl::Status WriteEnds(absl::Span<const Index> starts);
  // Adds what `elements` says of `count` things, 1 for each if it is empty, and
  // opens the file at the first that says something, with 1 for each of the
  // `before` until then.
  template <typename Element>
  absl::Status AppendOrOnes(absl::Span<const Element> elements,
                            std::int64_t count, std::int64_t before,
                            File& file);
  template <typename Element>
  absl::Status WriteOnes(std::int64_t count, const File& file);

  const std::string folder_;
  const SpoolLayout layout_;
  const SpoolLimits limits_;
  std::int64_t rows_ = 0;    // observations
  std::int64_t frames_ = 0;  // their rows
  bool kept_ = false;
  File values_, labels_, weights_, starts_, observed_;
};

}  // namespace poe::server

#endif  // POE_SERVER_SPOOL_H_
