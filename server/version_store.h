// Models on the disk, and nothing of them in memory: the layout
//
//   <folder>/<model>/<version>/{model.pb,MANIFEST}
//   <folder>/<model>/LABELS
//   <folder>/.lock, <folder>/.tmp/
//
// and the steps by which something appears there or goes away, so that a crash
// at any moment leaves a folder that can be read. See docs/model-format.md.
#ifndef POE_SERVER_VERSION_STORE_H_
#define POE_SERVER_VERSION_STORE_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "poe/v1/model.pb.h"
#include "server/files.h"
#include "server/manifest.h"
#include "server/version_files.h"

namespace poe::server {

inline constexpr absl::string_view kModelFile = "model.pb";
inline constexpr absl::string_view kManifestFile = "MANIFEST";
// What protobuf can read.
inline constexpr std::int64_t kMostModelBytes =
    std::numeric_limits<std::int32_t>::max();
// Of files for people.
inline constexpr std::int64_t kMostTextBytes = 1 << 20;

inline constexpr std::int64_t kLastVersion = 999'999'999'999'999;

// InvalidArgument unless the name is 1 to 128 of [A-Za-z0-9_.-], beginning with
// a letter or digit: then it is also a safe name for a folder.
absl::Status ValidateModelName(absl::string_view name, absl::string_view field);

// Label to version.
using Labels = std::map<std::string, std::int64_t, std::less<>>;

// InvalidArgument unless it is 1 to 64 of [a-z0-9_-].
absl::Status ValidateLabel(absl::string_view label);

// Reading is thread-safe; whoever changes something must see to it that nothing
// else changes meanwhile. Names must have passed ValidateModelName.
class VersionStore {
 public:
  // Makes the folder if absent, locks it against other servers and empties its
  // .tmp. Errors as ModelRepository::Open.
  static absl::StatusOr<VersionStore> Open(const std::string& folder);

  // Of a folder that is there, which nothing is written into. Whatever changes
  // something must not be called.
  static absl::StatusOr<VersionStore> OpenReadOnly(const std::string& folder);

  const std::string& folder() const { return folder_; }

  // Names of folders that may hold versions, sorted. What is there and cannot
  // be looked at is listed, here and as a version.
  absl::StatusOr<std::vector<std::string>> ListModels() const;
  // Numbers of the versions of a model, ascending. NotFound if there is no
  // folder of it.
  absl::StatusOr<std::vector<std::int64_t>> ListVersions(
      const std::string& name) const;

  struct Summary {
    std::int64_t bytes = 0;
    absl::Time created;
    // Those of Stamps.
    std::vector<FileStamp> stamps;
    Manifest manifest;
  };
  // What the manifest and the files' sizes tell, contents unread. DataLoss if
  // they do not fit.
  absl::StatusOr<Summary> Inspect(const std::string& name,
                                  std::int64_t version) const;
  // Of the files that a manifest names, in its order, and of itself; nothing is
  // opened. DataLoss if one is missing.
  absl::StatusOr<std::vector<FileStamp>> Stamps(const std::string& name,
                                                std::int64_t version,
                                                const Manifest& manifest) const;
  // The model, after its digest has been checked. DataLoss; NotFound if it has
  // been deleted meanwhile.
  absl::StatusOr<v1::Model> Read(const std::string& name,
                                 std::int64_t version) const;
  // The same by a manifest that has been read already.
  absl::StatusOr<v1::Model> ReadModel(const std::string& name,
                                      std::int64_t version,
                                      const Manifest& manifest) const;
  // The least number greater than those of all versions there are.
  absl::StatusOr<std::int64_t> NextVersion(const std::string& name) const;
  // A new version, in one step. AlreadyExists if there is one of that number.
  absl::StatusOr<Summary> Write(const std::string& name, std::int64_t version,
                                const v1::Model& model) const;

  // The files of a version, to be copied out. Errors as Read.
  absl::StatusOr<OutgoingVersion> OpenVersion(const std::string& name,
                                              std::int64_t version) const;
  // A new folder for a version that is to come, below .tmp.
  absl::StatusOr<std::string> MakeTemporary() const;
  // The model in a folder, after its digest has been checked. DataLoss.
  static absl::StatusOr<v1::Model> ReadFolder(const std::string& folder);
  // Makes a folder that holds a version, synced, that version in one step.
  // AlreadyExists if there is one of that number; errors of Inspect. The folder
  // then stays, or is gone if the disk fails.
  absl::StatusOr<Summary> Adopt(const std::string& name, std::int64_t version,
                                const std::string& folder) const;

  absl::Status RemoveVersion(const std::string& name,
                             std::int64_t version) const;
  absl::Status RemoveModel(const std::string& name) const;

  // None if there is no file. DataLoss if it cannot be read.
  absl::StatusOr<Labels> ReadLabels(const std::string& name) const;
  absl::Status WriteLabels(const std::string& name, const Labels& labels) const;

 private:
  VersionStore(std::string folder, FileDescriptor lock)
      : folder_(std::move(folder)), lock_(std::move(lock)) {}

  static absl::StatusOr<Summary> InspectFolder(const std::string& folder);
  static absl::StatusOr<std::vector<FileStamp>> StampsIn(
      const std::string& folder, const Manifest& manifest);
  static absl::StatusOr<v1::Model> ReadContents(const std::string& folder,
                                                const Manifest& manifest);
  // NotFound unless there are folders for it.
  absl::Status CheckStored(const std::string& name, std::int64_t version) const;
  std::string ModelFolder(const std::string& name) const;
  std::string VersionFolder(const std::string& name,
                            std::int64_t version) const;
  // A name below .tmp that nothing has.
  std::string TemporaryName() const;
  absl::Status WriteFiles(const std::string& folder, absl::string_view model,
                          absl::string_view manifest) const;
  absl::Status MakeModelFolder(const std::string& name) const;
  // Moves it out of sight in one step, then removes it.
  absl::Status RemoveFolder(const std::string& path,
                            const std::string& parent) const;

  std::string folder_;
  FileDescriptor lock_;
};

}  // namespace poe::server

#endif  // POE_SERVER_VERSION_STORE_H_
