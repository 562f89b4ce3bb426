// Tokens, roles, and the file that they stand in.

#include "server/access.h"

#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/errors.h"
#include "server/manifest.h"
#include "tests/server/certificates.h"

namespace poe::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kScoreMethod[] = "/poe.v1.ProductOfExperts/Score";
constexpr char kTrainMethod[] = "/poe.v1.ProductOfExperts/Train";
constexpr char kAdminMethod[] = "/poe.v1.ModelRegistry/DeleteModel";

std::string Line(const std::string& role, const std::string& name,
                 const std::string& token) {
  return absl::StrCat(role, " ", name, " sha256:", Sha256(token), "\n");
}

class AccessTest : public ::testing::Test {
 protected:
  AccessTest() {
    std::string path = ::testing::TempDir() + "/poe_access_XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
  }
  ~AccessTest() override { std::filesystem::remove_all(folder_); }

  std::string file() const { return (folder_ / "tokens").string(); }
  void Write(const std::string& text) const { WriteTestFile(file(), text); }

  // Looks at the file before each check.
  std::unique_ptr<Access> Open() const {
    auto access = Access::Open(file(), std::chrono::milliseconds(0));
    EXPECT_TRUE(access.ok()) << access.status();
    return *std::move(access);
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(AccessTest, ATokenThatIsKnownHasAName) {
  Write(absl::StrCat(Line("score", "alice", "a"), Line("admin", "bob", "b")));
  const auto access = Open();
  EXPECT_EQ(access->TokenName("Bearer b"), "bob");
  EXPECT_EQ(access->TokenName("bearer a"), "alice");
  for (const char* none : {"", "Bearer", "Bearer c", "Basic a"}) {
    EXPECT_EQ(access->TokenName(none), "") << none;
  }
  EXPECT_EQ(access->TokenName(std::nullopt), "");
}

TEST(RoleForTest, EachMethodHasItsRole) {
  for (const char* method :
       {"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch",
        "/inference.GRPCInferenceService/ServerLive",
        "/inference.GRPCInferenceService/ServerReady"}) {
    EXPECT_EQ(RoleFor(method), Role::kAnyone) << method;
  }
  for (const char* method :
       {kScoreMethod, "/poe.v1.ProductOfExperts/ScoreStream",
        "/poe.v1.ProductOfExperts/Reconstruct",
        "/poe.v1.ProductOfExperts/Sample", "/poe.v1.ModelRegistry/ListModels",
        "/poe.v1.ModelRegistry/GetModel",
        "/inference.GRPCInferenceService/ModelInfer",
        "/inference.GRPCInferenceService/ModelMetadata",
        "/inference.GRPCInferenceService/RepositoryIndex",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"}) {
    EXPECT_EQ(RoleFor(method), Role::kScore) << method;
  }
  for (const char* method : {kTrainMethod, "/poe.v1.TrainingJobs/ListJobs",
                             "/poe.v1.TrainingJobs/DeleteJob"}) {
    EXPECT_EQ(RoleFor(method), Role::kTrain) << method;
  }
  for (const char* method :
       {kAdminMethod, "/poe.v1.ModelRegistry/LoadModel",
        "/poe.v1.ModelRegistry/UnloadModel", "/poe.v1.ModelRegistry/SetLabel",
        "/poe.v1.ModelRegistry/ClearLabel", "/poe.v1.ModelRegistry/ExportModel",
        "/poe.v1.ModelRegistry/ImportModel",
        "/inference.GRPCInferenceService/RepositoryModelLoad",
        "/inference.GRPCInferenceService/RepositoryModelUnload"}) {
    EXPECT_EQ(RoleFor(method), Role::kAdmin) << method;
  }
}

TEST(RoleForTest, AMethodThatIsNotKnownNeedsAnAdmin) {
  for (const char* method :
       {"", "/", "/poe.v1.ProductOfExperts/Scor",
        "/poe.v1.ProductOfExperts/ScoreX", "/poe.v2.TrainingJobs/ListJobs"}) {
    EXPECT_EQ(RoleFor(method), Role::kAdmin) << method;
  }
}

TEST(ParseTokensTest, CommentsAndEmptyLinesDoNotCount) {
  const auto entries = ParseTokens(
      absl::StrCat("# who\n\n  \n", Line("score", "alice", "a"),
                   "\t# more\nadmin\tbob.b_-@2   sha256:", Sha256("b"), "\r\n"),
      "tokens");
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].role, Role::kScore);
  EXPECT_EQ((*entries)[0].name, "alice");
  EXPECT_EQ((*entries)[0].sha256, Sha256("a"));
  EXPECT_EQ((*entries)[1].role, Role::kAdmin);
  EXPECT_EQ((*entries)[1].name, "bob.b_-@2");
}

TEST(ParseTokensTest, MistakesNameFileAndLineAndNotTheText) {
  const std::string hash = absl::StrCat("sha256:", Sha256("a"));
  const struct {
    std::string line;
    const char* message;
  } cases[] = {
      {"secret", "has 1 fields; must have three"},
      {absl::StrCat("score secret ", hash, " x"), "has 4 fields"},
      {absl::StrCat("secret alice ", hash), "begins with no role"},
      {absl::StrCat("Score alice ", hash), "begins with no role"},
      {absl::StrCat("anyone alice ", hash), "begins with no role"},
      {absl::StrCat("score secret/ ", hash), "has a name"},
      {"score alice secret", "is not sha256: and 64 hexadecimal digits"},
      {absl::StrCat("score alice ", Sha256("a")), "is not sha256:"},
      {absl::StrCat("score alice ", hash, "0"), "is not sha256:"},
      {absl::StrCat("score alice ", hash.substr(0, 70), "g"), "is not sha256:"},
      {absl::StrCat("train carol sha256:", Sha256("first")),
       "has the hash of an earlier line"},
  };
  for (const auto& [line, message] : cases) {
    const auto entries = ParseTokens(
        absl::StrCat(Line("score", "first", "first"), "\n", line), "tokens");
    EXPECT_EQ(entries.status().code(), absl::StatusCode::kInvalidArgument);
    const std::string text(entries.status().message());
    EXPECT_THAT(text, HasSubstr("tokens: line 3 "));
    EXPECT_THAT(text, HasSubstr(message));
    EXPECT_THAT(text, Not(HasSubstr("secret")));
  }
}

TEST_F(AccessTest, EachRoleMayDoWhatThoseBeforeItMay) {
  Write(Line("score", "alice", "a") + Line("train", "bob", "b") +
        Line("admin", "carol", "c"));
  const auto access = Open();
  const struct {
    const char* token;
    bool score, train, admin;
  } cases[] = {{"Bearer a", true, false, false},
               {"Bearer b", true, true, false},
               {"bearer c", true, true, true}};
  for (const auto& [token, score, train, admin] : cases) {
    EXPECT_EQ(access->Check(kScoreMethod, token).ok(), score) << token;
    EXPECT_EQ(access->Check(kTrainMethod, token).ok(), train) << token;
    EXPECT_EQ(access->Check(kAdminMethod, token).ok(), admin) << token;
  }
  const absl::Status refused = access->Check(kAdminMethod, "Bearer b");
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(refused), "ROLE_TOO_LOW");
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("needs the role admin; the token of bob has the role "
                        "train"));
}

TEST_F(AccessTest, WithoutAKnownTokenACallIsUnauthenticated) {
  Write(Line("admin", "alice", "right"));
  const auto access = Open();
  const struct {
    std::optional<absl::string_view> authorization;
    const char* reason;
  } cases[] = {
      {std::nullopt, "TOKEN_MISSING"},   {"", "TOKEN_MALFORMED"},
      {"right", "TOKEN_MALFORMED"},      {"Basic right", "TOKEN_MALFORMED"},
      {"Bearer ", "TOKEN_UNKNOWN"},      {"Bearer wrong", "TOKEN_UNKNOWN"},
      {"Bearer right ", "TOKEN_UNKNOWN"}};
  for (const auto& [authorization, reason] : cases) {
    const absl::Status status = access->Check(kScoreMethod, authorization);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << reason;
    EXPECT_EQ(ReasonOf(status), reason);
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("wrong")));
    EXPECT_TRUE(
        access->Check("/grpc.health.v1.Health/Check", authorization).ok());
  }
}

TEST_F(AccessTest, TheFileIsReadAgainWhenItHasChanged) {
  Write(Line("score", "alice", "a"));
  const auto access = Open();
  EXPECT_FALSE(access->Check(kScoreMethod, "Bearer b").ok());
  Write(Line("score", "alice", "b"));
  EXPECT_TRUE(access->Check(kScoreMethod, "Bearer b").ok());
  EXPECT_FALSE(access->Check(kScoreMethod, "Bearer a").ok());
  Write("# nobody\n");
  EXPECT_FALSE(access->Check(kScoreMethod, "Bearer b").ok());
}

TEST_F(AccessTest, TokensStayAsTheyWereIfTheNewFileIsBad) {
  Write(Line("score", "alice", "a"));
  const auto access = Open();
  Write("score alice");
  EXPECT_TRUE(access->Check(kScoreMethod, "Bearer a").ok());
  std::filesystem::remove(file());
  EXPECT_TRUE(access->Check(kScoreMethod, "Bearer a").ok());
  Write(Line("score", "alice", "b"));
  EXPECT_FALSE(access->Check(kScoreMethod, "Bearer a").ok());
  EXPECT_TRUE(access->Check(kScoreMethod, "Bearer b").ok());
}

TEST_F(AccessTest, TheFileIsNotLookedAtMoreOftenThanAsked) {
  Write(Line("score", "alice", "a"));
  const auto access = Access::Open(file(), std::chrono::hours(1));
  ASSERT_TRUE(access.ok()) << access.status();
  Write(Line("score", "alice", "b"));
  EXPECT_TRUE((*access)->Check(kScoreMethod, "Bearer a").ok());
}

TEST_F(AccessTest, AFileThatCannotBeReadIsNamed) {
  const auto missing = Access::Open(file());
  EXPECT_FALSE(missing.ok());
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr(file()));
  Write("score");
  const auto bad = Access::Open(file());
  EXPECT_EQ(bad.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(bad.status().message()),
              HasSubstr(file() + ": line 1 "));
}

}  // namespace
}  // namespace poe::server
