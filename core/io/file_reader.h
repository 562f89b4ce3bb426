#ifndef POE_IO_FILE_READER_H_
#define POE_IO_FILE_READER_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct gzFile_s;

namespace poe {

// A file that is read from front to back, unpacked if it is gzipped. Errors
// name the path: those of the operating system, DATA_LOSS for a truncated or
// damaged compressed stream, and RESOURCE_EXHAUSTED for one that unpacks to
// more than 256 MiB and 200 times its size. Not thread-safe.
class FileReader {
 public:
  static absl::StatusOr<FileReader> Open(const std::string& path);
  // The same of a file that is open, and is closed with the object or at once.
  static absl::StatusOr<FileReader> Adopt(int descriptor,
                                          const std::string& path);

  // Adds the next `size` bytes to `bytes`, or as many as are left.
  absl::Status Read(std::size_t size, std::string& bytes);

 private:
  struct Close {
    void operator()(gzFile_s* file) const;
  };

  FileReader(gzFile_s* file, const std::string& path);

  std::unique_ptr<gzFile_s, Close> file_;
  std::string path_;
  std::size_t unpacked_ = 0;
};

}  // namespace poe

#endif  // POE_IO_FILE_READER_H_
