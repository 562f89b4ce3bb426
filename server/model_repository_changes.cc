// The part of ModelRepository that changes what is stored or loaded. Files are
// written under change_mutex_ alone, so that look-ups never wait for a disk.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/errors.h"
#include "server/model_repository.h"
#include "server/warm_up.h"
#include "spdlog/spdlog.h"

namespace poe::server {

absl::StatusOr<std::int64_t> ModelRepository::Publish(
    absl::string_view name, const v1::Model& model,
    std::shared_ptr<const Model> decoded) {
  if (absl::Status s = ValidateModelName(name, "model_name"); !s.ok()) return s;
  if (absl::Status s = CheckWritable(); !s.ok()) return s;
  const std::string key(name);
  absl::MutexLock change(&change_mutex_);
  const auto number = Add(
      key, 0,
      [&](std::int64_t number) { return store_.Write(key, number, model); },
      std::move(decoded));
  if (number.ok()) {
    spdlog::info("model {} version {} is published", key, *number);
  }
  return number;
}

absl::StatusOr<std::int64_t> ModelRepository::Add(
    const std::string& name, std::int64_t number,
    absl::FunctionRef<absl::StatusOr<VersionStore::Summary>(std::int64_t)>
        store,
    std::shared_ptr<const Model> decoded) {
  absl::StatusOr<std::int64_t> next = store_.NextVersion(name);
  if (!next.ok()) return next.status();
  std::int64_t& last = last_versions_[name];
  {
    // One that is gone from the disk keeps its number.
    absl::ReaderMutexLock lock(&mutex_);
    const auto entry = models_.find(name);
    if (entry != models_.end()) {
      last = std::max(last, entry->second.versions.begin()->first);
    }
  }
  if (number == 0) number = std::max(*next, last + 1);
  if (number > kLastVersion) {
    return Error(
        absl::StatusCode::kFailedPrecondition, "NO_VERSION_LEFT",
        absl::StrCat("model ", Quoted(name), " has a folder ", kLastVersion,
                     ", and no version can come after that; remove "
                     "the folder, or choose another name"),
        {{"model", name}});
  }
  const absl::StatusOr<VersionStore::Summary> summary = store(number);
  if (!summary.ok()) {
    return WithPrefix(absl::StrCat("model ", name, " was not stored"),
                      summary.status());
  }
  last = std::max(last, number);
  Version version = Loaded(number, *summary, std::move(decoded));
  {
    absl::MutexLock lock(&mutex_);
    models_[name].versions.insert_or_assign(number, std::move(version));
  }
  Apply(name);
  RemoveOld(name);
  return number;
}

void ModelRepository::RemoveOld(const std::string& name) {
  if (options_.keep_versions == 0) return;
  std::vector<std::int64_t> old;
  {
    absl::ReaderMutexLock lock(&mutex_);
    const Entry& entry = models_.find(name)->second;
    int kept = 0;
    for (const auto& [number, version] : entry.versions) {
      if (version.gone) continue;
      const bool labelled =
          std::any_of(entry.labels.begin(), entry.labels.end(),
                      [number = number](const auto& label) {
                        return label.second == number;
                      });
      // One that cannot be loaded takes no place of one that can.
      if (version.info.state() != v1::VersionInfo::STATE_FAILED) ++kept;
      if (kept <= options_.keep_versions || version.model != nullptr ||
          labelled) {
        continue;
      }
      old.push_back(number);
    }
  }
  for (const std::int64_t number : old) {
    if (absl::Status s = store_.RemoveVersion(name, number); !s.ok()) {
      spdlog::warn("model {} version {} was to be removed: {}", name, number,
                   s.ToString());
      continue;
    }
    spdlog::info("model {} version {} is removed, as one of the oldest", name,
                 number);
    absl::MutexLock lock(&mutex_);
    models_.find(name)->second.versions.erase(number);
  }
}

absl::StatusOr<OutgoingVersion> ModelRepository::Export(
    absl::string_view name, std::int64_t version) const {
  if (auto info = GetVersion(name, version); !info.ok()) return info.status();
  return store_.OpenVersion(std::string(name), version);
}

absl::Status ModelRepository::CheckFree(const v1::ModelVersion& model) const {
  if (model.version() < 0 || model.version() > kLastVersion) {
    return FieldError(
        "model.version", "OUT_OF_RANGE",
        absl::StrCat("is ", model.version(), "; must be from 1 to ",
                     kLastVersion, ", or 0 for the next"));
  }
  absl::ReaderMutexLock lock(&mutex_);
  const auto entry = models_.find(model.name());
  if (entry == models_.end() ||
      entry->second.versions.count(model.version()) == 0) {
    return absl::OkStatus();
  }
  return Error(absl::StatusCode::kAlreadyExists, "VERSION_EXISTS",
               absl::StrCat("model ", Quoted(model.name()), " has a version ",
                            model.version(),
                            "; a version is never replaced. Leave the version "
                            "out for the next one"),
               {{"model", model.name()}});
}

absl::StatusOr<std::unique_ptr<IncomingVersion>> ModelRepository::BeginImport(
    const v1::ModelVersion& model) const {
  absl::Status status = CheckWritable();
  if (status.ok()) status = ValidateModelName(model.name(), "model.name");
  if (status.ok()) status = CheckFree(model);
  if (!status.ok()) return status;
  absl::StatusOr<std::string> folder = store_.MakeTemporary();
  if (!folder.ok()) return folder.status();
  return std::make_unique<IncomingVersion>(*std::move(folder));
}

absl::StatusOr<v1::ModelInfo> ModelRepository::FinishImport(
    const v1::ModelVersion& model, IncomingVersion& incoming) {
  if (absl::Status s = incoming.Close(); !s.ok()) return s;
  const absl::StatusOr<v1::Model> stored =
      VersionStore::ReadFolder(incoming.folder());
  if (!stored.ok()) return stored.status();
  absl::StatusOr<Model> decoded = DecodeAndWarmUp(*stored);
  if (!decoded.ok()) {
    return WithPrefix(std::string(kModelFile), decoded.status());
  }
  const std::string& name = model.name();
  absl::MutexLock change(&change_mutex_);
  if (absl::Status s = CheckFree(model); !s.ok()) return s;
  const auto number = Add(
      name, model.version(),
      [&](std::int64_t number) {
        return store_.Adopt(name, number, incoming.folder());
      },
      std::make_shared<const Model>(*std::move(decoded)));
  if (!number.ok()) return number.status();
  spdlog::info("model {} version {} is imported", name, *number);
  absl::ReaderMutexLock lock(&mutex_);
  return InfoOfModel(name);
}

absl::StatusOr<v1::ModelInfo> ModelRepository::Load(absl::string_view name,
                                                    std::int64_t version) {
  if (absl::Status s = ValidateModelName(name, "name"); !s.ok()) return s;
  const std::string key(name);
  absl::MutexLock change(&change_mutex_);
  if (version == 0) return LoadByPolicy(key);
  bool known = false;
  {
    absl::ReaderMutexLock lock(&mutex_);
    const auto entry = models_.find(name);
    known = entry != models_.end() && entry->second.versions.count(version) > 0;
  }
  if (!known) {
    Merge(key, /*all_again=*/false);
    Tell(key);
  }
  Version target;
  {
    absl::MutexLock lock(&mutex_);
    absl::StatusOr<Version*> found = FindForChange(name, version);
    if (!found.ok()) return found.status();
    (*found)->pinned = true;
    (*found)->by_default = true;
    (*found)->held_back = false;
    if ((*found)->model != nullptr) return InfoOfModel(key);
    SetState(v1::VersionInfo::STATE_LOADING, "", (*found)->info);
    target = **found;
  }
  absl::Status status = LoadFromDisk(key, target);
  {
    absl::MutexLock lock(&mutex_);
    const std::int64_t number = target.info.version();
    models_[key].versions.insert_or_assign(number, std::move(target));
  }
  Tell(key);
  if (!status.ok()) return status;
  absl::ReaderMutexLock lock(&mutex_);
  return InfoOfModel(key);
}

absl::StatusOr<v1::ModelInfo> ModelRepository::LoadByPolicy(
    const std::string& name) {
  Merge(name, /*all_again=*/true);
  Tell(name);
  {
    absl::MutexLock lock(&mutex_);
    const auto found = FindForChange(name, 0);
    if (!found.ok()) return found.status();
    for (auto& [number, version] : models_.find(name)->second.versions) {
      version.held_back = false;
    }
  }
  Apply(name);
  absl::ReaderMutexLock lock(&mutex_);
  const VersionPolicy& policy = options_.policies.Of(name);
  for (const auto& [number, version] : models_.find(name)->second.versions) {
    if (!policy.MayWant(number)) continue;
    const bool is_loaded = version.model != nullptr;
    if (is_loaded && version.failures == 0) break;
    // A folder whose manifest does not fit is no version.
    if ((is_loaded || version.info.state() == v1::VersionInfo::STATE_FAILED) &&
        !version.stamps.empty()) {
      return NotLoadable(name, version);
    }
    if (is_loaded) break;
  }
  v1::ModelSelector selector;
  selector.set_name(name);
  const auto served = FindVersion(selector, /*must_serve=*/true);
  if (!served.ok()) return served.status();
  return InfoOfModel(name);
}

absl::StatusOr<v1::ModelInfo> ModelRepository::Unload(absl::string_view name,
                                                      std::int64_t version) {
  absl::MutexLock change(&change_mutex_);
  {
    absl::MutexLock lock(&mutex_);
    absl::StatusOr<Version*> found = FindForChange(name, version);
    if (!found.ok()) return found.status();
    for (auto& [number, other] : models_.find(name)->second.versions) {
      if (version != 0 && number != version) continue;
      other.pinned = false;
      other.held_back = true;
    }
  }
  Apply(std::string(name));
  absl::ReaderMutexLock lock(&mutex_);
  return InfoOfModel(name);
}

absl::Status ModelRepository::Delete(absl::string_view name,
                                     std::int64_t version) {
  if (absl::Status s = CheckWritable(); !s.ok()) return s;
  const std::string key(name);
  absl::MutexLock change(&change_mutex_);
  bool whole_model = version == 0;
  {
    absl::MutexLock lock(&mutex_);
    absl::StatusOr<Version*> found = FindForChange(name, version);
    if (!found.ok()) return found.status();
    const Entry& entry = models_.find(name)->second;
    std::int64_t& last = last_versions_[key];
    last = std::max(last, entry.versions.begin()->first);
    for (const auto& [label, number] : entry.labels) {
      if (whole_model || number != version) continue;
      return Error(
          absl::StatusCode::kFailedPrecondition, "VERSION_HAS_LABEL",
          absl::StrCat("label ", Quoted(label), " points at version ", version,
                       " of model ", Quoted(name), "; clear or move it first"));
    }
    whole_model = whole_model || entry.versions.size() == 1;
  }
  absl::Status status = whole_model ? store_.RemoveModel(key)
                                    : store_.RemoveVersion(key, version);
  // Gone already is what was asked for.
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  Entry removed;
  {
    absl::MutexLock lock(&mutex_);
    const auto entry = models_.find(name);
    if (whole_model) {
      removed = std::move(entry->second);
      models_.erase(entry);
    } else {
      removed.versions.insert(entry->second.versions.extract(version));
    }
  }
  spdlog::info("model {} {} is deleted", key,
               whole_model ? "" : absl::StrCat("version ", version));
  Apply(key);
  return absl::OkStatus();
}

absl::StatusOr<v1::ModelInfo> ModelRepository::SetLabel(absl::string_view name,
                                                        absl::string_view label,
                                                        std::int64_t version) {
  if (absl::Status s = CheckWritable(); !s.ok()) return s;
  if (absl::Status s = ValidateLabel(label); !s.ok()) return s;
  v1::ModelSelector selector;
  selector.set_name(std::string(name));
  selector.set_version(version);
  absl::MutexLock change(&change_mutex_);
  if (Resolve(selector).ok()) EnsureLoaded(std::string(name), version);
  if (auto served = Find(selector); !served.ok()) return served.status();
  if (absl::Status s = CheckOnDisk(name, version); !s.ok()) return s;
  return ChangeLabels(name, [&](Labels& labels) {
    labels.insert_or_assign(std::string(label), version);
  });
}

absl::Status ModelRepository::CheckOnDisk(absl::string_view name,
                                          std::int64_t version) const {
  absl::ReaderMutexLock lock(&mutex_);
  if (!models_.find(name)->second.versions.find(version)->second.gone) {
    return absl::OkStatus();
  }
  return Error(
      absl::StatusCode::kFailedPrecondition, "VERSION_GONE",
      absl::StrCat("version ", version, " of model ", Quoted(name),
                   " is gone from the disk and answers until another version "
                   "does, when the label would go with it; label one that is "
                   "stored, or put its folder back"),
      {{"model", std::string(name)}, {"version", absl::StrCat(version)}});
}

absl::StatusOr<v1::ModelInfo> ModelRepository::ClearLabel(
    absl::string_view name, absl::string_view label) {
  if (absl::Status s = CheckWritable(); !s.ok()) return s;
  if (absl::Status s = ValidateLabel(label); !s.ok()) return s;
  v1::ModelSelector selector;
  selector.set_name(std::string(name));
  selector.set_label(std::string(label));
  absl::MutexLock change(&change_mutex_);
  if (auto resolved = Resolve(selector); !resolved.ok()) {
    return resolved.status();
  }
  return ChangeLabels(
      name, [&](Labels& labels) { labels.erase(std::string(label)); });
}

absl::StatusOr<v1::ModelInfo> ModelRepository::ChangeLabels(
    absl::string_view name, absl::FunctionRef<void(Labels&)> change) {
  Labels labels;
  {
    absl::MutexLock lock(&mutex_);
    labels = models_.find(name)->second.labels;
  }
  change(labels);
  absl::Status written = store_.WriteLabels(std::string(name), labels);
  if (!written.ok()) return written;
  {
    absl::MutexLock lock(&mutex_);
    models_.find(name)->second.labels = std::move(labels);
  }
  Apply(std::string(name));
  absl::ReaderMutexLock lock(&mutex_);
  return InfoOfModel(name);
}

}  // namespace poe::server
