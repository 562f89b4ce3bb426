#include "tests/e2e/soak_changes.h"

#include <cstddef>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "poe/v1/scoring.pb.h"
#include "poe/v1/training.pb.h"
#include "server/files.h"
#include "server/manifest.h"
#include "tests/e2e/soak_fixture.h"

namespace poe::server {
namespace {

constexpr std::int64_t kMostFileBytes = 1 << 30;

// Names in a folder, hidden ones too.
std::set<std::string> NamesIn(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

// Whether the files of a version are all there, and as they were written.
bool IsWhole(const std::filesystem::path& version) {
  if (NamesIn(version) != std::set<std::string>{"MANIFEST", "model.pb"}) {
    return false;
  }
  const absl::StatusOr<std::string> text =
      ReadFile(version / "MANIFEST", kMostFileBytes);
  if (!text.ok()) return false;
  const absl::StatusOr<Manifest> manifest = ParseManifest(*text);
  if (!manifest.ok()) return false;
  const absl::StatusOr<std::string> model =
      ReadFile(version / "model.pb", kMostFileBytes);
  const ManifestEntry* const entry = manifest->Find("model.pb");
  return model.ok() && entry != nullptr &&
         CheckFile(*entry, DescribeFile("model.pb", *model)).ok();
}

}  // namespace

absl::StatusOr<VersionName> TrainVersion(client::Client& client,
                                         const std::string& model,
                                         std::uint64_t seed) {
  v1::TrainStart start = Start(20);
  start.set_model_name(model);
  start.clear_request_id();
  start.set_seed(seed);
  const absl::StatusOr<v1::Job> job =
      client.TrainAll(start, Rows(), {}, Ignore);
  if (!job.ok()) return job.status();
  return VersionName(model, job->version());
}

absl::StatusOr<VersionFiles> ExportVersion(client::Client& client,
                                           const VersionName& name) {
  v1::ExportModelRequest request;
  request.mutable_model()->set_name(name.first);
  request.mutable_model()->set_version(name.second);
  VersionFiles files;
  const absl::Status status =
      client.ExportModel(request, [&](const v1::ModelFileChunk& chunk) {
        files.push_back(chunk);
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return files;
}

absl::StatusOr<VersionName> ImportVersion(client::Client& client,
                                          const std::string& model,
                                          const VersionFiles& files) {
  v1::ModelVersion version;
  version.set_name(model);
  std::size_t next = 0;
  const absl::StatusOr<v1::ModelInfo> info = client.ImportModel(
      version, [&](v1::ModelFileChunk& chunk) -> absl::StatusOr<bool> {
        if (next == files.size()) return false;
        chunk = files[next++];
        return true;
      });
  if (!info.ok()) return info.status();
  return VersionName(model, info->versions(0).version());
}

absl::Status SetLabel(client::Client& client, const VersionName& name,
                      const std::string& label) {
  v1::SetLabelRequest request;
  request.set_name(name.first);
  request.set_version(name.second);
  request.set_label(label);
  return client.SetLabel(request).status();
}

absl::StatusOr<std::string> Answer(client::Client& client,
                                   const VersionName& name) {
  v1::GetModelRequest get;
  get.mutable_model()->set_name(name.first);
  get.mutable_model()->set_version(name.second);
  get.set_include_parameters(true);
  const absl::StatusOr<v1::GetModelResponse> model = client.GetModel(get);
  if (!model.ok()) return model.status();
  v1::ScoreRequest ask = OneRow();
  *ask.mutable_model() = get.model();
  const absl::StatusOr<v1::ScoreResponse> score = client.Score(ask);
  if (!score.ok()) return score.status();
  return absl::StrCat(model->parameters().SerializeAsString(),
                      score->SerializeAsString());
}

RepositoryState InspectRepository(const std::filesystem::path& folder) {
  RepositoryState state;
  const auto leave_over = [&state](const std::filesystem::path& path) {
    ++state.left_over;
    ADD_FAILURE() << path << " is left over";
  };
  for (const std::string& name : NamesIn(folder / ".tmp")) {
    leave_over(folder / ".tmp" / name);
  }
  const std::set<std::string> of_jobs = NamesIn(folder / ".jobs");
  for (const std::string& name : of_jobs) {
    if (absl::EndsWith(name, ".job")) continue;
    // What a job that failed has kept goes with its record.
    absl::string_view job = name;
    if (absl::ConsumeSuffix(&job, ".pb") &&
        of_jobs.count(absl::StrCat(job, ".job")) > 0) {
      continue;
    }
    leave_over(folder / ".jobs" / name);
  }
  for (const std::string& model : NamesIn(folder)) {
    if (absl::StartsWith(model, ".")) continue;
    for (const std::string& name : NamesIn(folder / model)) {
      const std::filesystem::path path = folder / model / name;
      std::int64_t version = 0;
      if (name == "LABELS") continue;
      if (!absl::SimpleAtoi(name, &version)) {
        leave_over(path);
        continue;
      }
      ++state.versions;
      if (IsWhole(path)) continue;
      ++state.damaged;
      ADD_FAILURE() << path << " is damaged";
    }
  }
  return state;
}

}  // namespace poe::server
