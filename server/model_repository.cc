#include "server/model_repository.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/errors.h"

namespace poe::server {
namespace {

constexpr std::size_t kMostListed = 20;

// "a, b, c", the first 20.
template <typename Map>
std::string ListKeys(const Map& map) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : map) {
    if (keys.size() == kMostListed) {
      keys.push_back("...");
      break;
    }
    keys.push_back(absl::StrCat(key));
  }
  return keys.empty() ? "none" : absl::StrJoin(keys, ", ");
}

absl::Status NotServing(const std::string& name, const v1::VersionInfo& info) {
  std::string why = "is stored, not loaded; LoadModel makes it answer";
  if (info.state() == v1::VersionInfo::STATE_LOADING) {
    why = "is being loaded; try again";
  } else if (info.state() == v1::VersionInfo::STATE_FAILED) {
    why = absl::StrCat("cannot be loaded: ", info.reason());
  }
  return Error(absl::StatusCode::kFailedPrecondition, "VERSION_NOT_LOADED",
               absl::StrCat("version ", info.version(), " of model ",
                            Quoted(name), " ", why),
               {{"model", name}, {"version", absl::StrCat(info.version())}});
}

absl::Status NoVersion(absl::string_view name, std::int64_t version,
                       const std::string& there_are) {
  return Error(
      absl::StatusCode::kNotFound, "VERSION_NOT_FOUND",
      absl::StrCat("model ", Quoted(name), " has no version ", version,
                   "; its versions: ", there_are),
      {{"model", std::string(name)}, {"version", absl::StrCat(version)}});
}

absl::Status NoLabel(absl::string_view name, absl::string_view label,
                     const Labels& labels) {
  return Error(absl::StatusCode::kNotFound, "LABEL_NOT_FOUND",
               absl::StrCat("model ", Quoted(name), " has no label ",
                            Quoted(label), "; its labels: ", ListKeys(labels)),
               {{"model", std::string(name)}, {"label", std::string(label)}});
}

}  // namespace

ModelRepository::ModelRepository(VersionStore store, RepositoryOptions options)
    : store_(std::move(store)), options_(std::move(options)) {}

absl::StatusOr<std::unique_ptr<ModelRepository>> ModelRepository::Open(
    const std::string& folder, RepositoryOptions options,
    const std::function<bool()>& is_stopped) {
  absl::StatusOr<VersionStore> store = options.read_only
                                           ? VersionStore::OpenReadOnly(folder)
                                           : VersionStore::Open(folder);
  if (!store.ok()) return store.status();
  std::unique_ptr<ModelRepository> repository(
      new ModelRepository(*std::move(store), std::move(options)));
  if (auto names = repository->store_.ListModels(); !names.ok()) {
    return names.status();
  }
  {
    absl::MutexLock change(&repository->change_mutex_);
    repository->is_stopped_ = is_stopped;
  }
  repository->Refresh();
  absl::MutexLock change(&repository->change_mutex_);
  if (repository->IsStopped()) {
    return absl::CancelledError("stopped while models were loaded");
  }
  repository->is_stopped_ = nullptr;
  return repository;
}

absl::Status ModelRepository::CheckWritable() const {
  if (!options_.read_only) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "REPOSITORY_READ_ONLY",
               "this server only reads its model repository; ask the one that "
               "writes it");
}

absl::StatusOr<const ModelRepository::Entry*> ModelRepository::FindEntry(
    absl::string_view name) const {
  if (name.empty()) {
    return FieldError("model.name", "MISSING_FIELD",
                      "is missing; every request names a model");
  }
  const auto found = models_.find(name);
  if (found != models_.end()) return &found->second;
  return Error(absl::StatusCode::kNotFound, "MODEL_NOT_FOUND",
               absl::StrCat("there is no model ", Quoted(name),
                            "; models: ", ListKeys(models_)),
               {{"model", std::string(name)}});
}

absl::StatusOr<const ModelRepository::Version*> ModelRepository::FindVersion(
    const v1::ModelSelector& selector, bool must_serve) const {
  const absl::StatusOr<const Entry*> entry = FindEntry(selector.name());
  if (!entry.ok()) return entry.status();
  const auto& versions = (*entry)->versions;
  const Version* found = nullptr;
  if (selector.choice_case() == v1::ModelSelector::CHOICE_NOT_SET) {
    constexpr int kBest = 3;
    const auto rank = [](const Version& version) {
      if (version.model != nullptr) return version.by_default ? kBest : 2;
      return version.info.state() == v1::VersionInfo::STATE_FAILED ? 0 : 1;
    };
    // The first, and so the newest, of those that rank highest.
    for (const auto& [number, version] : versions) {
      if (found == nullptr || rank(version) > rank(*found)) found = &version;
      if (rank(*found) == kBest) break;
    }
  } else {
    std::int64_t number = selector.version();
    if (selector.has_label()) {
      const auto label = (*entry)->labels.find(selector.label());
      if (label == (*entry)->labels.end()) {
        return NoLabel(selector.name(), selector.label(), (*entry)->labels);
      }
      number = label->second;
    } else if (number < 1) {
      return FieldError("model.version", "OUT_OF_RANGE",
                        absl::StrCat("is ", number, "; must be at least 1"));
    }
    const auto version = versions.find(number);
    if (version == versions.end()) {
      return NoVersion(selector.name(), number, ListKeys(versions));
    }
    found = &version->second;
  }
  if (must_serve && found->model == nullptr) {
    return NotServing(selector.name(), found->info);
  }
  return found;
}

absl::StatusOr<ModelRepository::Version*> ModelRepository::FindForChange(
    absl::string_view name, std::int64_t version) {
  if (absl::StatusOr<const Entry*> entry = FindEntry(name); !entry.ok()) {
    return entry.status();
  }
  auto& versions = models_.find(name)->second.versions;
  if (version < 0) {
    return FieldError("version", "OUT_OF_RANGE",
                      absl::StrCat("is ", version,
                                   "; must be at least 1, or 0 for a default"));
  }
  const auto found = version == 0 ? versions.begin() : versions.find(version);
  if (found == versions.end()) {
    return NoVersion(name, version, ListKeys(versions));
  }
  return &found->second;
}

v1::ModelInfo ModelRepository::InfoOfModel(absl::string_view name) const {
  const Entry& entry = models_.find(name)->second;
  v1::ModelInfo info;
  info.set_name(std::string(name));
  for (const auto& [number, version] : entry.versions) {
    *info.add_versions() = version.info;
  }
  for (const auto& [label, version] : entry.labels) {
    (*info.mutable_labels())[label] = version;
  }
  return info;
}

absl::StatusOr<ServedModel> ModelRepository::Find(
    const v1::ModelSelector& selector) const {
  absl::ReaderMutexLock lock(&mutex_);
  const absl::StatusOr<const Version*> found = FindVersion(selector, true);
  if (!found.ok()) return found.status();
  return ServedModel{.name = selector.name(),
                     .version = (*found)->info.version(),
                     .model = (*found)->model};
}

absl::StatusOr<v1::ModelVersion> ModelRepository::Resolve(
    const v1::ModelSelector& selector) const {
  absl::ReaderMutexLock lock(&mutex_);
  const absl::StatusOr<const Version*> found = FindVersion(selector, false);
  if (!found.ok()) return found.status();
  v1::ModelVersion resolved;
  resolved.set_name(selector.name());
  resolved.set_version((*found)->info.version());
  return resolved;
}

std::vector<v1::ModelInfo> ModelRepository::List() const {
  absl::ReaderMutexLock lock(&mutex_);
  std::vector<v1::ModelInfo> infos;
  infos.reserve(models_.size());
  for (const auto& [name, entry] : models_) {
    infos.push_back(InfoOfModel(name));
  }
  return infos;
}

std::map<v1::VersionInfo::State, int> ModelRepository::CountByState() const {
  absl::ReaderMutexLock lock(&mutex_);
  std::map<v1::VersionInfo::State, int> counts;
  for (const auto& [name, entry] : models_) {
    for (const auto& [number, version] : entry.versions) {
      ++counts[version.info.state()];
    }
  }
  return counts;
}

absl::StatusOr<v1::ModelInfo> ModelRepository::Get(
    absl::string_view name) const {
  absl::ReaderMutexLock lock(&mutex_);
  const absl::StatusOr<const Entry*> entry = FindEntry(name);
  if (!entry.ok()) return entry.status();
  return InfoOfModel(name);
}

absl::StatusOr<v1::VersionInfo> ModelRepository::GetVersion(
    absl::string_view name, std::int64_t version) const {
  absl::ReaderMutexLock lock(&mutex_);
  const absl::StatusOr<const Entry*> entry = FindEntry(name);
  if (!entry.ok()) return entry.status();
  const auto found = (*entry)->versions.find(version);
  if (found == (*entry)->versions.end()) {
    return NoVersion(name, version, ListKeys((*entry)->versions));
  }
  return found->second.info;
}

absl::StatusOr<v1::Model> ModelRepository::Read(absl::string_view name,
                                                std::int64_t version) const {
  if (auto info = GetVersion(name, version); !info.ok()) return info.status();
  return store_.Read(std::string(name), version);
}

}  // namespace poe::server
