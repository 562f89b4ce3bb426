// What a repository loads and unloads as the disk changes, or fails.

#include <linux/capability.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/codec/model_codec.h"
#include "server/errors.h"
#include "server/files.h"
#include "server/model_repository.h"
#include "tests/server/model_repository_test.h"
#include "tests/server/repository_testing.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// While it lives, what the mode of a file or folder forbids is forbidden to
// this thread, even if it is root's.
class ModesForbid {
 public:
  ModesForbid() {
    EXPECT_EQ(syscall(SYS_capget, &header_, before_.data()), 0);
    auto without = before_;
    without[0].effective &=
        ~((1u << CAP_DAC_OVERRIDE) | (1u << CAP_DAC_READ_SEARCH));
    EXPECT_EQ(syscall(SYS_capset, &header_, without.data()), 0);
  }
  ~ModesForbid() { syscall(SYS_capset, &header_, before_.data()); }
  ModesForbid(const ModesForbid&) = delete;
  ModesForbid& operator=(const ModesForbid&) = delete;

 private:
  __user_cap_header_struct header_ = {.version = _LINUX_CAPABILITY_VERSION_3,
                                      .pid = 0};
  std::array<__user_cap_data_struct, 2> before_;
};

class ModelRepositoryLoadingTest : public ModelRepositoryTest {
 protected:
  // A repository of the same folder that only reads it.
  std::unique_ptr<ModelRepository> OpenReader(
      absl::string_view policy = "latest:1") {
    RepositoryOptions options = WithPolicy(policy);
    options.read_only = true;
    auto opened = ModelRepository::Open(folder(), std::move(options));
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }
  // The version that answers by default, or 0.
  static std::int64_t Default(const ModelRepository& repository) {
    const auto served = repository.Find(Select("digits"));
    return served.ok() ? served->version : 0;
  }
  // One byte of the version's model is another.
  void Damage(int version) {
    const auto path = VersionFolder("digits", version) / "model.pb";
    std::string contents = ReadWholeFile(path);
    contents.back() ^= 0x10;
    WriteWholeFile(path, contents);
  }
};

TEST_F(ModelRepositoryLoadingTest, AFolderThatCannotBeLookedAtUnloadsNothing) {
  PublishTwoBits(*repository_, "digits", 1);
  const ModesForbid forbidding;
  const std::filesystem::path model = folder() + "/digits";
  using std::filesystem::perms;
  // Versions have names and nothing else; then not even that.
  for (const perms mode : {perms::owner_read, perms::none}) {
    std::filesystem::permissions(model, mode);
    repository_->Refresh();
    EXPECT_EQ(Answer(Select("digits")), "version 1 bias 1");
  }
  std::filesystem::permissions(model, perms::owner_all);
  // The models have names and nothing else.
  std::filesystem::permissions(folder(), perms::owner_read);
  repository_->Refresh();
  EXPECT_TRUE(repository_->Load("digits", 0).ok());
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 1");
  std::filesystem::permissions(folder(), perms::owner_all);
  repository_->Refresh();
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 1");
  EXPECT_EQ(Info("digits", 1).state(), v1::VersionInfo::STATE_AVAILABLE);
}

TEST_F(ModelRepositoryLoadingTest, AVersionWhoseFolderIsGoneAnswersUntilANew) {
  RepositoryOptions options = WithPolicy("latest:1");
  options.keep_versions = 1;
  Reopen(options);
  PublishTwoBits(*repository_, "digits", 1);
  const auto reader = OpenReader();
  EXPECT_EQ(Default(*reader), 1);
  PublishTwoBits(*repository_, "digits", 2);
  ASSERT_FALSE(std::filesystem::exists(VersionFolder("digits", 1)));
  const std::string whole =
      ReadWholeFile(VersionFolder("digits", 2) / "model.pb");
  Damage(2);
  reader->Refresh();
  EXPECT_EQ(Default(*reader), 1);
  const auto gone = reader->GetVersion("digits", 1);
  ASSERT_TRUE(gone.ok()) << gone.status();
  EXPECT_EQ(gone->state(), v1::VersionInfo::STATE_AVAILABLE);
  EXPECT_THAT(gone->reason(), HasSubstr("gone from the disk"));
  reader->Refresh();
  EXPECT_EQ(Default(*reader), 1);
  WriteWholeFile(VersionFolder("digits", 2) / "model.pb", whole);
  ASSERT_TRUE(reader->Load("digits", 2).ok());
  reader->Refresh();
  EXPECT_EQ(Default(*reader), 2);
  EXPECT_EQ(reader->GetVersion("digits", 1).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(ModelRepositoryLoadingTest, AVersionThatIsBackIsStoredAsBefore) {
  PublishTwoBits(*repository_, "digits", 1);
  std::filesystem::rename(VersionFolder("digits", 1), temporary_ / "aside");
  repository_->Refresh();
  EXPECT_THAT(Info("digits", 1).reason(), HasSubstr("gone from the disk"));
  std::filesystem::rename(temporary_ / "aside", VersionFolder("digits", 1));
  repository_->Refresh();
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 1");
  EXPECT_EQ(Info("digits", 1).reason(), "");
}

TEST_F(ModelRepositoryLoadingTest, AVersionThatIsGoneGetsNoLabel) {
  PublishTwoBits(*repository_, "digits", 1);
  std::filesystem::rename(VersionFolder("digits", 1), temporary_ / "aside");
  repository_->Refresh();
  const absl::Status refused =
      repository_->SetLabel("digits", "stable", 1).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(refused), "VERSION_GONE");
  EXPECT_EQ(Answer(SelectLabel("digits", "stable")), "LABEL_NOT_FOUND");
  std::filesystem::rename(temporary_ / "aside", VersionFolder("digits", 1));
  repository_->Refresh();
  EXPECT_TRUE(repository_->SetLabel("digits", "stable", 1).ok());
  EXPECT_EQ(Answer(SelectLabel("digits", "stable")), "version 1 bias 1");
}

TEST_F(ModelRepositoryLoadingTest, TheLastVersionAnswersWhileThereIsAFolder) {
  PublishTwoBits(*repository_, "digits", 1);
  PublishTwoBits(*repository_, "letters", 1);
  for (const char* name : {"digits", "letters"}) {
    std::filesystem::remove_all(VersionFolder(name, 1));
  }
  repository_->Refresh();
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 1");
  // By hand it is unloaded all the same, and its number not given again.
  ASSERT_TRUE(repository_->Unload("letters", 1).ok());
  EXPECT_EQ(Answer(Select("letters")), "VERSION_NOT_LOADED");
  repository_->Refresh();
  EXPECT_EQ(Answer(Select("letters")), "MODEL_NOT_FOUND");
  EXPECT_EQ(PublishTwoBits(*repository_, "digits", 2), 2);
  EXPECT_EQ(Answer(Select("digits")), "version 2 bias 2");
  EXPECT_EQ(Answer(Select("digits", 1)), "VERSION_NOT_FOUND");
  std::filesystem::remove_all(folder() + "/digits");
  repository_->Refresh();
  EXPECT_EQ(Answer(Select("digits")), "MODEL_NOT_FOUND");
}

TEST_F(ModelRepositoryLoadingTest, FilesThatAreFilledInPlaceAreTriedAgain) {
  PublishTwoBits(*repository_, "digits", 1);
  PublishTwoBits(*repository_, "digits", 2);
  const auto path = VersionFolder("digits", 2) / "model.pb";
  const std::string whole = ReadWholeFile(path);
  WriteWholeFile(path, std::string(whole.size(), '\0'));
  const auto reader = OpenReader();
  EXPECT_EQ(Default(*reader), 1);
  reader->Refresh();
  EXPECT_EQ(Default(*reader), 1);
  WriteWholeFile(path, whole);
  // Another one, however coarse the disk's clock is.
  std::filesystem::last_write_time(
      path, std::filesystem::last_write_time(path) + std::chrono::minutes(1));
  reader->Refresh();
  EXPECT_EQ(Default(*reader), 2);
}

TEST_F(ModelRepositoryLoadingTest, WhatWasRefusedIsTriedAgainLessAndLessOften) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can lose rights and get them";
  PublishTwoBits(*repository_, "digits", 1);
  PublishTwoBits(*repository_, "digits", 2);
  // The manifest can be read and the model cannot.
  std::filesystem::permissions(VersionFolder("digits", 2) / "model.pb",
                               std::filesystem::perms::none);
  std::optional<ModesForbid> forbidding(std::in_place);
  const auto reader = OpenReader();
  EXPECT_EQ(Default(*reader), 1);
  EXPECT_THAT(reader->GetVersion("digits", 2)->reason(),
              HasSubstr("Permission denied"));
  // Again at once, then after one more look. The files stay as they are.
  reader->Refresh();
  forbidding.reset();
  reader->Refresh();
  EXPECT_EQ(Default(*reader), 1);
  reader->Refresh();
  EXPECT_EQ(Default(*reader), 2);
}

TEST_F(ModelRepositoryLoadingTest, AVersionPutBackWithOtherContentsIsLoaded) {
  PublishTwoBits(*repository_, "digits", 1);
  PublishTwoBits(*repository_, "others", 2);
  const auto held = repository_->Find(Select("digits"));
  ASSERT_TRUE(held.ok()) << held.status();
  // Between two looks, then over several.
  std::filesystem::remove_all(VersionFolder("digits", 1));
  std::filesystem::copy(VersionFolder("others", 1), VersionFolder("digits", 1));
  repository_->Refresh();
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 2");
  EXPECT_EQ(BiasOf(*held->model), 1);
  PublishTwoBits(*repository_, "third", 3);
  std::filesystem::remove_all(VersionFolder("digits", 1));
  repository_->Refresh();
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 2");
  std::filesystem::copy(VersionFolder("third", 1), VersionFolder("digits", 1));
  repository_->Refresh();
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 3");
  EXPECT_EQ(Info("digits", 1).state(), v1::VersionInfo::STATE_AVAILABLE);
  EXPECT_EQ(Info("digits", 1).reason(), "");
  // The same files with other times are the same version.
  const auto loaded = repository_->Find(Select("digits"));
  const auto path = VersionFolder("digits", 1) / "MANIFEST";
  std::filesystem::last_write_time(
      path, std::filesystem::last_write_time(path) + std::chrono::minutes(1));
  repository_->Refresh();
  EXPECT_EQ(repository_->Find(Select("digits"))->model, loaded->model);
}

TEST_F(ModelRepositoryLoadingTest, HalfAVersionTakesNoPlaceOfOneThatAnswers) {
  PublishTwoBits(*repository_, "digits", 1);
  PublishTwoBits(*repository_, "others", 2);
  const auto here = VersionFolder("digits", 1);
  const auto there = VersionFolder("others", 1);
  const std::string model = ReadWholeFile(there / "model.pb");
  const auto answers_as_it_was = [this] {
    repository_->Refresh();
    EXPECT_EQ(Answer(Select("digits")), "version 1 bias 1");
    return Info("digits", 1).state() == v1::VersionInfo::STATE_AVAILABLE;
  };
  std::filesystem::remove_all(here);
  std::filesystem::create_directory(here);
  EXPECT_TRUE(answers_as_it_was());
  WriteWholeFile(here / "MANIFEST", ReadWholeFile(there / "MANIFEST"));
  EXPECT_TRUE(answers_as_it_was());
  WriteWholeFile(here / "model.pb", model.substr(0, model.size() / 2));
  EXPECT_TRUE(answers_as_it_was());
  // As long as it is to be, and not yet what it is to be.
  WriteWholeFile(here / "model.pb", std::string(model.size(), '\0'));
  EXPECT_TRUE(answers_as_it_was());
  EXPECT_THAT(Info("digits", 1).reason(), HasSubstr("answers as it was"));
  EXPECT_EQ(repository_->Load("digits", 0).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_TRUE(answers_as_it_was());
  WriteWholeFile(here / "model.pb", model);
  std::filesystem::last_write_time(
      here / "model.pb", std::filesystem::last_write_time(here / "model.pb") +
                             std::chrono::minutes(1));
  repository_->Refresh();
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 2");
  EXPECT_EQ(Info("digits", 1).reason(), "");
}

// Descriptors run out, and not a byte of the version changes.
TEST_F(ModelRepositoryLoadingTest, AFailureThatPassesNeedsNoChangeOfFiles) {
  PublishTwoBits(*repository_, "digits", 1);
  PublishTwoBits(*repository_, "digits", 2);
  ASSERT_TRUE(repository_->Unload("digits", 0).ok());
  rlimit files;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  const rlimit none = {.rlim_cur = 0, .rlim_max = files.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto loaded = repository_->Load("digits", 2);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Info("digits", 2).state(), v1::VersionInfo::STATE_FAILED);
  repository_->Refresh();
  EXPECT_EQ(Answer(Select("digits")), "version 2 bias 2");
}

TEST_F(ModelRepositoryLoadingTest, LoadingWithoutANumberPinsNothing) {
  for (int version = 1; version <= 3; ++version) {
    PublishTwoBits(*repository_, "digits", version);
    ASSERT_TRUE(repository_->Load("digits", 0).ok());
  }
  EXPECT_EQ(Answer(Select("digits")), "version 3 bias 3");
  for (const int version : {1, 2}) {
    EXPECT_EQ(Info("digits", version).state(), v1::VersionInfo::STATE_UNLOADED);
  }
  // What was unloaded by hand is the policy's again.
  ASSERT_TRUE(repository_->Unload("digits", 3).ok());
  EXPECT_EQ(Answer(Select("digits")), "version 2 bias 2");
  ASSERT_TRUE(repository_->Load("digits", 0).ok());
  EXPECT_EQ(Answer(Select("digits")), "version 3 bias 3");
  EXPECT_EQ(Answer(Select("digits", 2)), "VERSION_NOT_LOADED");
}

TEST_F(ModelRepositoryLoadingTest, LoadingWithoutANumberTellsOfADamagedNewest) {
  PublishTwoBits(*repository_, "digits", 1);
  PublishTwoBits(*repository_, "digits", 2);
  Damage(2);
  // Not a version, however great its number is.
  std::filesystem::create_directory(VersionFolder("digits", 9));
  const auto reader = OpenReader();
  EXPECT_EQ(reader->Load("digits", 0).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(Default(*reader), 1);
  Damage(2);  // as it was
  EXPECT_TRUE(reader->Load("digits", 0).ok());
  EXPECT_EQ(Default(*reader), 2);
}

TEST_F(ModelRepositoryLoadingTest, ACanaryGetsNoCallsThatNameNoLabel) {
  Reopen(WithPolicy("specific:1"));
  PublishTwoBits(*repository_, "digits", 1);
  PublishTwoBits(*repository_, "digits", 2);
  ASSERT_TRUE(repository_->SetLabel("digits", "canary", 2).ok());
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 1");
  EXPECT_EQ(Answer(SelectLabel("digits", "canary")), "version 2 bias 2");
  Reopen(WithPolicy("specific:1"));
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 1");
  EXPECT_EQ(Answer(SelectLabel("digits", "canary")), "version 2 bias 2");
  // Once it is loaded by its number it is one of those that answer.
  ASSERT_TRUE(repository_->Load("digits", 2).ok());
  EXPECT_EQ(Answer(Select("digits")), "version 2 bias 2");
  ASSERT_TRUE(repository_->Unload("digits", 2).ok());
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 1");
}

TEST_F(ModelRepositoryLoadingTest, ALabelledVersionAnswersWhereThereIsNoOther) {
  Reopen(WithPolicy("specific:7"));
  PublishTwoBits(*repository_, "digits", 1);
  EXPECT_EQ(Answer(Select("digits")), "VERSION_NOT_LOADED");
  ASSERT_TRUE(repository_->SetLabel("digits", "canary", 1).ok());
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 1");
}

TEST_F(ModelRepositoryLoadingTest, OpeningStopsBetweenVersionsWhenToldTo) {
  for (int version = 1; version <= 5; ++version) {
    PublishTwoBits(*repository_, "digits", version);
  }
  repository_.reset();
  int asked = 0;
  const auto stopped = ModelRepository::Open(folder(), WithPolicy("all"),
                                             [&] { return ++asked > 2; });
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kCancelled);
  // The folder is free again, and what asks is not asked once all is loaded.
  asked = -1000;
  const auto opened = ModelRepository::Open(folder(), WithPolicy("all"),
                                            [&] { return ++asked > 0; });
  ASSERT_TRUE(opened.ok()) << opened.status();
  asked = 1000;
  (*opened)->Refresh();
  ASSERT_TRUE((*opened)->Unload("digits", 5).ok());
  ASSERT_TRUE((*opened)->Load("digits", 5).ok());
  EXPECT_EQ(asked, 1000);
}

// A folder that is a version by its name alone.
TEST_F(ModelRepositoryLoadingTest, AFolderWithoutAManifestTakesNoPlace) {
  RepositoryOptions options = WithPolicy("latest:2");
  options.keep_versions = 3;
  Reopen(options);
  for (int version = 1; version <= 3; ++version) {
    PublishTwoBits(*repository_, "digits", version);
  }
  std::filesystem::create_directory(VersionFolder("digits", 9));
  repository_->Refresh();
  EXPECT_EQ(Info("digits", 9).state(), v1::VersionInfo::STATE_FAILED);
  EXPECT_THAT(Info("digits", 9).reason(), HasSubstr("MANIFEST"));
  for (const int version : {2, 3}) {
    EXPECT_EQ(Info("digits", version).state(),
              v1::VersionInfo::STATE_AVAILABLE);
  }
  // Neither of the versions that are kept, nor of the numbers that are given.
  EXPECT_EQ(PublishTwoBits(*repository_, "digits", 4), 10);
  EXPECT_FALSE(std::filesystem::exists(VersionFolder("digits", 1)));
  EXPECT_TRUE(std::filesystem::exists(VersionFolder("digits", 2)));
  std::filesystem::create_directory(folder() + "/digits/999999999999999");
  repository_->Refresh();
  ASSERT_TRUE(repository_->Unload("digits", 0).ok());
  EXPECT_EQ(repository_->Resolve(Select("digits"))->version(), 10);
  const auto decoded =
      std::make_shared<const Model>(*DecodeModel(TwoBits(0.5)));
  EXPECT_EQ(
      ReasonOf(repository_->Publish("digits", TwoBits(0.5), decoded).status()),
      "NO_VERSION_LEFT");
}

// Names of files of a folder that are opened from now on.
class OpenedFiles {
 public:
  explicit OpenedFiles(const std::filesystem::path& folder)
      : events_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    // With closing between them, equal events are not joined.
    EXPECT_GE(inotify_add_watch(events_.get(), folder.c_str(),
                                IN_OPEN | IN_CLOSE_NOWRITE),
              0);
  }

  std::vector<std::string> Take() {
    std::vector<std::string> names;
    alignas(inotify_event) std::array<char, 4096> buffer;
    ssize_t size = 0;
    while ((size = read(events_.get(), buffer.data(), buffer.size())) > 0) {
      for (const char* next = buffer.data(); next < buffer.data() + size;) {
        const auto* event = reinterpret_cast<const inotify_event*>(next);
        if ((event->mask & IN_OPEN) != 0 && event->len > 0) {
          names.emplace_back(event->name);
        }
        next += sizeof(inotify_event) + event->len;
      }
    }
    return names;
  }

 private:
  FileDescriptor events_;
};

TEST_F(ModelRepositoryLoadingTest, LoadingAVersionOpensEachOfItsFilesOnce) {
  PublishTwoBits(*repository_, "digits", 1);
  PublishTwoBits(*repository_, "digits", 2);
  OpenedFiles first(VersionFolder("digits", 1));
  OpenedFiles second(VersionFolder("digits", 2));
  ASSERT_TRUE(repository_->Unload("digits", 2).ok());
  EXPECT_THAT(first.Take(), ElementsAre("MANIFEST", "model.pb"));
  ASSERT_TRUE(repository_->Load("digits", 2).ok());
  EXPECT_THAT(second.Take(), ElementsAre("MANIFEST", "model.pb"));
  // Nor are those that are loaded or unloaded read again.
  repository_->Refresh();
  EXPECT_THAT(first.Take(), IsEmpty());
  EXPECT_THAT(second.Take(), IsEmpty());
}

}  // namespace
}  // namespace poe::server
