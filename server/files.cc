#include "server/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/errors.h"

namespace poe::server {
namespace {

absl::StatusCode CodeOf(int error_number) {
  switch (error_number) {
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::StatusCode::kResourceExhausted;
    case EEXIST:
    case ENOTEMPTY:
      return absl::StatusCode::kAlreadyExists;
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EXDEV:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::StatusCode::kInternal;
  }
}

// O_NONBLOCK: opening a pipe must not wait for its other end.
constexpr int kForReading = O_RDONLY | O_NONBLOCK | O_CLOEXEC;

// The file that has just been opened, or not, with what errno says.
absl::StatusOr<RegularFile> CheckRegular(FileDescriptor descriptor,
                                         const std::string& path) {
  RegularFile file;
  file.descriptor = std::move(descriptor);
  if (!file.descriptor.is_open()) return FileError("read", path, errno);
  struct stat found;
  if (fstat(file.descriptor.get(), &found) != 0) {
    return FileError("read", path, errno);
  }
  if (!S_ISREG(found.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is not a regular file"));
  }
  file.size = found.st_size;
  return file;
}

// What OpenFile says, with `flags` of open besides.
absl::StatusOr<RegularFile> OpenRegularFile(const std::string& path,
                                            int flags) {
  return CheckRegular(FileDescriptor(open(path.c_str(), kForReading | flags)),
                      path);
}

// Opens what a folder has of this name, unless it is a link. `whole` is for the
// error.
absl::StatusOr<FileDescriptor> OpenPart(const FileDescriptor& folder,
                                        const std::string& part, int flags,
                                        const std::string& whole) {
  FileDescriptor opened(openat(folder.get(), part.c_str(), flags | O_NOFOLLOW));
  if (opened.is_open()) return opened;
  if (errno != ELOOP && errno != ENOTDIR) {
    return FileError("read", whole, errno);
  }
  return Error(CodeOf(errno), "FILE_ERROR",
               absl::StrCat("cannot read ", whole, ": ", part,
                            " is a link, which is not followed, or not the "
                            "folder that it should be"));
}

absl::StatusOr<std::string> ReadAll(const std::string& path,
                                    const absl::StatusOr<RegularFile>& file,
                                    std::int64_t most_bytes) {
  if (!file.ok()) return file.status();
  if (file->size > most_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has ", file->size,
                                                   " bytes; at most ",
                                                   most_bytes, " are allowed"));
  }
  std::string contents(static_cast<std::size_t>(file->size), '\0');
  const absl::StatusOr<std::size_t> size =
      ReadAt(file->descriptor, contents.data(), contents.size(), 0, path);
  if (!size.ok()) return size.status();
  contents.resize(*size);
  return contents;
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (is_open()) close(fd_);
}

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

int FileDescriptor::Release() { return std::exchange(fd_, -1); }

absl::Status FileError(absl::string_view action, const std::string& path,
                       int error_number) {
  return Error(CodeOf(error_number), "FILE_ERROR",
               absl::StrCat("cannot ", action, " ", path, ": ",
                            std::generic_category().message(error_number)));
}

absl::Status MakeFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0777) == 0) return absl::OkStatus();
  const int error = errno;
  struct stat found;
  if (error == EEXIST && stat(path.c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode)) return absl::OkStatus();
    return FileError("make folder", path, ENOTDIR);
  }
  return FileError("make folder", path, error);
}

absl::StatusOr<bool> IsFolder(const std::string& path) {
  struct stat found;
  if (lstat(path.c_str(), &found) == 0) return S_ISDIR(found.st_mode);
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return FileError("look at", path, errno);
}

absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::directory_iterator entry(path, error);
  std::vector<std::string> names;
  for (; !error && entry != std::filesystem::directory_iterator();
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) return FileError("list folder", path, error.value());
  std::sort(names.begin(), names.end());
  return names;
}

void RemoveTree(const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

absl::StatusOr<FileDescriptor> CreateFile(const std::string& path) {
  FileDescriptor file(
      open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.is_open()) return FileError("create", path, errno);
  return file;
}

absl::Status WriteAll(const FileDescriptor& file, const void* bytes,
                      std::size_t size, const std::string& path) {
  const char* next = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t written = write(file.get(), next, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      return FileError("write", path, errno);
    }
    next += written;
    size -= static_cast<std::size_t>(written);
  }
  return absl::OkStatus();
}

absl::Status SyncFile(const FileDescriptor& file, const std::string& path) {
  if (fsync(file.get()) != 0) return FileError("sync", path, errno);
  return absl::OkStatus();
}

absl::Status WriteDurably(const std::string& path, absl::string_view contents) {
  absl::StatusOr<FileDescriptor> file = CreateFile(path);
  if (!file.ok()) return file.status();
  absl::Status written =
      WriteAll(*file, contents.data(), contents.size(), path);
  if (!written.ok()) return written;
  return SyncFile(*file, path);
}

absl::Status ReplaceDurably(const std::string& path,
                            absl::string_view contents) {
  const std::string fresh = absl::StrCat(path, ".new");
  RemoveTree(fresh);
  if (absl::Status s = WriteDurably(fresh, contents); !s.ok()) {
    RemoveTree(fresh);
    return s;
  }
  if (rename(fresh.c_str(), path.c_str()) != 0) {
    const absl::Status status = FileError("replace", path, errno);
    RemoveTree(fresh);
    return status;
  }
  return SyncFolder(path.substr(0, path.rfind('/')));
}

absl::Status SyncFolder(const std::string& path) {
  const FileDescriptor folder(
      open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open()) return FileError("open folder", path, errno);
  return SyncFile(folder, path);
}

absl::Status RenameToNew(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(),
                RENAME_NOREPLACE) == 0) {
    return absl::OkStatus();
  }
  if (errno != EINVAL && errno != ENOSYS) {
    return FileError("make", to, errno);
  }
  // A file system without the flag. Nobody else writes here: looking first is
  // enough.
  struct stat found;
  if (lstat(to.c_str(), &found) == 0) return FileError("make", to, EEXIST);
  if (rename(from.c_str(), to.c_str()) != 0) {
    return FileError("make", to, errno);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> ReadAt(const FileDescriptor& file, void* bytes,
                                   std::size_t size, std::int64_t offset,
                                   const std::string& path) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count =
        pread(file.get(), static_cast<char*>(bytes) + done, size - done,
              offset + static_cast<std::int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError("read", path, errno);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

absl::StatusOr<FileStamp> StampOf(const std::string& path) {
  struct stat found;
  if (lstat(path.c_str(), &found) != 0) return FileError("read", path, errno);
  if (!S_ISREG(found.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is not a regular file"));
  }
  return FileStamp{.size = found.st_size,
                   .modified = absl::TimeFromTimespec(found.st_mtim),
                   .changed = absl::TimeFromTimespec(found.st_ctim)};
}

absl::StatusOr<RegularFile> OpenFile(const std::string& path) {
  return OpenRegularFile(path, O_NOFOLLOW);
}

bool IsNameBelow(absl::string_view name) {
  if (absl::StrContains(name, '\0')) return false;
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '/');
  return std::none_of(parts.begin(), parts.end(), [](absl::string_view part) {
    return part.empty() || part == "." || part == "..";
  });
}

absl::StatusOr<RegularFile> OpenBelow(const std::string& folder,
                                      const std::string& name) {
  if (!IsNameBelow(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(name), " is no name of a file below a folder"));
  }
  FileDescriptor at(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at.is_open()) return FileError("open folder", folder, errno);
  std::vector<std::string> parts = absl::StrSplit(name, '/');
  const std::string last = std::move(parts.back());
  parts.pop_back();
  for (const std::string& part : parts) {
    absl::StatusOr<FileDescriptor> next =
        OpenPart(at, part, O_PATH | O_DIRECTORY | O_CLOEXEC, name);
    if (!next.ok()) return next.status();
    at = *std::move(next);
  }
  absl::StatusOr<FileDescriptor> file = OpenPart(at, last, kForReading, name);
  if (!file.ok()) return file.status();
  return CheckRegular(*std::move(file), name);
}

absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     std::int64_t most_bytes) {
  return ReadAll(path, OpenFile(path), most_bytes);
}

absl::StatusOr<std::string> ReadNamedFile(const std::string& path,
                                          std::int64_t most_bytes) {
  return ReadAll(path, OpenRegularFile(path, 0), most_bytes);
}

}  // namespace poe::server
