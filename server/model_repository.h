// The models that a server holds: stored versions in a folder, and those of
// them that are loaded and answer. docs/model-format.md describes the folder.
#ifndef POE_SERVER_MODEL_REPOSITORY_H_
#define POE_SERVER_MODEL_REPOSITORY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "poe/model.h"
#include "poe/v1/model.pb.h"
#include "poe/v1/registry.pb.h"
#include "poe/v1/scoring.pb.h"
#include "server/files.h"
#include "server/version_policy.h"
#include "server/version_store.h"

namespace poe::server {

// A version that answers. Whoever holds it may use it even when it has been
// unloaded or deleted meanwhile.
struct ServedModel {
  std::string name;
  std::int64_t version = 0;
  std::shared_ptr<const Model> model;
};

// A version that is loaded, and the bytes of its files.
struct LoadedVersion {
  std::int64_t version = 0;
  std::int64_t bytes = 0;

  bool operator==(const LoadedVersion&) const = default;
};

struct RepositoryOptions {
  VersionPolicies policies;
  // Versions of a model that stay stored when a new one is, not counting those
  // that failed: the oldest go, but none that is loaded or labelled. 0: all
  // stay.
  int keep_versions = 0;
  // Nothing is ever written or locked, so that several servers can read one
  // folder. What would change something stored is FailedPrecondition.
  bool read_only = false;
};

// Thread-safe. Calls that read or write files wait for each other; Find, Get,
// List, CountByState and Resolve touch memory only and never wait for them.
class ModelRepository {
 public:
  // Is told, one call at a time, in the thread that made it happen.
  class Listener {
   public:
    virtual ~Listener() = default;
    // These versions of a model answer from now on, newest first. None: the
    // model does not answer, or there is none any more. Must not change the
    // repository.
    virtual void OnLoaded(const std::string& name,
                          const std::vector<LoadedVersion>& versions) = 0;
  };

  // Makes the folder if it is absent (its parent must be there), removes what a
  // crash left, and loads of every model the versions that its policy says and
  // those that labels point at. A version that cannot be loaded is FAILED and
  // harms nothing. PermissionDenied or FailedPrecondition for a folder that
  // cannot be written or that another server has open. `is_stopped`, if there
  // is one, is asked before each version: once true, Cancelled.
  static absl::StatusOr<std::unique_ptr<ModelRepository>> Open(
      const std::string& folder, RepositoryOptions options = {},
      const std::function<bool()>& is_stopped = nullptr);

  ModelRepository(const ModelRepository&) = delete;
  ModelRepository& operator=(const ModelRepository&) = delete;

  // Tells of every model that there is, and from then on of those of which
  // other versions answer; null ends it. When this returns, the listener before
  // is no longer called.
  void SetListener(Listener* listener)
      ABSL_LOCKS_EXCLUDED(change_mutex_, mutex_);

  // The version that is to answer: the one named, or the newest that is loaded
  // because the policy or Load says so, or else because of a label.
  // InvalidArgument without a name or with a version < 1; NotFound, listing
  // what there is; FailedPrecondition for a version that is stored, not loaded.
  absl::StatusOr<ServedModel> Find(const v1::ModelSelector& selector) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The stored version that a selector names, loaded or not; without a choice
  // that of Find, or if none is loaded, the newest that has not failed, or the
  // newest. NotFound as Find.
  absl::StatusOr<v1::ModelVersion> Resolve(
      const v1::ModelSelector& selector) const ABSL_LOCKS_EXCLUDED(mutex_);

  // All models by name; one model; one of its versions. data_spec, class names
  // and counts are known of versions that have been loaded. NotFound as Find.
  std::vector<v1::ModelInfo> List() const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<v1::ModelInfo> Get(absl::string_view name) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<v1::VersionInfo> GetVersion(absl::string_view name,
                                             std::int64_t version) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // How many versions of all models there are in each state that any is in.
  std::map<v1::VersionInfo::State, int> CountByState() const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The model as it is stored, read from disk and checked against its manifest.
  // NotFound as Find; DataLoss if the files do not fit.
  absl::StatusOr<v1::Model> Read(absl::string_view name,
                                 std::int64_t version) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Looks what has changed on the disk since: versions that came are loaded if
  // the policy says so, and only then are those unloaded that it no longer
  // wants or whose folders are gone; labels follow. What the disk does not tell
  // changes nothing, and a version whose folder is gone answers until another
  // of its model does, or the model's folder is gone too. One that was put
  // back with another manifest is loaded anew, and answers as it was until that
  // has been done; so it does while the new files cannot be loaded. What failed
  // is tried again once its files have changed; if the disk, rights or memory
  // were at fault, without that too, after 1, 2, 4, ... and at most 64
  // Refreshes.
  void Refresh() ABSL_LOCKS_EXCLUDED(change_mutex_, mutex_);

  // Stores `model` as the next version and lets `decoded`, which must be what
  // DecodeModel makes of it, answer from then on, as far as the policy says so.
  // Returns the version. On an error (ResourceExhausted: disk full;
  // FailedPrecondition: there is a folder of the last number) nothing has
  // changed.
  absl::StatusOr<std::int64_t> Publish(absl::string_view name,
                                       const v1::Model& model,
                                       std::shared_ptr<const Model> decoded)
      ABSL_LOCKS_EXCLUDED(change_mutex_, mutex_);

  // The files of a stored version, to be copied out. NotFound as Find; DataLoss
  // if they cannot be opened.
  absl::StatusOr<OutgoingVersion> Export(absl::string_view name,
                                         std::int64_t version) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // A place for the files of a version that is to come in. InvalidArgument for
  // a bad name or version, AlreadyExists for a version that is stored.
  absl::StatusOr<std::unique_ptr<IncomingVersion>> BeginImport(
      const v1::ModelVersion& model) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Stores what has come in as this version (0: the next) and lets it answer,
  // as far as the policy says so. AlreadyExists for a version that is stored;
  // DataLoss if the files do not fit their MANIFEST; InvalidArgument or
  // FailedPrecondition if this server cannot load the model. On an error
  // nothing has changed.
  absl::StatusOr<v1::ModelInfo> FinishImport(const v1::ModelVersion& model,
                                             IncomingVersion& incoming)
      ABSL_LOCKS_EXCLUDED(change_mutex_, mutex_);

  // Makes a stored version answer, whatever the policy says, until it is
  // unloaded; DataLoss if it is damaged. Version 0 ends what Unload has said
  // and loads what the policy and labels want, failed versions once more; an
  // error if the newest that the policy may want cannot be loaded, or none
  // answers. Both find versions that were put into the folder by hand.
  absl::StatusOr<v1::ModelInfo> Load(absl::string_view name,
                                     std::int64_t version)
      ABSL_LOCKS_EXCLUDED(change_mutex_, mutex_);

  // Stops it from answering until it is loaded again, by its number or all by
  // 0, or the server starts anew; version 0 is all. What the policy has in its
  // place is loaded first.
  absl::StatusOr<v1::ModelInfo> Unload(absl::string_view name,
                                       std::int64_t version)
      ABSL_LOCKS_EXCLUDED(change_mutex_, mutex_);

  // Removes a version from the disk; version 0 removes the model with its
  // labels. FailedPrecondition for a version that a label points at.
  absl::Status Delete(absl::string_view name, std::int64_t version)
      ABSL_LOCKS_EXCLUDED(change_mutex_, mutex_);

  // Points a label (1 to 64 of [a-z0-9_-]) at a version, durably; it is loaded
  // for that, and answers as long as a label names it. FailedPrecondition if it
  // cannot be loaded, has been unloaded by hand or is gone from the disk.
  absl::StatusOr<v1::ModelInfo> SetLabel(absl::string_view name,
                                         absl::string_view label,
                                         std::int64_t version)
      ABSL_LOCKS_EXCLUDED(change_mutex_, mutex_);
  absl::StatusOr<v1::ModelInfo> ClearLabel(absl::string_view name,
                                           absl::string_view label)
      ABSL_LOCKS_EXCLUDED(change_mutex_, mutex_);

  // FailedPrecondition in a repository that is only read.
  absl::Status CheckWritable() const;
  bool read_only() const { return options_.read_only; }
  // The folder all this lies in.
  const std::string& folder() const { return store_.folder(); }

 private:
  struct Version {
    v1::VersionInfo info;
    std::shared_ptr<const Model> model;  // null unless loaded
    // By Load and Unload, against the policy.
    bool pinned = false, held_back = false;
    // Loaded, and not for the sake of a label alone.
    bool by_default = false;
    // Loaded, and not on the disk any more.
    bool gone = false;
    // Of one that is loaded: what it was loaded from, and whether other files
    // have taken their place since, from which it is to be loaded again.
    Manifest manifest;
    bool replaced = false;
    // Its files when they were last looked at, if they could be.
    std::vector<FileStamp> stamps;
    // Of one that failed, or of files that have taken the place of what is
    // loaded: why; how often, with these files; Refreshes until the next time.
    absl::Status failure;
    int failures = 0, pause = 0;
  };
  struct Entry {
    std::map<std::int64_t, Version, std::greater<>> versions;  // newest first
    Labels labels;
  };
  using Models = std::map<std::string, Entry, std::less<>>;

  ModelRepository(VersionStore store, RepositoryOptions options);

  // Takes over what is on the disk of one model, and keeps what is loaded
  // unless all of the model is gone. Nothing changes where the disk cannot be
  // read. Versions that have failed are tried again if they are to be, or
  // `all_again`.
  void Merge(const std::string& name, bool all_again)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  // What has been found of a version, new or failed before.
  static void TakeOver(std::int64_t number,
                       const absl::StatusOr<VersionStore::Summary>& found,
                       bool again, Version& version);
  // What has been found of one that is loaded.
  static void CompareWithLoaded(
      const absl::StatusOr<VersionStore::Summary>& found, bool again,
      Version& version);
  // The labels on the disk, or those of `before` if they cannot be read.
  Labels ReadLabels(const std::string& name, Labels before) const;
  // LoadAndUnload and Tell: the end of every change.
  void Apply(const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  // Loads what is to answer, then unloads what is not.
  void LoadAndUnload(const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  // Tells the listener which versions of a model are loaded, unless it knows.
  void Tell(const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  // Removes the oldest versions that RepositoryOptions::keep_versions has no
  // room for.
  void RemoveOld(const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether Open has been told to end.
  bool IsStopped() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  // Loads a version unless it is loaded from the files that there are; whether
  // it is to answer and can.
  bool EnsureLoaded(const std::string& name, std::int64_t number)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  // Reads and decodes a version; sets its info and model, or its failure.
  absl::Status LoadFromDisk(const std::string& name, Version& version) const;
  // Load with version 0.
  absl::StatusOr<v1::ModelInfo> LoadByPolicy(const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  // What callers are told of a version that has failed.
  static absl::Status NotLoadable(const std::string& name,
                                  const Version& version);
  static void SetFailed(const absl::Status& failure, Version& version);
  // Whether one that failed is to be tried again, its files being these.
  static bool IsToBeTried(const std::vector<FileStamp>& stamps,
                          Version& version);
  static void SetState(v1::VersionInfo::State state, absl::string_view reason,
                       v1::VersionInfo& info);
  static Version Loaded(std::int64_t number,
                        const VersionStore::Summary& summary,
                        std::shared_ptr<const Model> model);

  // InvalidArgument for no number of a version, AlreadyExists for a version
  // that is there.
  absl::Status CheckFree(const v1::ModelVersion& model) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Lets `decoded` answer as a new version, the next unless `number` is given,
  // once `store` has put it on the disk as that. Returns the version.
  absl::StatusOr<std::int64_t> Add(
      const std::string& name, std::int64_t number,
      absl::FunctionRef<absl::StatusOr<VersionStore::Summary>(std::int64_t)>
          store,
      std::shared_ptr<const Model> decoded)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);

  // Look-ups with the errors that users see.
  absl::StatusOr<const Entry*> FindEntry(absl::string_view name) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<const Version*> FindVersion(const v1::ModelSelector& selector,
                                             bool must_serve) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Version 0 is the newest.
  absl::StatusOr<Version*> FindForChange(absl::string_view name,
                                         std::int64_t version)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of a model that is there.
  v1::ModelInfo InfoOfModel(absl::string_view name) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // FailedPrecondition if a version that is known has no files any more.
  absl::Status CheckOnDisk(absl::string_view name, std::int64_t version) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<v1::ModelInfo> ChangeLabels(
      absl::string_view name, absl::FunctionRef<void(Labels&)> change)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);

  const VersionStore store_;
  const RepositoryOptions options_;
  // Held while something changes, files included; taken before mutex_.
  absl::Mutex change_mutex_;
  // While Open loads.
  std::function<bool()> is_stopped_ ABSL_GUARDED_BY(change_mutex_);
  Listener* listener_ ABSL_GUARDED_BY(change_mutex_) = nullptr;
  // What the listener knows of the models that there are.
  std::map<std::string, std::vector<LoadedVersion>> told_
      ABSL_GUARDED_BY(change_mutex_);
  mutable absl::Mutex mutex_;
  Models models_ ABSL_GUARDED_BY(mutex_);
  // The greatest version ever given, so that none is given twice.
  std::map<std::string, std::int64_t, std::less<>> last_versions_
      ABSL_GUARDED_BY(change_mutex_);
};

}  // namespace poe::server

#endif  // POE_SERVER_MODEL_REPOSITORY_H_
