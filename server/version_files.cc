#include "server/version_files.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/errors.h"
#include "server/version_store.h"

namespace poe::server {
namespace {

// Well below the 4 MiB that gRPC's clients take unless told otherwise.
constexpr std::int64_t kChunkBytes = 1 << 20;

absl::Status BadChunk(absl::string_view field, absl::string_view description) {
  return FieldError(absl::StrCat("chunk.", field), "UNEXPECTED_FILE",
                    description);
}

}  // namespace

absl::StatusOr<bool> OutgoingVersion::Next(v1::ModelFileChunk& chunk) {
  chunk.Clear();
  if (file_ == files_.size()) return false;
  const auto& [name, path, file] = files_[file_];
  if (offset_ == 0) {
    chunk.set_file(name);
    chunk.set_file_size(file.size);
  }
  const std::int64_t wanted = std::min(kChunkBytes, file.size - offset_);
  std::string& data = *chunk.mutable_data();
  data.resize(static_cast<std::size_t>(wanted));
  const absl::StatusOr<std::size_t> have =
      ReadAt(file.descriptor, data.data(), data.size(), offset_, path);
  if (!have.ok()) return have.status();
  offset_ += static_cast<std::int64_t>(*have);
  if (*have < data.size()) {
    return absl::DataLossError(absl::StrCat(name, " ended after ", offset_,
                                            " of ", file.size, " bytes"));
  }
  if (offset_ == file.size) {
    ++file_;
    offset_ = 0;
  }
  return true;
}

IncomingVersion::~IncomingVersion() { RemoveTree(folder_); }

absl::Status IncomingVersion::Append(const v1::ModelFileChunk& chunk) {
  if (!chunk.file().empty()) {
    if (absl::Status s = Begin(chunk); !s.ok()) return s;
  }
  if (name_.empty()) {
    return BadChunk("file",
                    "is missing; the first chunk of each file names it");
  }
  const auto bytes = static_cast<std::int64_t>(chunk.data().size());
  if (bytes > size_ - have_) {
    return BadChunk("data",
                    absl::StrCat("brings ", name_, " to ", have_ + bytes,
                                 " bytes; it has ", size_));
  }
  have_ += bytes;
  if (!manifest_.has_value()) manifest_text_ += chunk.data();
  absl::Status written =
      WriteAll(file_, chunk.data().data(), chunk.data().size(), folder_);
  if (!written.ok()) return written;
  return have_ == size_ ? End() : absl::OkStatus();
}

absl::Status IncomingVersion::Begin(const v1::ModelFileChunk& chunk) {
  if (!name_.empty()) {
    return BadChunk(
        "file", absl::StrCat("is ", Quoted(chunk.file()), "; ", size_ - have_,
                             " bytes of ", name_, " are still to come"));
  }
  std::string expected(kManifestFile);
  std::int64_t least = 1, most = kMostTextBytes;
  if (manifest_.has_value()) {
    if (done_ == manifest_->files.size()) {
      return BadChunk("file", absl::StrCat("is ", Quoted(chunk.file()),
                                           "; all files have come"));
    }
    expected = manifest_->files[done_].file;
    least = most = manifest_->files[done_].size;
  }
  if (chunk.file() != expected) {
    return BadChunk("file", absl::StrCat("is ", Quoted(chunk.file()),
                                         "; must be ", expected, " now"));
  }
  if (chunk.file_size() < least || chunk.file_size() > most) {
    return BadChunk(
        "file_size",
        absl::StrCat("is ", chunk.file_size(), "; ", expected, " has ",
                     least == most ? absl::StrCat(least)
                                   : absl::StrCat(least, " to ", most),
                     " bytes"));
  }
  absl::StatusOr<FileDescriptor> file =
      CreateFile(absl::StrCat(folder_, "/", expected));
  if (!file.ok()) return file.status();
  file_ = *std::move(file);
  name_ = std::move(expected);
  size_ = chunk.file_size();
  have_ = 0;
  return absl::OkStatus();
}

absl::Status IncomingVersion::End() {
  if (absl::Status s = SyncFile(file_, folder_); !s.ok()) return s;
  file_ = FileDescriptor();
  name_.clear();
  if (manifest_.has_value()) {
    ++done_;
    return absl::OkStatus();
  }
  absl::StatusOr<Manifest> manifest = ParseManifest(manifest_text_);
  if (!manifest.ok()) return manifest.status();
  if (manifest->files.size() != 1 || manifest->files[0].file != kModelFile) {
    return BadChunk("data", absl::StrCat("is a MANIFEST that does not name ",
                                         kModelFile, " alone"));
  }
  manifest_ = *std::move(manifest);
  return absl::OkStatus();
}

absl::Status IncomingVersion::Close() {
  if (!name_.empty()) {
    return BadChunk("data", absl::StrCat("ended ", size_ - have_,
                                         " bytes before the end of ", name_));
  }
  if (!manifest_.has_value() || done_ < manifest_->files.size()) {
    return BadChunk("file", absl::StrCat("never was ",
                                         manifest_.has_value()
                                             ? manifest_->files[done_].file
                                             : std::string(kManifestFile),
                                         ", which is missing"));
  }
  return SyncFolder(folder_);
}

}  // namespace poe::server
