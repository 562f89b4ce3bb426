// Files and folders by plain system calls: what the standard library does not
// offer is that something stays after a crash, and that nothing is overwritten
// or followed out of a folder.
#ifndef POE_SERVER_FILES_H_
#define POE_SERVER_FILES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace poe::server {

// An open file, closed with the object.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  // No longer closes it.
  int Release();

 private:
  int fd_ = -1;
};

// "cannot <action> <path>: <text of the error>". PermissionDenied for missing
// rights and read-only disks, ResourceExhausted for a full disk or too many
// files, AlreadyExists, NotFound, FailedPrecondition where something else
// stands in the way, otherwise Internal.
absl::Status FileError(absl::string_view action, const std::string& path,
                       int error_number);

// OK if there is a folder afterwards. Makes one level only.
absl::Status MakeFolder(const std::string& path);

// Whether there is a real folder; a symbolic link to one is none. An error if
// that cannot be found out: only what is not there is known to be none.
absl::StatusOr<bool> IsFolder(const std::string& path);

// Names in the folder, sorted, without "." and "..".
absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path);

// Removes a file or a folder with all below it, as far as it can be removed.
void RemoveTree(const std::string& path);

// Opens a new file for writing; AlreadyExists if there is something.
absl::StatusOr<FileDescriptor> CreateFile(const std::string& path);

// Writes all bytes at the end of what was written before. `path` is for the
// error.
absl::Status WriteAll(const FileDescriptor& file, const void* bytes,
                      std::size_t size, const std::string& path);

// Makes what was written to a file stay after a crash. `path` is for the error.
absl::Status SyncFile(const FileDescriptor& file, const std::string& path);

// A new file that stays after a crash once its folder is synced.
absl::Status WriteDurably(const std::string& path, absl::string_view contents);

// The same in the place of what there is, in one step: a crash leaves either
// the old contents or the new ones. `path` with ".new" behind is used
// meanwhile.
absl::Status ReplaceDurably(const std::string& path,
                            absl::string_view contents);

// Makes the names in a folder stay after a crash.
absl::Status SyncFolder(const std::string& path);

// Gives `from` the name `to` in one step; AlreadyExists, and nothing changed,
// if there is something of that name.
absl::Status RenameToNew(const std::string& from, const std::string& to);

struct RegularFile {
  FileDescriptor descriptor;
  std::int64_t size = 0;  // bytes, when it was opened
};

// By which it shows that a file has changed.
struct FileStamp {
  std::int64_t size = 0;  // bytes
  absl::Time modified;
  absl::Time changed;  // its contents, or name, rights and times

  bool operator==(const FileStamp&) const = default;
};

// Of a regular file, links not followed. InvalidArgument if it is something
// else.
absl::StatusOr<FileStamp> StampOf(const std::string& path);

// For reading; links are not followed. InvalidArgument if it is something else.
absl::StatusOr<RegularFile> OpenFile(const std::string& path);

// Whether a name stays below the folder that it is relative to: parts between
// slashes, none of them empty, "." or "..".
bool IsNameBelow(absl::string_view name);

// For reading, by such a name: neither the file nor a folder on the way may be
// a link (FailedPrecondition), but `folder` may. InvalidArgument if the name is
// none, or what it names no regular file. Errors tell the name as it is given.
absl::StatusOr<RegularFile> OpenBelow(const std::string& folder,
                                      const std::string& name);

// Reads `size` bytes from an offset on; how many there were. `path` is for the
// error.
absl::StatusOr<std::size_t> ReadAt(const FileDescriptor& file, void* bytes,
                                   std::size_t size, std::int64_t offset,
                                   const std::string& path);

// The contents of a regular file, links not followed. InvalidArgument if it is
// something else or has more than `most_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     std::int64_t most_bytes);

// The same with links followed: for files that whoever runs the server names,
// which often are links.
absl::StatusOr<std::string> ReadNamedFile(const std::string& path,
                                          std::int64_t most_bytes);

}  // namespace poe::server

#endif  // POE_SERVER_FILES_H_
