#include "core/io/file_reader.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"

namespace poe {
namespace {

constexpr unsigned kBufferBytes = 1 << 20;
// Of an unpacked file; more only up to a multiple of the packed one.
constexpr std::size_t kMostUnpacked = 256 << 20;
constexpr std::size_t kMostUnpackedRatio = 200;

}  // namespace

void FileReader::Close::operator()(gzFile_s* file) const { gzclose_r(file); }

FileReader::FileReader(gzFile_s* file, const std::string& path)
    : file_(file), path_(path) {
  gzbuffer(file, kBufferBytes);
}

absl::StatusOr<FileReader> FileReader::Open(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rbe");
  if (file == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  }
  return FileReader(file, path);
}

absl::StatusOr<FileReader> FileReader::Adopt(int descriptor,
                                             const std::string& path) {
  gzFile file = gzdopen(descriptor, "rb");
  if (file == nullptr) {
    close(descriptor);
    return absl::ResourceExhaustedError(
        absl::StrCat("not enough memory to read ", path));
  }
  return FileReader(file, path);
}

absl::Status FileReader::Read(std::size_t size, std::string& bytes) {
  int received = 1;
  while (size > 0 && received > 0) {
    const std::size_t before = bytes.size();
    const auto wanted = static_cast<unsigned>(
        std::min(size, static_cast<std::size_t>(kBufferBytes)));
    bytes.resize(before + wanted);
    received = gzread(file_.get(), bytes.data() + before, wanted);
    const std::size_t count =
        received > 0 ? static_cast<std::size_t>(received) : 0;
    bytes.resize(before + count);
    size -= count;
    unpacked_ += count;
    // Not known of pipes.
    const z_off_t packed = gzoffset(file_.get());
    if (packed >= 0 && unpacked_ > kMostUnpacked &&
        unpacked_ / kMostUnpackedRatio > static_cast<std::size_t>(packed)) {
      return absl::ResourceExhaustedError(
          absl::StrCat(path_, ": unpacks to more than ", kMostUnpackedRatio,
                       " times its size, and more than ", kMostUnpacked,
                       " bytes; unpack it before if that is meant"));
    }
  }
  if (received > 0) return absl::OkStatus();
  int error = Z_OK;
  const char* const reason = gzerror(file_.get(), &error);
  if (error == Z_ERRNO) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path_));
  }
  if (error != Z_OK && error != Z_STREAM_END) {
    return absl::DataLossError(absl::StrCat(
        path_, ": the gzip stream is truncated or damaged (", reason, ")"));
  }
  return absl::OkStatus();
}

}  // namespace poe
