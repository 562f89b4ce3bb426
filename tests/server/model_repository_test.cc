#include "server/model_repository.h"

#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/codec/model_codec.h"
#include "server/errors.h"
#include "server/manifest.h"
#include "server/version_store.h"
#include "tests/server/model_repository_test.h"
#include "tests/server/repository_testing.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(ModelRepositoryTest, AnEmptyFolderHasNoModels) {
  EXPECT_TRUE(repository_->List().empty());
  const auto found = repository_->Find(Select("digits"));
  EXPECT_EQ(found.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(found.status().message(),
            "there is no model \"digits\"; models: none");
}

TEST_F(ModelRepositoryTest, WhatIsPublishedAnswersAtOnceAndAfterARestart) {
  EXPECT_EQ(PublishTwoBits(*repository_, "digits", 0.5), 1);
  EXPECT_EQ(PublishTwoBits(*repository_, "digits", 1.5), 2);
  EXPECT_EQ(Answer(Select("digits")), "version 2 bias 1.5");
  EXPECT_EQ(Answer(Select("digits", 1)), "VERSION_NOT_LOADED");
  Reopen();
  EXPECT_EQ(Answer(Select("digits")), "version 2 bias 1.5");
  EXPECT_EQ(PublishTwoBits(*repository_, "digits", 2.5), 3);
}

TEST_F(ModelRepositoryTest, OnlyTheNewestVersionIsLoadedAtTheStart) {
  PublishTwoBits(*repository_, "digits", 0.5);
  PublishTwoBits(*repository_, "digits", 1.5);
  Reopen();
  EXPECT_EQ(Info("digits", 1).state(), v1::VersionInfo::STATE_UNLOADED);
  const auto old = repository_->Find(Select("digits", 1));
  EXPECT_EQ(old.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(old.status().message()), HasSubstr("LoadModel"));
  ASSERT_TRUE(repository_->Load("digits", 1).ok());
  EXPECT_EQ(Answer(Select("digits", 1)), "version 1 bias 0.5");
  EXPECT_EQ(Answer(Select("digits")), "version 2 bias 1.5");
}

TEST_F(ModelRepositoryTest, TellsWhatIsStored) {
  PublishTwoBits(*repository_, "digits", 0.5);
  const v1::VersionInfo published = Info("digits", 1);
  EXPECT_EQ(published.state(), v1::VersionInfo::STATE_AVAILABLE);
  EXPECT_EQ(published.data_spec().dimension(), 2);
  EXPECT_THAT(published.class_names(), ElementsAre("data"));
  EXPECT_EQ(published.num_experts(), 1);
  EXPECT_EQ(published.num_parameters(), 5);
  std::int64_t bytes = 0;
  for (const char* file : {"model.pb", "MANIFEST"}) {
    bytes += std::filesystem::file_size(VersionFolder("digits", 1) / file);
  }
  EXPECT_EQ(published.bytes(), bytes);
  Reopen();
  v1::VersionInfo reopened = Info("digits", 1);
  EXPECT_NEAR(reopened.created().seconds(), published.created().seconds(), 5);
  *reopened.mutable_created() = published.created();
  EXPECT_EQ(reopened.DebugString(), published.DebugString());
}

TEST_F(ModelRepositoryTest, ReadsAModelAsItWasStored) {
  PublishTwoBits(*repository_, "digits", 0.5);
  const auto stored = repository_->Read("digits", 1);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->SerializeAsString(), TwoBits(0.5).SerializeAsString());
  EXPECT_EQ(repository_->Read("digits", 2).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(ModelRepositoryTest, EveryChangedByteOfAVersionIsNoticed) {
  PublishTwoBits(*repository_, "digits", 0.5);
  PublishTwoBits(*repository_, "digits", 1.5);
  for (const char* file : {"model.pb", "MANIFEST"}) {
    const auto path = VersionFolder("digits", 2) / file;
    const std::string good = ReadWholeFile(path);
    for (std::size_t i = 0; i < good.size(); ++i) {
      std::string bad = good;
      bad[i] ^= 0x10;
      WriteWholeFile(path, bad);
      Reopen();
      ASSERT_EQ(Answer(Select("digits")), "version 1 bias 0.5")
          << file << " byte " << i;
    }
    WriteWholeFile(path, good);
  }
  Reopen();
  EXPECT_EQ(Answer(Select("digits")), "version 2 bias 1.5");
}

TEST_F(ModelRepositoryTest, ATruncatedVersionFailsAndTheOneBeforeServes) {
  PublishTwoBits(*repository_, "digits", 0.5);
  PublishTwoBits(*repository_, "digits", 1.5);
  for (const char* file : {"model.pb", "MANIFEST"}) {
    const auto path = VersionFolder("digits", 2) / file;
    const std::string good = ReadWholeFile(path);
    for (std::size_t size = 0; size < good.size(); ++size) {
      WriteWholeFile(path, good.substr(0, size));
      Reopen();
      ASSERT_EQ(Answer(Select("digits")), "version 1 bias 0.5")
          << file << " of " << size << " bytes";
      const v1::VersionInfo info = Info("digits", 2);
      EXPECT_EQ(info.state(), v1::VersionInfo::STATE_FAILED);
      EXPECT_THAT(info.reason(), HasSubstr("MANIFEST"));
    }
    WriteWholeFile(path, good);
  }
  // The number is not given again.
  EXPECT_EQ(PublishTwoBits(*repository_, "digits", 2.5), 3);
}

TEST_F(ModelRepositoryTest, ADamagedVersionTellsWhyItDoesNotAnswer) {
  PublishTwoBits(*repository_, "digits", 0.5);
  const auto path = VersionFolder("digits", 1) / "model.pb";
  const std::string good = ReadWholeFile(path);
  std::filesystem::remove(path);
  Reopen();
  for (const auto& selector : {Select("digits"), Select("digits", 1)}) {
    const auto found = repository_->Find(selector);
    EXPECT_EQ(found.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(found.status().message()), HasSubstr("model.pb"));
  }
  EXPECT_EQ(repository_->Load("digits", 1).status().code(),
            absl::StatusCode::kDataLoss);
  WriteWholeFile(path, good);
  ASSERT_TRUE(repository_->Load("digits", 1).ok());
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 0.5");
}

TEST_F(ModelRepositoryTest, WhatIsWrongWithAFileIsToldApart) {
  const std::string no_model(200'000, '\xff');
  const auto write = [&](absl::string_view described) {
    WriteWholeFile(VersionFolder("digits", 1) / "model.pb", no_model);
    WriteWholeFile(
        VersionFolder("digits", 1) / "MANIFEST",
        FormatManifest({.files = {DescribeFile("model.pb", described)}}));
    return std::string(repository_->Load("digits", 1).status().message());
  };
  PublishTwoBits(*repository_, "digits", 0.5);
  ASSERT_TRUE(repository_->Unload("digits", 1).ok());
  // It stops being a model long before its end.
  EXPECT_THAT(write(no_model), HasSubstr("model.pb is not a poe.v1.Model"));
  std::string other = no_model;
  other.back() = 'a';
  EXPECT_THAT(write(other), HasSubstr("model.pb is damaged"));
  // Too large to be a model, whatever the manifest says; most of it is a hole.
  const std::int64_t size = kMostModelBytes + 1;
  std::filesystem::resize_file(VersionFolder("digits", 1) / "model.pb", size);
  WriteWholeFile(VersionFolder("digits", 1) / "MANIFEST",
                 FormatManifest({.files = {{"model.pb", size, Sha256("")}}}));
  EXPECT_THAT(std::string(repository_->Load("digits", 1).status().message()),
              HasSubstr("model.pb has 2147483648 bytes; a model has at most"));
}

// Files that fit their manifest and hold what this server cannot use.
TEST_F(ModelRepositoryTest, AForeignModelFails) {
  v1::Model foreign = TwoBits(0.5);
  const auto decoded =
      std::make_shared<const Model>(*DecodeModel(TwoBits(0.5)));
  foreign.set_schema_version(kSchemaVersion + 1);
  ASSERT_TRUE(repository_->Publish("digits", foreign, decoded).ok());
  Reopen();
  EXPECT_EQ(Info("digits", 1).state(), v1::VersionInfo::STATE_FAILED);
  EXPECT_THAT(Info("digits", 1).reason(), HasSubstr("version"));
}

TEST_F(ModelRepositoryTest, WhatACrashLeftIsRemovedAndNeverSeen) {
  PublishTwoBits(*repository_, "digits", 0.5);
  repository_.reset();
  const std::string half = folder() + "/.tmp/0123456789abcdef";
  std::filesystem::create_directories(half);
  WriteWholeFile(half + "/model.pb", "half");
  // A model folder was made, the version was not yet moved there.
  std::filesystem::create_directories(folder() + "/empty");
  // Anything else that stands around is left alone.
  std::filesystem::create_directories(folder() + "/digits/notes");
  std::filesystem::create_directories(folder() + "/digits/007");
  WriteWholeFile(folder() + "/digits/9", "a file");
  WriteWholeFile(folder() + "/README", "a file");
  Reopen();
  EXPECT_THAT(TemporaryFiles(), IsEmpty());
  const std::vector<v1::ModelInfo> models = repository_->List();
  ASSERT_EQ(models.size(), 1u);
  EXPECT_EQ(models[0].versions_size(), 1);
  EXPECT_EQ(PublishTwoBits(*repository_, "digits", 1.5), 10);
  EXPECT_EQ(PublishTwoBits(*repository_, "empty", 1.5), 1);
  EXPECT_TRUE(std::filesystem::exists(folder() + "/README"));
}

TEST_F(ModelRepositoryTest, LinksAreNotFollowed) {
  PublishTwoBits(*repository_, "digits", 0.5);
  repository_.reset();
  std::filesystem::rename(folder() + "/digits", temporary_ / "outside");
  std::filesystem::create_directory_symlink(temporary_ / "outside",
                                            folder() + "/digits");
  Reopen();
  EXPECT_TRUE(repository_->List().empty());
  const auto decoded =
      std::make_shared<const Model>(*DecodeModel(TwoBits(0.5)));
  EXPECT_FALSE(repository_->Publish("digits", TwoBits(0.5), decoded).ok());
  EXPECT_FALSE(std::filesystem::exists(temporary_ / "outside/2"));
  EXPECT_THAT(TemporaryFiles(), IsEmpty());
}

TEST_F(ModelRepositoryTest, NamesThatAreNotPlainAreRefused) {
  const auto decoded =
      std::make_shared<const Model>(*DecodeModel(TwoBits(0.5)));
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."),
        std::string(".jobs"), std::string("../digits"), std::string("a/b"),
        std::string("-a"), std::string("a b"), std::string("a\0b", 3),
        std::string(129, 'a'), std::string("\xc3\xa9")}) {
    const auto version = repository_->Publish(name, TwoBits(0.5), decoded);
    EXPECT_EQ(version.status().code(), absl::StatusCode::kInvalidArgument)
        << name;
    EXPECT_FALSE(repository_->Find(Select(name)).ok()) << name;
    EXPECT_FALSE(repository_->Delete(name, 0).ok()) << name;
    EXPECT_FALSE(repository_->Load(name, 0).ok()) << name;
  }
  EXPECT_EQ(PublishTwoBits(*repository_, std::string(128, 'a'), 1), 1);
  EXPECT_EQ(PublishTwoBits(*repository_, "a..b-C_9", 1), 1);
}

TEST_F(ModelRepositoryTest, ErrorsOfLookUpsListWhatThereIs) {
  PublishTwoBits(*repository_, "digits", 0.5);
  PublishTwoBits(*repository_, "letters", 0.5);
  ASSERT_TRUE(repository_->SetLabel("digits", "stable", 1).ok());
  const auto message = [&](const v1::ModelSelector& selector) {
    return std::string(repository_->Find(selector).status().message());
  };
  EXPECT_EQ(message(Select("fashion")),
            "there is no model \"fashion\"; models: digits, letters");
  EXPECT_EQ(message(Select("digits", 7)),
            "model \"digits\" has no version 7; its versions: 1");
  EXPECT_EQ(message(SelectLabel("digits", "canary")),
            "model \"digits\" has no label \"canary\"; its labels: stable");
  EXPECT_EQ(repository_->Find(Select("digits", 0)).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(repository_->Find(Select("")).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ModelRepositoryTest, LabelsStayAfterARestartWithTheirVersions) {
  PublishTwoBits(*repository_, "digits", 0.5);
  PublishTwoBits(*repository_, "digits", 1.5);
  PublishTwoBits(*repository_, "digits", 2.5);
  ASSERT_TRUE(repository_->SetLabel("digits", "stable", 1).ok());
  ASSERT_TRUE(repository_->SetLabel("digits", "canary", 3).ok());
  ASSERT_TRUE(repository_->SetLabel("digits", "old", 2).ok());
  ASSERT_TRUE(repository_->ClearLabel("digits", "old").ok());
  Reopen();
  EXPECT_EQ(Answer(SelectLabel("digits", "stable")), "version 1 bias 0.5");
  EXPECT_EQ(Answer(SelectLabel("digits", "canary")), "version 3 bias 2.5");
  EXPECT_EQ(Answer(SelectLabel("digits", "old")), "LABEL_NOT_FOUND");
  EXPECT_EQ(Info("digits", 2).state(), v1::VersionInfo::STATE_UNLOADED);
  const auto info = repository_->SetLabel("digits", "stable", 3);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->labels().at("stable"), 3);
}

TEST_F(ModelRepositoryTest, BadLabelsAreRefused) {
  PublishTwoBits(*repository_, "digits", 0.5);
  for (const std::string& label :
       {std::string(), std::string("Stable"), std::string("a b"),
        std::string("a\n"), std::string(65, 'a')}) {
    EXPECT_EQ(repository_->SetLabel("digits", label, 1).status().code(),
              absl::StatusCode::kInvalidArgument)
        << label;
  }
  EXPECT_EQ(repository_->SetLabel("digits", "stable", 2).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(repository_->ClearLabel("digits", "stable").status().code(),
            absl::StatusCode::kNotFound);
  ASSERT_TRUE(repository_->Unload("digits", 1).ok());
  EXPECT_EQ(repository_->SetLabel("digits", "stable", 1).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(ModelRepositoryTest, DamagedLabelsHarmNothingElse) {
  PublishTwoBits(*repository_, "digits", 0.5);
  ASSERT_TRUE(repository_->SetLabel("digits", "stable", 1).ok());
  WriteWholeFile(folder() + "/digits/LABELS", "poe-labels 1\nstable x\n");
  Reopen();
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 0.5");
  EXPECT_EQ(Answer(SelectLabel("digits", "stable")), "LABEL_NOT_FOUND");
}

TEST_F(ModelRepositoryTest, AnUnloadedVersionStaysStored) {
  PublishTwoBits(*repository_, "digits", 0.5);
  PublishTwoBits(*repository_, "digits", 1.5);
  const auto held = repository_->Find(Select("digits"));
  ASSERT_TRUE(held.ok());
  ASSERT_TRUE(repository_->Unload("digits", 2).ok());
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 0.5");
  EXPECT_EQ(Answer(Select("digits", 2)), "VERSION_NOT_LOADED");
  EXPECT_EQ(BiasOf(*held->model), 1.5);
  ASSERT_TRUE(repository_->Unload("digits", 0).ok());
  EXPECT_EQ(Answer(Select("digits")), "VERSION_NOT_LOADED");
  ASSERT_TRUE(repository_->Load("digits", 0).ok());
  EXPECT_EQ(Answer(Select("digits")), "version 2 bias 1.5");
}

TEST_F(ModelRepositoryTest, AVersionPutThereByHandCanBeLoaded) {
  PublishTwoBits(*repository_, "digits", 0.5);
  std::filesystem::copy(VersionFolder("digits", 1), VersionFolder("digits", 5));
  std::filesystem::copy(folder() + "/digits", folder() + "/copy",
                        std::filesystem::copy_options::recursive);
  ASSERT_TRUE(repository_->Load("digits", 5).ok());
  EXPECT_EQ(Answer(Select("digits")), "version 5 bias 0.5");
  ASSERT_TRUE(repository_->Load("copy", 0).ok());
  EXPECT_EQ(Answer(Select("copy")), "version 5 bias 0.5");
}

TEST_F(ModelRepositoryTest, ADeletedVersionIsGoneAndItsNumberNotGivenAgain) {
  PublishTwoBits(*repository_, "digits", 0.5);
  PublishTwoBits(*repository_, "digits", 1.5);
  ASSERT_TRUE(repository_->SetLabel("digits", "stable", 2).ok());
  const absl::Status labelled = repository_->Delete("digits", 2);
  EXPECT_EQ(labelled.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(labelled.message()), HasSubstr("stable"));
  ASSERT_TRUE(repository_->ClearLabel("digits", "stable").ok());
  ASSERT_TRUE(repository_->Delete("digits", 2).ok());
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 0.5");
  EXPECT_FALSE(std::filesystem::exists(VersionFolder("digits", 2)));
  EXPECT_EQ(PublishTwoBits(*repository_, "digits", 2.5), 3);
  ASSERT_TRUE(repository_->Delete("digits", 0).ok());
  EXPECT_TRUE(repository_->List().empty());
  EXPECT_FALSE(std::filesystem::exists(folder() + "/digits"));
  EXPECT_THAT(TemporaryFiles(), IsEmpty());
  EXPECT_EQ(repository_->Delete("digits", 0).code(),
            absl::StatusCode::kNotFound);
}

TEST_F(ModelRepositoryTest, AFolderThatIsAFileIsRefused) {
  WriteWholeFile(temporary_ / "file", "in the way");
  const auto opened = ModelRepository::Open(temporary_ / "file");
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(opened.status().message()),
              HasSubstr("/file as model repository"));
  EXPECT_FALSE(ModelRepository::Open(temporary_ / "no/such/parent").ok());
  EXPECT_FALSE(ModelRepository::Open("").ok());
}

TEST_F(ModelRepositoryTest, AFolderThatCannotBeWrittenIsRefused) {
  // /proc takes no new files, not even from root.
  const auto opened = ModelRepository::Open("/proc");
  EXPECT_FALSE(opened.ok());
  EXPECT_EQ(ReasonOf(opened.status()), "REPOSITORY_NOT_WRITABLE");
}

TEST_F(ModelRepositoryTest, TwoServersDoNotShareAFolder) {
  const auto second = ModelRepository::Open(folder());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("another server"));
}

// While it lives, no file can grow beyond `bytes`.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    previous_handler_ = signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &previous_);
    rlimit limit = previous_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &previous_);
    signal(SIGXFSZ, previous_handler_);
  }

 private:
  rlimit previous_;
  sighandler_t previous_handler_;
};

TEST_F(ModelRepositoryTest, AFullDiskLeavesWhatServedBefore) {
  PublishTwoBits(*repository_, "digits", 0.5);
  const v1::Model stored = TwoBits(1.5);
  const auto decoded = std::make_shared<const Model>(*DecodeModel(stored));
  // Fails in model.pb, or in the longer MANIFEST.
  for (const std::size_t limit : {std::size_t{10}, stored.ByteSizeLong()}) {
    const FileSizeLimit full(limit);
    for (const char* name : {"digits", "fresh"}) {
      const auto version = repository_->Publish(name, stored, decoded);
      EXPECT_EQ(version.status().code(), absl::StatusCode::kResourceExhausted)
          << version.status();
      EXPECT_THAT(std::string(version.status().message()),
                  HasSubstr("was not stored"));
    }
  }
  {
    const FileSizeLimit full(10);
    EXPECT_EQ(repository_->SetLabel("digits", "stable", 1).status().code(),
              absl::StatusCode::kResourceExhausted);
  }
  EXPECT_EQ(Answer(SelectLabel("digits", "stable")), "LABEL_NOT_FOUND");
  EXPECT_THAT(TemporaryFiles(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(folder() + "/fresh"));
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 0.5");
  EXPECT_EQ(PublishTwoBits(*repository_, "digits", 1.5), 2);
  Reopen();
  EXPECT_EQ(Answer(Select("digits")), "version 2 bias 1.5");
}

TEST_F(ModelRepositoryTest, AVersionIsNeverOverwritten) {
  PublishTwoBits(*repository_, "digits", 0.5);
  std::filesystem::create_directory(VersionFolder("digits", 2));
  EXPECT_EQ(PublishTwoBits(*repository_, "digits", 1.5), 3);
  EXPECT_TRUE(std::filesystem::is_empty(VersionFolder("digits", 2)));
}

TEST_F(ModelRepositoryTest, ThePolicySaysWhichVersionsAnswer) {
  // The versions of "digits" that answer.
  const auto answering = [this] {
    std::vector<std::int64_t> versions;
    const auto model = repository_->Get("digits");
    for (const v1::VersionInfo& info : model->versions()) {
      if (info.state() == v1::VersionInfo::STATE_AVAILABLE) {
        versions.push_back(info.version());
      }
    }
    return versions;
  };
  Reopen(WithPolicy("latest:2"));
  for (int i = 1; i <= 4; ++i) PublishTwoBits(*repository_, "digits", i);
  EXPECT_THAT(answering(), ElementsAre(4, 3));
  Reopen(WithPolicy("latest:2"));
  EXPECT_THAT(answering(), ElementsAre(4, 3));
  Reopen(WithPolicy("all"));
  EXPECT_THAT(answering(), ElementsAre(4, 3, 2, 1));
  Reopen(WithPolicy("latest:1;digits=specific:1,3,9"));
  EXPECT_THAT(answering(), ElementsAre(3, 1));
  PublishTwoBits(*repository_, "digits", 5);
  EXPECT_THAT(answering(), ElementsAre(3, 1));
  // Labels and LoadModel add to it.
  ASSERT_TRUE(repository_->SetLabel("digits", "canary", 5).ok());
  ASSERT_TRUE(repository_->Load("digits", 2).ok());
  EXPECT_THAT(answering(), ElementsAre(5, 3, 2, 1));
  ASSERT_TRUE(repository_->ClearLabel("digits", "canary").ok());
  ASSERT_TRUE(repository_->Unload("digits", 2).ok());
  EXPECT_THAT(answering(), ElementsAre(3, 1));
}

TEST_F(ModelRepositoryTest, UnloadingTheNewestBringsTheOneBefore) {
  PublishTwoBits(*repository_, "digits", 0.5);
  PublishTwoBits(*repository_, "digits", 1.5);
  ASSERT_TRUE(repository_->Unload("digits", 2).ok());
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 0.5");
  // Until there is a newer one.
  PublishTwoBits(*repository_, "digits", 2.5);
  EXPECT_EQ(Answer(Select("digits")), "version 3 bias 2.5");
  EXPECT_EQ(Info("digits", 1).state(), v1::VersionInfo::STATE_UNLOADED);
  ASSERT_TRUE(repository_->Delete("digits", 3).ok());
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 0.5");
}

TEST_F(ModelRepositoryTest, RefreshFollowsTheDisk) {
  PublishTwoBits(*repository_, "digits", 0.5);
  // Half copied at first.
  std::filesystem::create_directory(VersionFolder("digits", 2));
  std::filesystem::copy(VersionFolder("digits", 1) / "model.pb",
                        VersionFolder("digits", 2));
  repository_->Refresh();
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 0.5");
  EXPECT_EQ(Info("digits", 2).state(), v1::VersionInfo::STATE_FAILED);
  std::filesystem::copy(VersionFolder("digits", 1) / "MANIFEST",
                        VersionFolder("digits", 2));
  std::filesystem::copy(folder() + "/digits", folder() + "/copy",
                        std::filesystem::copy_options::recursive);
  repository_->Refresh();
  EXPECT_EQ(Answer(Select("digits")), "version 2 bias 0.5");
  EXPECT_EQ(Info("digits", 1).state(), v1::VersionInfo::STATE_UNLOADED);
  EXPECT_EQ(Answer(Select("copy")), "version 2 bias 0.5");
  std::filesystem::remove_all(VersionFolder("digits", 2));
  std::filesystem::remove_all(folder() + "/copy");
  repository_->Refresh();
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 0.5");
  EXPECT_EQ(Answer(Select("copy")), "MODEL_NOT_FOUND");
}

TEST_F(ModelRepositoryTest, ADiskThatCannotBeReadChangesNothing) {
  PublishTwoBits(*repository_, "digits", 0.5);
  rlimit files;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  const rlimit none = {.rlim_cur = 0, .rlim_max = files.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  repository_->Refresh();
  const auto loaded = repository_->Load("digits", 0);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(Answer(Select("digits")), "version 1 bias 0.5");
}

TEST_F(ModelRepositoryTest, OldVersionsAreRemovedButNoneThatIsInUse) {
  RepositoryOptions options = WithPolicy("latest:1");
  options.keep_versions = 2;
  Reopen(options);
  PublishTwoBits(*repository_, "digits", 1);
  ASSERT_TRUE(repository_->SetLabel("digits", "stable", 1).ok());
  PublishTwoBits(*repository_, "digits", 2);
  ASSERT_TRUE(repository_->Load("digits", 2).ok());
  for (int i = 3; i <= 5; ++i) PublishTwoBits(*repository_, "digits", i);
  std::vector<std::int64_t> stored;
  const auto model = repository_->Get("digits");
  for (const v1::VersionInfo& info : model->versions()) {
    stored.push_back(info.version());
    EXPECT_TRUE(std::filesystem::exists(
        VersionFolder("digits", static_cast<int>(info.version()))));
  }
  EXPECT_THAT(stored, ElementsAre(5, 4, 2, 1));
  EXPECT_FALSE(std::filesystem::exists(VersionFolder("digits", 3)));
}

TEST_F(ModelRepositoryTest, SeveralReadOneFolderThatNoneOfThemWrites) {
  PublishTwoBits(*repository_, "digits", 0.5);
  RepositoryOptions options;
  options.read_only = true;
  const auto first = ModelRepository::Open(folder(), options);
  const auto second = ModelRepository::Open(folder(), options);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(second.ok()) << second.status();
  ModelRepository& reader = **second;
  EXPECT_EQ(reader.Find(Select("digits"))->version, 1);
  // The one that may write goes on, labels included.
  PublishTwoBits(*repository_, "digits", 1.5);
  ASSERT_TRUE(repository_->SetLabel("digits", "stable", 1).ok());
  reader.Refresh();
  EXPECT_EQ(reader.Find(Select("digits"))->version, 2);
  EXPECT_EQ(reader.Find(SelectLabel("digits", "stable"))->version, 1);
  const v1::Model model = TwoBits(2);
  for (const absl::Status& refused :
       {reader.Delete("digits", 1), reader.SetLabel("digits", "x", 2).status(),
        reader.ClearLabel("digits", "stable").status(),
        reader.BeginImport({}).status(),
        reader.Publish("digits", model, nullptr).status()}) {
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ReasonOf(refused), "REPOSITORY_READ_ONLY");
  }
  options.read_only = true;
  EXPECT_EQ(
      ModelRepository::Open(temporary_ / "nothing", options).status().code(),
      absl::StatusCode::kFailedPrecondition);
}

TEST_F(ModelRepositoryTest, LookUpsGoOnWhileVersionsChange) {
  PublishTwoBits(*repository_, "digits", 1);
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      std::int64_t newest = 0;
      while (!done) {
        const auto served = repository_->Find(Select("digits"));
        // Versions have their number as bias, and never go back.
        if (!served.ok() || served->version < newest ||
            BiasOf(*served->model) != static_cast<double>(served->version)) {
          ++wrong;
          return;
        }
        newest = served->version;
      }
    });
  }
  std::vector<std::thread> writers;
  for (int i = 0; i < 2; ++i) {
    writers.emplace_back([&, i] {
      for (int k = 0; k < 10; ++k) {
        PublishTwoBits(*repository_, absl::StrCat("other", i), k);
      }
    });
  }
  for (int version = 2; version <= 20; ++version) {
    EXPECT_EQ(PublishTwoBits(*repository_, "digits", version), version);
    EXPECT_TRUE(repository_->Unload("digits", version - 1).ok());
  }
  for (std::thread& writer : writers) writer.join();
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(repository_->List().size(), 3u);
}

// What it is told, as "NAME: VERSION VERSION", in the order in which it is.
class RecordingListener final : public ModelRepository::Listener {
 public:
  std::vector<std::string> Take() { return std::exchange(told_, {}); }

 private:
  void OnLoaded(const std::string& name,
                const std::vector<LoadedVersion>& versions) override {
    std::string& text = told_.emplace_back(name + ":");
    for (const LoadedVersion& one : versions) {
      EXPECT_GT(one.bytes, 0);
      absl::StrAppend(&text, " ", one.version);
    }
  }

  std::vector<std::string> told_;
};

TEST_F(ModelRepositoryTest, AListenerHearsWhichVersionsAnswer) {
  RecordingListener listener;
  PublishTwoBits(*repository_, "first", 1);
  repository_->SetListener(&listener);
  EXPECT_THAT(listener.Take(), ElementsAre("first: 1"));
  PublishTwoBits(*repository_, "second", 1);
  EXPECT_THAT(listener.Take(), ElementsAre("second: 1"));
  PublishTwoBits(*repository_, "first", 2);
  EXPECT_THAT(listener.Take(), ElementsAre("first: 2"));
  ASSERT_TRUE(repository_->Load("first", 1).ok());
  EXPECT_THAT(listener.Take(), ElementsAre("first: 2 1"));
  ASSERT_TRUE(repository_->Unload("first", 0).ok());
  EXPECT_THAT(listener.Take(), ElementsAre("first:"));
  ASSERT_TRUE(repository_->Delete("second", 0).ok());
  EXPECT_THAT(listener.Take(), ElementsAre("second:"));
  ASSERT_TRUE(repository_->Load("first", 2).ok());
  EXPECT_THAT(listener.Take(), ElementsAre("first: 2"));
}

TEST_F(ModelRepositoryTest, AListenerHearsNothingWhereNothingHasChanged) {
  RecordingListener listener;
  PublishTwoBits(*repository_, "first", 1);
  repository_->SetListener(&listener);
  listener.Take();
  repository_->Refresh();
  ASSERT_TRUE(repository_->Load("first", 1).ok());
  ASSERT_TRUE(repository_->SetLabel("first", "stable", 1).ok());
  EXPECT_THAT(listener.Take(), IsEmpty());
  std::filesystem::remove_all(folder() + "/first");
  repository_->Refresh();
  EXPECT_THAT(listener.Take(), ElementsAre("first:"));
  repository_->SetListener(nullptr);
  PublishTwoBits(*repository_, "first", 2);
  EXPECT_THAT(listener.Take(), IsEmpty());
}

}  // namespace
}  // namespace poe::server
