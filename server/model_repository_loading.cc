// The part of ModelRepository that follows the disk, loads and unloads. Files
// are read under change_mutex_ alone, so that look-ups never wait for a disk.
#include <algorithm>
#include <iterator>
#include <new>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/codec/data_spec_codec.h"
#include "server/codec/model_codec.h"
#include "server/errors.h"
#include "server/model_repository.h"
#include "server/timestamp.h"
#include "server/warm_up.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

// The reason of a version that answers without files.
constexpr char kGone[] =
    "is gone from the disk, and answers until another version does";

constexpr int kLongestPauseLog2 = 6;

// Whether the same files may be loaded another time.
bool MayPass(const absl::Status& failure) {
  switch (failure.code()) {
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kResourceExhausted:
      return true;
    default:
      return false;
  }
}

void SetStored(const VersionStore::Summary& summary, v1::VersionInfo& info) {
  info.set_bytes(summary.bytes);
  *info.mutable_created() = ToTimestamp(summary.created);
}

void SetLoaded(const Model& model, v1::VersionInfo& info) {
  *info.mutable_data_spec() = EncodeDataSpec(model.data_spec);
  info.clear_class_names();
  for (const ClassModel& c : model.classes) info.add_class_names(c.name);
  info.set_num_experts(model.num_experts());
  info.set_num_layers(static_cast<std::int32_t>(model.num_layers()));
  info.set_num_parameters(model.num_parameters());
  info.clear_log_partitions();
  info.clear_log_partition_differences();
  EncodeLogPartitions(
      model, [](Index) { return true; }, {}, info.mutable_log_partitions(),
      info.mutable_log_partition_differences());
}

}  // namespace

void ModelRepository::SetState(v1::VersionInfo::State state,
                               absl::string_view reason,
                               v1::VersionInfo& info) {
  info.set_state(state);
  info.set_reason(std::string(reason));
}

void ModelRepository::Refresh() {
  const absl::StatusOr<std::vector<std::string>> on_disk = store_.ListModels();
  if (!on_disk.ok()) {
    spdlog::warn("the model repository cannot be read: {}",
                 on_disk.status().ToString());
    return;
  }
  absl::MutexLock change(&change_mutex_);
  std::set<std::string> names(on_disk->begin(), on_disk->end());
  {
    absl::ReaderMutexLock lock(&mutex_);
    for (const auto& [name, entry] : models_) names.insert(name);
  }
  for (const std::string& name : names) {
    if (IsStopped()) return;
    Merge(name, /*all_again=*/false);
    Apply(name);
  }
}

void ModelRepository::Merge(const std::string& name, bool all_again) {
  const auto numbers = store_.ListVersions(name);
  if (!numbers.ok() && !absl::IsNotFound(numbers.status())) {
    spdlog::warn("model {} stays as it was: {}", name,
                 numbers.status().ToString());
    return;
  }
  // Of the model, freed after the lock is.
  Entry removed;
  if (!numbers.ok()) {
    absl::MutexLock lock(&mutex_);
    const auto entry = models_.find(name);
    if (entry == models_.end()) return;
    removed = std::move(entry->second);
    models_.erase(entry);
    return;
  }
  // Those that wait are as good as they were, and so are those that are loaded
  // as long as their files are.
  std::set<std::int64_t> sound;
  struct Files {
    Manifest manifest;
    std::vector<FileStamp> stamps;
  };
  std::map<std::int64_t, Files> loaded;
  Labels labels;
  {
    absl::ReaderMutexLock lock(&mutex_);
    if (const auto entry = models_.find(name); entry != models_.end()) {
      labels = entry->second.labels;
      for (const auto& [number, version] : entry->second.versions) {
        if (version.model != nullptr && version.failures == 0 &&
            !version.gone) {
          loaded.emplace(number, Files{version.manifest, version.stamps});
        } else if (version.model == nullptr &&
                   version.info.state() != v1::VersionInfo::STATE_FAILED) {
          sound.insert(number);
        }
      }
    }
  }
  std::map<std::int64_t, absl::StatusOr<VersionStore::Summary>> found;
  for (const std::int64_t number : *numbers) {
    if (sound.count(number) > 0) continue;
    if (const auto known = loaded.find(number); known != loaded.end()) {
      const auto& [manifest, stamps] = known->second;
      const auto now = store_.Stamps(name, number, manifest);
      if (now.ok() && *now == stamps) continue;
    }
    found.emplace(number, store_.Inspect(name, number));
  }
  labels = ReadLabels(name, std::move(labels));
  absl::MutexLock lock(&mutex_);
  Entry& entry = models_[name];
  for (auto known = entry.versions.begin(); known != entry.versions.end();) {
    auto& [number, version] = *known;
    const bool is_there =
        std::binary_search(numbers->begin(), numbers->end(), number);
    if (!is_there && version.model == nullptr) {
      known = entry.versions.erase(known);
      continue;
    }
    if (version.gone == is_there) {
      version.gone = !is_there;
      if (version.model != nullptr) {
        version.info.set_reason(is_there ? "" : kGone);
      }
      spdlog::info("model {} version {} {}", name, number,
                   is_there ? "is back on the disk" : kGone);
    }
    ++known;
  }
  for (const auto& [number, summary] : found) {
    Version& version = entry.versions[number];
    if (version.model != nullptr) {
      CompareWithLoaded(summary, all_again, version);
    } else {
      TakeOver(number, summary, all_again, version);
    }
  }
  entry.labels = std::move(labels);
  if (entry.versions.empty()) models_.erase(name);
}

void ModelRepository::TakeOver(
    std::int64_t number, const absl::StatusOr<VersionStore::Summary>& found,
    bool again, Version& version) {
  const bool is_new = version.info.version() == 0;
  version.info.set_version(number);
  if (!found.ok()) {
    version.stamps.clear();
    SetFailed(found.status(), version);
    return;
  }
  if (!is_new && !again && !IsToBeTried(found->stamps, version)) return;
  SetStored(*found, version.info);
  SetState(v1::VersionInfo::STATE_UNLOADED, "", version.info);
}

void ModelRepository::CompareWithLoaded(
    const absl::StatusOr<VersionStore::Summary>& found, bool again,
    Version& version) {
  // It may be in the middle of being copied.
  if (!found.ok()) return;
  if (found->manifest == version.manifest) {
    version.replaced = false;
    version.stamps = found->stamps;
    version.failures = 0;
    version.info.clear_reason();
    return;
  }
  version.replaced =
      again || version.failures == 0 || IsToBeTried(found->stamps, version);
}

void ModelRepository::SetFailed(const absl::Status& failure, Version& version) {
  SetState(v1::VersionInfo::STATE_FAILED, failure.message(), version.info);
  version.failure = failure;
  version.pause = 1 << std::min(version.failures, kLongestPauseLog2);
  ++version.failures;
}

bool ModelRepository::IsToBeTried(const std::vector<FileStamp>& stamps,
                                  Version& version) {
  if (version.stamps != stamps) {
    version.failures = 0;
    return true;
  }
  return MayPass(version.failure) && --version.pause <= 0;
}

Labels ModelRepository::ReadLabels(const std::string& name,
                                   Labels before) const {
  absl::StatusOr<Labels> labels = store_.ReadLabels(name);
  if (labels.ok()) return *std::move(labels);
  if (before.empty()) {
    spdlog::error("model {} has lost its labels: {}", name,
                  labels.status().ToString());
  }
  return before;
}

bool ModelRepository::IsStopped() const {
  return is_stopped_ != nullptr && is_stopped_();
}

bool ModelRepository::EnsureLoaded(const std::string& name,
                                   std::int64_t number) {
  if (IsStopped()) return false;
  Version version;
  {
    absl::MutexLock lock(&mutex_);
    Version& known = models_[name].versions[number];
    if (known.held_back) return false;
    if (known.model != nullptr) {
      if (!known.replaced) return true;
    } else if (known.info.state() != v1::VersionInfo::STATE_UNLOADED) {
      return false;
    } else {
      SetState(v1::VersionInfo::STATE_LOADING, "", known.info);
    }
    version = known;
  }
  LoadFromDisk(name, version).IgnoreError();
  const bool answers = version.model != nullptr;
  // Freed after the lock is.
  std::shared_ptr<const Model> before;
  {
    absl::MutexLock lock(&mutex_);
    Version& known = models_[name].versions[number];
    before = std::move(known.model);
    known = std::move(version);
  }
  Tell(name);
  return answers;
}

void ModelRepository::SetListener(Listener* listener) {
  absl::MutexLock change(&change_mutex_);
  listener_ = listener;
  told_.clear();
  std::vector<std::string> names;
  {
    absl::ReaderMutexLock lock(&mutex_);
    for (const auto& [name, entry] : models_) names.push_back(name);
  }
  for (const std::string& name : names) Tell(name);
}

void ModelRepository::Tell(const std::string& name) {
  if (listener_ == nullptr) return;
  std::vector<LoadedVersion> loaded;
  bool is_there = false;
  {
    absl::ReaderMutexLock lock(&mutex_);
    const auto entry = models_.find(name);
    is_there = entry != models_.end();
    if (is_there) {
      for (const auto& [number, version] : entry->second.versions) {
        if (version.model == nullptr) continue;
        loaded.push_back({.version = number, .bytes = version.info.bytes()});
      }
    }
  }
  if (!is_there && told_.count(name) == 0) return;
  const auto [told, is_new] = told_.try_emplace(name);
  if (is_new || told->second != loaded) listener_->OnLoaded(name, loaded);
  if (is_there) {
    told->second = std::move(loaded);
  } else {
    told_.erase(told);
  }
}

void ModelRepository::Apply(const std::string& name) {
  LoadAndUnload(name);
  Tell(name);
}

void ModelRepository::LoadAndUnload(const std::string& name) {
  std::vector<std::int64_t> numbers;  // newest first
  std::vector<std::int64_t> pinned, labelled;
  {
    absl::ReaderMutexLock lock(&mutex_);
    const auto entry = models_.find(name);
    if (entry == models_.end()) return;
    const auto& versions = entry->second.versions;
    for (const auto& [number, version] : versions) {
      if (version.gone) continue;
      numbers.push_back(number);
      if (version.pinned) pinned.push_back(number);
    }
    for (const auto& [label, number] : entry->second.labels) {
      const auto known = versions.find(number);
      if (known != versions.end() && !known->second.gone) {
        labelled.push_back(number);
      }
    }
  }
  std::vector<std::int64_t> by_default;
  for (const std::int64_t number : pinned) {
    if (EnsureLoaded(name, number)) by_default.push_back(number);
  }
  const VersionPolicy& policy = options_.policies.Of(name);
  int latest = 0;
  for (const std::int64_t number : numbers) {
    if (policy.kind == VersionPolicy::Kind::kLatest &&
        latest == policy.latest) {
      break;
    }
    if (!policy.MayWant(number) || !EnsureLoaded(name, number)) continue;
    by_default.push_back(number);
    ++latest;
  }
  std::vector<std::int64_t> wanted = by_default;
  for (const std::int64_t number : labelled) {
    if (EnsureLoaded(name, number)) wanted.push_back(number);
  }
  // Calls that use a model keep it until they have ended; models are freed
  // after the lock is.
  std::vector<std::shared_ptr<const Model>> unloaded;
  absl::MutexLock lock(&mutex_);
  auto& versions = models_[name].versions;
  for (auto known = versions.begin(); known != versions.end();) {
    auto& [number, version] = *known;
    const auto is_among = [number = number](const auto& numbers) {
      return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
    };
    const bool stays = version.gone ? by_default.empty() && !version.held_back
                                    : is_among(wanted);
    if (!version.gone) version.by_default = is_among(by_default);
    if (version.model != nullptr && !stays) {
      unloaded.push_back(std::move(version.model));
      version.model = nullptr;
      SetState(v1::VersionInfo::STATE_UNLOADED, "", version.info);
      spdlog::info("model {} version {} is unloaded", name, number);
    }
    // The last one of a model goes when the disk is looked at.
    const bool forgotten = version.gone && !by_default.empty();
    known = forgotten ? versions.erase(known) : std::next(known);
  }
}

absl::Status ModelRepository::LoadFromDisk(const std::string& name,
                                           Version& version) const {
  const std::int64_t number = version.info.version();
  version.stamps.clear();
  version.replaced = false;
  const auto load = [&]() -> absl::Status {
    const auto summary = store_.Inspect(name, number);
    if (!summary.ok()) return summary.status();
    // What changes while it is read differs from these.
    version.stamps = summary->stamps;
    absl::StatusOr<v1::Model> stored =
        store_.ReadModel(name, number, summary->manifest);
    if (!stored.ok()) return stored.status();
    absl::StatusOr<Model> model = DecodeAndWarmUp(*stored);
    if (!model.ok()) return model.status();
    const bool pinned = version.pinned, by_default = version.by_default;
    version = Loaded(number, *summary,
                     std::make_shared<const Model>(*std::move(model)));
    version.pinned = pinned;
    version.by_default = by_default;
    return absl::OkStatus();
  };
  absl::Status status;
  try {
    status = load();
  } catch (const std::bad_alloc&) {
    status = absl::ResourceExhaustedError("there is not enough memory for it");
  }
  if (status.ok()) {
    spdlog::info("model {} version {} is loaded", name, number);
    return status;
  }
  SetFailed(status, version);
  if (version.model != nullptr) {
    SetState(v1::VersionInfo::STATE_AVAILABLE,
             absl::StrCat("answers as it was loaded; the files that have taken "
                          "the place of its own cannot be: ",
                          status.message()),
             version.info);
  }
  spdlog::error("model {} version {} cannot be loaded: {}", name, number,
                status.ToString());
  return NotLoadable(name, version);
}

absl::Status ModelRepository::NotLoadable(const std::string& name,
                                          const Version& version) {
  const absl::Status& status = version.failure;
  // Whatever a stored file is at fault for, it is not the caller's request.
  const absl::StatusCode code =
      status.code() == absl::StatusCode::kInvalidArgument
          ? absl::StatusCode::kDataLoss
          : status.code();
  return Error(
      code, "VERSION_NOT_LOADABLE",
      absl::StrCat("version ", version.info.version(), " of model ",
                   Quoted(name), " cannot be loaded: ", status.message()));
}

ModelRepository::Version ModelRepository::Loaded(
    std::int64_t number, const VersionStore::Summary& summary,
    std::shared_ptr<const Model> model) {
  Version version;
  version.info.set_version(number);
  SetStored(summary, version.info);
  SetLoaded(*model, version.info);
  SetState(v1::VersionInfo::STATE_AVAILABLE, "", version.info);
  version.model = std::move(model);
  version.manifest = summary.manifest;
  version.stamps = summary.stamps;
  return version;
}

}  // namespace poe::server
