// The files of a stored version on their way out of a repository and into one.
#ifndef POE_SERVER_VERSION_FILES_H_
#define POE_SERVER_VERSION_FILES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "poe/v1/registry.pb.h"
#include "server/files.h"
#include "server/manifest.h"

namespace poe::server {

// Open files of a version, MANIFEST first: read to the end even if the version
// is deleted meanwhile. One call at a time.
class OutgoingVersion {
 public:
  struct File {
    std::string name;
    std::string path;  // for errors
    RegularFile file;
  };
  explicit OutgoingVersion(std::vector<File> files)
      : files_(std::move(files)) {}

  // The next piece, of at most 1 MiB; false if there are no more. DataLoss if a
  // file has become shorter.
  absl::StatusOr<bool> Next(v1::ModelFileChunk& chunk);

 private:
  std::vector<File> files_;
  std::size_t file_ = 0;
  std::int64_t offset_ = 0;  // in that file
};

// A version whose files come in piece by piece, MANIFEST first, and wait in a
// folder of their own. One call at a time.
class IncomingVersion {
 public:
  // `folder` is there and empty, and is removed with the object unless it has
  // been moved by then.
  explicit IncomingVersion(std::string folder) : folder_(std::move(folder)) {}
  ~IncomingVersion();
  IncomingVersion(const IncomingVersion&) = delete;
  IncomingVersion& operator=(const IncomingVersion&) = delete;

  const std::string& folder() const { return folder_; }

  // InvalidArgument for a file that is not expected, or not of the size that
  // the MANIFEST says; ResourceExhausted if the disk is full; DataLoss for a
  // MANIFEST that is damaged.
  absl::Status Append(const v1::ModelFileChunk& chunk);

  // The files are all there and stay after a crash, their digests unchecked.
  // InvalidArgument if some are missing.
  absl::Status Close();

 private:
  absl::Status Begin(const v1::ModelFileChunk& chunk);
  absl::Status End();

  std::string folder_;
  std::string name_;       // of the file that is coming, or empty
  std::int64_t size_ = 0;  // of that file
  std::int64_t have_ = 0;  // bytes of it
  FileDescriptor file_;
  std::string manifest_text_;
  std::optional<Manifest> manifest_;  // once it is complete
  std::size_t done_ = 0;              // files of the manifest
};

}  // namespace poe::server

#endif  // POE_SERVER_VERSION_FILES_H_
