#include "core/io/file_bytes.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/io/file_reader.h"

namespace poe {
namespace {

constexpr size_t kChunkBytes = 1 << 20;

// Both return 0 or an errno.
int WriteAll(int descriptor, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

int WriteTo(const std::string& path, absl::string_view bytes) {
  const int descriptor =
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) return errno;
  const int error = WriteAll(descriptor, bytes);
  if (close(descriptor) != 0 && error == 0) return errno;
  return error;
}

}  // namespace

absl::StatusOr<std::string> ReadFileBytes(const std::string& path) {
  absl::StatusOr<FileReader> file = FileReader::Open(path);
  if (!file.ok()) return file.status();
  std::string bytes;
  size_t before = 0;
  do {
    before = bytes.size();
    absl::Status read = file->Read(kChunkBytes, bytes);
    if (!read.ok()) return read;
  } while (bytes.size() == before + kChunkBytes);
  return bytes;
}

absl::Status WriteFileBytes(const std::string& path, absl::string_view bytes) {
  std::error_code ignored;
  const std::filesystem::file_status target =
      std::filesystem::symlink_status(path, ignored);
  const bool replace = !std::filesystem::exists(target) ||
                       std::filesystem::is_regular_file(target);
  const std::string destination =
      replace ? absl::StrCat(path, ".", getpid(), ".partial") : path;
  int error = WriteTo(destination, bytes);
  if (replace) {
    if (error == 0 && std::rename(destination.c_str(), path.c_str()) != 0) {
      error = errno;
    }
    if (error != 0) std::remove(destination.c_str());
  }
  if (error == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(error, absl::StrCat("cannot write ", path));
}

}  // namespace poe
