// Folders and small models for tests of what lies on the disk.
#ifndef POE_TESTS_SERVER_REPOSITORY_TESTING_H_
#define POE_TESTS_SERVER_REPOSITORY_TESTING_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "poe/model.h"
#include "poe/v1/model.pb.h"
#include "poe/v1/scoring.pb.h"
#include "server/model_repository.h"

namespace poe::server {

// A new, empty folder that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string operator/(absl::string_view name) const;

 private:
  std::filesystem::path path_;
};

std::string ReadWholeFile(const std::filesystem::path& path);
void WriteWholeFile(const std::filesystem::path& path,
                    absl::string_view contents);

// A density model of two bits with one expert, as it is stored. The first bias
// of its base is `bias`.
v1::Model TwoBits(double bias);
// The bias of such a model.
double BiasOf(const Model& model);

v1::ModelSelector Select(absl::string_view name);
v1::ModelSelector Select(absl::string_view name, std::int64_t version);
v1::ModelSelector SelectLabel(absl::string_view name, absl::string_view label);

// Publishes TwoBits(bias) and returns its version, which must be there.
std::int64_t PublishTwoBits(ModelRepository& repository, absl::string_view name,
                            double bias);

}  // namespace poe::server

#endif  // POE_TESTS_SERVER_REPOSITORY_TESTING_H_
