#include "server/version_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "server/errors.h"
#include "server/manifest.h"
#include "server/steady_time.h"
#include "server/thread_priority.h"

namespace poe::server {
namespace {

constexpr absl::string_view kLabelsFile = "LABELS";
constexpr absl::string_view kLabelsFirstLine = "poe-labels 1\n";
constexpr int kPieceBytes = 1 << 16;

// The version that a folder name stands for, or 0.
std::int64_t VersionOf(absl::string_view name) {
  std::int64_t version = 0;
  if (!absl::SimpleAtoi(name, &version)) return 0;
  if (version < 1 || version > kLastVersion) return 0;
  return absl::StrCat(version) == name ? version : 0;
}

std::string Join(absl::string_view folder, absl::string_view name) {
  return absl::StrCat(folder, "/", name);
}

// An error of the files of a version as what it means for the version.
absl::Status AsDamage(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kInvalidArgument ||
      status.code() == absl::StatusCode::kNotFound) {
    return absl::DataLossError(status.message());
  }
  return status;
}

absl::StatusOr<Manifest> ReadManifest(const std::string& folder) {
  absl::StatusOr<std::string> text =
      ReadFile(Join(folder, kManifestFile), kMostTextBytes);
  if (!text.ok()) return AsDamage(text.status());
  absl::StatusOr<Manifest> manifest = ParseManifest(*text);
  if (manifest.ok() && manifest->Find(kModelFile) == nullptr) {
    return absl::DataLossError("MANIFEST does not name model.pb");
  }
  return manifest;
}

// A file for a parser that takes it piece by piece, digested on the way.
// Between pieces the thread yields, as often as by FrequentYields, whose
// signals would interrupt some file systems.
class DigestedFile : public google::protobuf::io::CopyingInputStream {
 public:
  // `path` is for errors.
  DigestedFile(RegularFile file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}

  int Read(void* buffer, int size) override {
    if (SteadyNow() >= next_yield_) {
      std::this_thread::yield();
      next_yield_ = SteadyTimeAfter(kBetweenYields);
    }
    const absl::StatusOr<std::size_t> count = ReadAt(
        file_.descriptor, buffer, static_cast<std::size_t>(size), read_, path_);
    if (!count.ok()) {
      status_ = count.status();
      return -1;
    }
    digest_.Add({static_cast<const char*>(buffer), *count});
    read_ += static_cast<std::int64_t>(*count);
    return static_cast<int>(*count);
  }

  // Of reading, so far.
  const absl::Status& status() const { return status_; }

  // What has been read, as it would be in a manifest. Only once.
  ManifestEntry Describe(absl::string_view name) {
    return {
        .file = std::string(name), .size = read_, .sha256 = digest_.Finish()};
  }

 private:
  const RegularFile file_;
  const std::string path_;
  SteadyTime next_yield_ = SteadyTimeAfter(kFirstYield);
  std::int64_t read_ = 0;
  Sha256Digest digest_;
  absl::Status status_;
};

// Errors of Open: whatever stands in the way is for the operator to mend.
absl::Status CannotOpen(const std::string& folder, const absl::Status& status) {
  const absl::StatusCode code =
      status.code() == absl::StatusCode::kPermissionDenied ||
              status.code() == absl::StatusCode::kResourceExhausted
          ? status.code()
          : absl::StatusCode::kFailedPrecondition;
  return Error(code, "REPOSITORY_NOT_WRITABLE",
               absl::StrCat("cannot use ", folder,
                            " as model repository: ", status.message()));
}

absl::StatusOr<FileDescriptor> Lock(const std::string& path) {
  FileDescriptor lock(
      open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!lock.is_open()) return FileError("open", path, errno);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return FileError("lock", path, errno);
    return absl::FailedPreconditionError(
        absl::StrCat("another server has it open (", path, " is locked)"));
  }
  return lock;
}

}  // namespace

absl::Status ValidateModelName(absl::string_view name,
                               absl::string_view field) {
  const bool characters_fit =
      std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
      });
  if (!name.empty() && name.size() <= 128 && characters_fit &&
      absl::ascii_isalnum(static_cast<unsigned char>(name.front()))) {
    return absl::OkStatus();
  }
  return FieldError(
      field, "INVALID_MODEL_NAME",
      absl::StrCat(name.empty() ? "is missing" : "is ",
                   name.empty() ? "" : Quoted(name),
                   "; must be 1 to 128 of [A-Za-z0-9_.-], beginning with a "
                   "letter or digit"));
}

absl::Status ValidateLabel(absl::string_view label) {
  const bool characters_fit =
      std::all_of(label.begin(), label.end(), [](unsigned char c) {
        return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_' ||
               c == '-';
      });
  if (!label.empty() && label.size() <= 64 && characters_fit) {
    return absl::OkStatus();
  }
  return FieldError(
      "label", "INVALID_LABEL",
      absl::StrCat("is ", Quoted(label), "; must be 1 to 64 of [a-z0-9_-]"));
}

absl::StatusOr<VersionStore> VersionStore::Open(const std::string& folder) {
  if (folder.empty()) {
    return absl::InvalidArgumentError("the model repository has no name");
  }
  if (absl::Status made = MakeFolder(folder); !made.ok()) {
    return CannotOpen(folder, made);
  }
  absl::StatusOr<FileDescriptor> lock = Lock(Join(folder, ".lock"));
  if (absl::IsPermissionDenied(lock.status())) {
    return CannotOpen(folder, absl::PermissionDeniedError(absl::StrCat(
                                  lock.status().message(),
                                  "; with --read_only it is served and never "
                                  "written")));
  }
  if (!lock.ok()) return CannotOpen(folder, lock.status());
  const std::string temporary = Join(folder, ".tmp");
  RemoveTree(temporary);
  if (absl::Status made = MakeFolder(temporary); !made.ok()) {
    return CannotOpen(folder, made);
  }
  return VersionStore(folder, *std::move(lock));
}

absl::StatusOr<VersionStore> VersionStore::OpenReadOnly(
    const std::string& folder) {
  if (folder.empty()) {
    return absl::InvalidArgumentError("the model repository has no name");
  }
  if (auto names = ListFolder(folder); !names.ok()) {
    return Error(
        absl::StatusCode::kFailedPrecondition, "REPOSITORY_NOT_READABLE",
        absl::StrCat("cannot read ", folder,
                     " as model repository: ", names.status().message()));
  }
  return VersionStore(folder, FileDescriptor());
}

absl::StatusOr<std::vector<std::string>> VersionStore::ListModels() const {
  absl::StatusOr<std::vector<std::string>> names = ListFolder(folder_);
  if (!names.ok()) return names.status();
  names->erase(std::remove_if(names->begin(), names->end(),
                              [this](const std::string& name) {
                                if (!ValidateModelName(name, "").ok()) {
                                  return true;
                                }
                                const auto folder = IsFolder(ModelFolder(name));
                                return folder.ok() && !*folder;
                              }),
               names->end());
  return names;
}

absl::StatusOr<std::vector<std::int64_t>> VersionStore::ListVersions(
    const std::string& name) const {
  const absl::StatusOr<bool> stored = IsFolder(ModelFolder(name));
  if (!stored.ok()) return stored.status();
  if (!*stored) {
    return absl::NotFoundError(absl::StrCat("model ", name, " is not stored"));
  }
  absl::StatusOr<std::vector<std::string>> names =
      ListFolder(ModelFolder(name));
  if (!names.ok()) return names.status();
  std::vector<std::int64_t> versions;
  for (const std::string& entry : *names) {
    const std::int64_t version = VersionOf(entry);
    if (version == 0) continue;
    const auto folder = IsFolder(VersionFolder(name, version));
    if (!folder.ok() || *folder) versions.push_back(version);
  }
  std::sort(versions.begin(), versions.end());
  return versions;
}

absl::StatusOr<VersionStore::Summary> VersionStore::Inspect(
    const std::string& name, std::int64_t version) const {
  return InspectFolder(VersionFolder(name, version));
}

absl::StatusOr<VersionStore::Summary> VersionStore::InspectFolder(
    const std::string& folder) {
  absl::StatusOr<Manifest> manifest = ReadManifest(folder);
  if (!manifest.ok()) return manifest.status();
  absl::StatusOr<std::vector<FileStamp>> stamps = StampsIn(folder, *manifest);
  if (!stamps.ok()) return stamps.status();
  for (std::size_t i = 0; i < manifest->files.size(); ++i) {
    const ManifestEntry& entry = manifest->files[i];
    if ((*stamps)[i].size == entry.size) continue;
    return absl::DataLossError(
        absl::StrCat(entry.file, " has ", (*stamps)[i].size,
                     " bytes; its MANIFEST says ", entry.size));
  }
  Summary summary;
  summary.bytes = manifest->TotalSize() + stamps->back().size;
  summary.created = stamps->back().modified;
  summary.stamps = *std::move(stamps);
  summary.manifest = *std::move(manifest);
  return summary;
}

absl::StatusOr<std::vector<FileStamp>> VersionStore::Stamps(
    const std::string& name, std::int64_t version,
    const Manifest& manifest) const {
  return StampsIn(VersionFolder(name, version), manifest);
}

absl::StatusOr<std::vector<FileStamp>> VersionStore::StampsIn(
    const std::string& folder, const Manifest& manifest) {
  std::vector<std::string> files;
  for (const ManifestEntry& entry : manifest.files) files.push_back(entry.file);
  files.emplace_back(kManifestFile);
  std::vector<FileStamp> stamps;
  for (const std::string& file : files) {
    const absl::StatusOr<FileStamp> stamp = StampOf(Join(folder, file));
    if (!stamp.ok()) return AsDamage(stamp.status());
    stamps.push_back(*stamp);
  }
  return stamps;
}

absl::StatusOr<v1::Model> VersionStore::Read(const std::string& name,
                                             std::int64_t version) const {
  if (absl::Status s = CheckStored(name, version); !s.ok()) return s;
  return ReadFolder(VersionFolder(name, version));
}

absl::Status VersionStore::CheckStored(const std::string& name,
                                       std::int64_t version) const {
  for (const std::string& path :
       {ModelFolder(name), VersionFolder(name, version)}) {
    const absl::StatusOr<bool> folder = IsFolder(path);
    if (!folder.ok()) return folder.status();
    if (*folder) continue;
    return absl::NotFoundError(
        absl::StrCat("version ", version, " of ", name, " is not stored"));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Model> VersionStore::ReadFolder(const std::string& folder) {
  absl::StatusOr<Manifest> manifest = ReadManifest(folder);
  if (!manifest.ok()) return manifest.status();
  return ReadContents(folder, *manifest);
}

absl::StatusOr<v1::Model> VersionStore::ReadModel(
    const std::string& name, std::int64_t version,
    const Manifest& manifest) const {
  if (absl::Status s = CheckStored(name, version); !s.ok()) return s;
  return ReadContents(VersionFolder(name, version), manifest);
}

absl::StatusOr<v1::Model> VersionStore::ReadContents(const std::string& folder,
                                                     const Manifest& manifest) {
  const std::string path = Join(folder, kModelFile);
  absl::StatusOr<RegularFile> opened = OpenFile(path);
  if (!opened.ok()) return AsDamage(opened.status());
  if (opened->size > kMostModelBytes) {
    return absl::DataLossError(absl::StrCat(kModelFile, " has ", opened->size,
                                            " bytes; a model has at most ",
                                            kMostModelBytes));
  }
  DigestedFile file(*std::move(opened), path);
  google::protobuf::io::CopyingInputStreamAdaptor pieces(&file, kPieceBytes);
  v1::Model model;
  const bool is_model = model.ParseFromZeroCopyStream(&pieces);
  // Parsing may have stopped early; the digest is of the whole file.
  pieces.Skip(std::numeric_limits<int>::max());
  if (!file.status().ok()) return file.status();
  absl::Status fits =
      CheckFile(*manifest.Find(kModelFile), file.Describe(kModelFile));
  if (!fits.ok()) return fits;
  if (!is_model) return absl::DataLossError("model.pb is not a poe.v1.Model");
  return model;
}

absl::StatusOr<std::int64_t> VersionStore::NextVersion(
    const std::string& name) const {
  const absl::StatusOr<bool> stored = IsFolder(ModelFolder(name));
  if (!stored.ok()) return stored.status();
  if (!*stored) return 1;
  absl::StatusOr<std::vector<std::string>> names =
      ListFolder(ModelFolder(name));
  if (!names.ok()) return names.status();
  std::int64_t greatest = 0;
  for (const std::string& entry : *names) {
    greatest = std::max(greatest, VersionOf(entry));
  }
  return greatest + 1;
}

absl::StatusOr<VersionStore::Summary> VersionStore::Write(
    const std::string& name, std::int64_t version,
    const v1::Model& model) const {
  const std::size_t size = model.ByteSizeLong();
  if (size > static_cast<std::size_t>(kMostModelBytes)) {
    return Error(absl::StatusCode::kResourceExhausted, "MODEL_TOO_LARGE",
                 absl::StrCat("the model has ", size, " bytes; at most ",
                              kMostModelBytes, " can be stored"));
  }
  const std::string bytes = model.SerializeAsString();
  const std::string text =
      FormatManifest({.files = {DescribeFile(kModelFile, bytes)}});
  const std::string temporary = TemporaryName();
  if (absl::Status s = WriteFiles(temporary, bytes, text); !s.ok()) {
    RemoveTree(temporary);
    return s;
  }
  absl::StatusOr<Summary> written = Adopt(name, version, temporary);
  if (!written.ok()) RemoveTree(temporary);
  return written;
}

absl::StatusOr<VersionStore::Summary> VersionStore::Adopt(
    const std::string& name, std::int64_t version,
    const std::string& folder) const {
  absl::StatusOr<Summary> summary = InspectFolder(folder);
  if (!summary.ok()) return summary;
  absl::Status status = MakeModelFolder(name);
  if (status.ok()) status = RenameToNew(folder, VersionFolder(name, version));
  if (!status.ok()) {
    // Only succeeds if the folder is empty.
    rmdir(ModelFolder(name).c_str());
    return status;
  }
  status = SyncFolder(ModelFolder(name));
  if (status.ok()) return summary;
  // In one step: there must not be half a version.
  if (!RenameToNew(VersionFolder(name, version), folder).ok()) {
    RemoveTree(VersionFolder(name, version));
  }
  return status;
}

absl::StatusOr<std::string> VersionStore::MakeTemporary() const {
  std::string folder = TemporaryName();
  if (absl::Status s = MakeFolder(folder); !s.ok()) return s;
  return folder;
}

absl::StatusOr<OutgoingVersion> VersionStore::OpenVersion(
    const std::string& name, std::int64_t version) const {
  if (absl::Status s = CheckStored(name, version); !s.ok()) return s;
  const std::string folder = VersionFolder(name, version);
  std::vector<OutgoingVersion::File> files;
  for (const absl::string_view file : {kManifestFile, kModelFile}) {
    const std::string path = Join(folder, file);
    absl::StatusOr<RegularFile> opened = OpenFile(path);
    if (!opened.ok()) return AsDamage(opened.status());
    files.push_back({std::string(file), path, *std::move(opened)});
  }
  return OutgoingVersion(std::move(files));
}

absl::Status VersionStore::WriteFiles(const std::string& folder,
                                      absl::string_view model,
                                      absl::string_view manifest) const {
  if (absl::Status s = MakeFolder(folder); !s.ok()) return s;
  if (absl::Status s = WriteDurably(Join(folder, kModelFile), model); !s.ok()) {
    return s;
  }
  if (absl::Status s = WriteDurably(Join(folder, kManifestFile), manifest);
      !s.ok()) {
    return s;
  }
  return SyncFolder(folder);
}

absl::Status VersionStore::MakeModelFolder(const std::string& name) const {
  const std::string path = ModelFolder(name);
  if (absl::Status s = MakeFolder(path); !s.ok()) return s;
  const absl::StatusOr<bool> folder = IsFolder(path);
  if (!folder.ok()) return folder.status();
  if (!*folder) return FileError("use folder", path, ENOTDIR);
  return SyncFolder(folder_);
}

absl::Status VersionStore::RemoveVersion(const std::string& name,
                                         std::int64_t version) const {
  return RemoveFolder(VersionFolder(name, version), ModelFolder(name));
}

absl::Status VersionStore::RemoveModel(const std::string& name) const {
  return RemoveFolder(ModelFolder(name), folder_);
}

absl::StatusOr<Labels> VersionStore::ReadLabels(const std::string& name) const {
  absl::StatusOr<std::string> text =
      ReadFile(Join(ModelFolder(name), kLabelsFile), kMostTextBytes);
  if (absl::IsNotFound(text.status())) return Labels();
  if (!text.ok()) return AsDamage(text.status());
  absl::string_view rest = *text;
  if (!absl::ConsumePrefix(&rest, kLabelsFirstLine)) {
    return absl::DataLossError(
        "LABELS is damaged: it does not begin with \"poe-labels 1\"");
  }
  Labels labels;
  for (absl::string_view line : absl::StrSplit(rest, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
    if (fields.size() != 2 || !ValidateLabel(fields[0]).ok() ||
        VersionOf(fields[1]) == 0) {
      return absl::DataLossError(
          absl::StrCat("LABELS is damaged: ", Quoted(line),
                       " is not a label and a version"));
    }
    labels.emplace(fields[0], VersionOf(fields[1]));
  }
  return labels;
}

absl::Status VersionStore::WriteLabels(const std::string& name,
                                       const Labels& labels) const {
  std::string text(kLabelsFirstLine);
  for (const auto& [label, version] : labels) {
    absl::StrAppend(&text, label, " ", version, "\n");
  }
  const std::string temporary = TemporaryName();
  const std::string path = Join(ModelFolder(name), kLabelsFile);
  absl::Status status = WriteDurably(temporary, text);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = FileError("replace", path, errno);
  }
  if (!status.ok()) {
    RemoveTree(temporary);
    return status;
  }
  return SyncFolder(ModelFolder(name));
}

std::string VersionStore::ModelFolder(const std::string& name) const {
  return Join(folder_, name);
}

std::string VersionStore::VersionFolder(const std::string& name,
                                        std::int64_t version) const {
  return absl::StrCat(ModelFolder(name), "/", version);
}

std::string VersionStore::TemporaryName() const {
  absl::BitGen random;
  return absl::StrCat(
      folder_, "/.tmp/",
      absl::Hex(absl::Uniform<std::uint64_t>(random), absl::kZeroPad16));
}

absl::Status VersionStore::RemoveFolder(const std::string& path,
                                        const std::string& parent) const {
  const std::string temporary = TemporaryName();
  if (absl::Status s = RenameToNew(path, temporary); !s.ok()) return s;
  absl::Status status = SyncFolder(parent);
  RemoveTree(temporary);
  return status;
}

}  // namespace poe::server
