// Changes of a repository, for cases of the stress test, and what is to hold
// after them.
#ifndef POE_TESTS_E2E_SOAK_CHANGES_H_
#define POE_TESTS_E2E_SOAK_CHANGES_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/client.h"
#include "poe/v1/registry.pb.h"

namespace poe::server {

// Of a model, and the number.
using VersionName = std::pair<std::string, std::int64_t>;

// Trains `model` on Rows() for a moment.
absl::StatusOr<VersionName> TrainVersion(client::Client& client,
                                         const std::string& model,
                                         std::uint64_t seed);

using VersionFiles = std::vector<v1::ModelFileChunk>;
absl::StatusOr<VersionFiles> ExportVersion(client::Client& client,
                                           const VersionName& name);
absl::StatusOr<VersionName> ImportVersion(client::Client& client,
                                          const std::string& model,
                                          const VersionFiles& files);

absl::Status SetLabel(client::Client& client, const VersionName& name,
                      const std::string& label);

// The parameters of a version, and what it says about a row.
absl::StatusOr<std::string> Answer(client::Client& client,
                                   const VersionName& name);

// What a repository holds, while no job is under way.
struct RepositoryState {
  int versions = 0;
  int damaged = 0;    // of them, whose files are not those of their MANIFEST
  int left_over = 0;  // files and folders that belong to nothing
};
RepositoryState InspectRepository(const std::filesystem::path& folder);

}  // namespace poe::server

#endif  // POE_TESTS_E2E_SOAK_CHANGES_H_
