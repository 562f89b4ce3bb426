// A repository in a folder of its own.
#ifndef POE_TESTS_SERVER_MODEL_REPOSITORY_TEST_H_
#define POE_TESTS_SERVER_MODEL_REPOSITORY_TEST_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "server/errors.h"
#include "server/model_repository.h"
#include "server/version_policy.h"
#include "tests/server/repository_testing.h"

namespace poe::server {

inline RepositoryOptions WithPolicy(absl::string_view policies) {
  RepositoryOptions options;
  options.policies = *ParseVersionPolicies(policies);
  return options;
}

class ModelRepositoryTest : public ::testing::Test {
 protected:
  ModelRepositoryTest() { Reopen(); }

  // As after a restart of the server.
  void Reopen(RepositoryOptions options = {}) {
    repository_.reset();
    auto opened = ModelRepository::Open(folder(), std::move(options));
    ASSERT_TRUE(opened.ok()) << opened.status();
    repository_ = *std::move(opened);
  }

  std::string folder() const { return temporary_ / "models"; }
  std::filesystem::path VersionFolder(absl::string_view name, int version) {
    return absl::StrCat(folder(), "/", name, "/", version);
  }
  // The bias of the model that answers, or the error's reason.
  std::string Answer(const v1::ModelSelector& selector) const {
    const auto served = repository_->Find(selector);
    if (!served.ok()) return ReasonOf(served.status());
    return absl::StrCat("version ", served->version, " bias ",
                        BiasOf(*served->model));
  }
  v1::VersionInfo Info(absl::string_view name, std::int64_t version) const {
    const auto info = repository_->GetVersion(name, version);
    EXPECT_TRUE(info.ok()) << info.status();
    return info.value_or(v1::VersionInfo());
  }
  std::vector<std::string> TemporaryFiles() const {
    std::vector<std::string> names;
    for (const auto& entry :
         std::filesystem::directory_iterator(folder() + "/.tmp")) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  TemporaryFolder temporary_;
  std::unique_ptr<ModelRepository> repository_;
};

}  // namespace poe::server

#endif  // POE_TESTS_SERVER_MODEL_REPOSITORY_TEST_H_
