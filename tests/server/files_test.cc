#include "server/files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/repository_testing.h"

namespace poe::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(IsFolderTest, OnlyWhatIsNotThereIsKnownToBeNone) {
  const TemporaryFolder folder;
  WriteWholeFile(folder / "file", "");
  std::filesystem::create_directory_symlink(folder.path(), folder / "link");
  std::filesystem::create_symlink("loop", folder / "loop");
  EXPECT_TRUE(*IsFolder(folder.path()));
  for (const char* none : {"absent", "file", "file/inner", "link", "loop"}) {
    const absl::StatusOr<bool> is_folder = IsFolder(folder / none);
    ASSERT_TRUE(is_folder.ok()) << none << ": " << is_folder.status();
    EXPECT_FALSE(*is_folder) << none;
  }
  EXPECT_FALSE(IsFolder(folder / "loop/inner").ok());
  EXPECT_FALSE(IsFolder(folder / std::string(300, 'a')).ok());
}

// A folder "data" with a file and a folder in it, beside a secret.
class OpenBelowTest : public ::testing::Test {
 protected:
  OpenBelowTest() : data_(folder_ / "data") {
    std::filesystem::create_directories(data_ + "/inner");
    WriteWholeFile(data_ + "/a", "12345");
    WriteWholeFile(data_ + "/inner/b", "1");
    WriteWholeFile(folder_ / "secret", "secret");
  }

  void Link(const std::string& to, const std::string& name) {
    ASSERT_EQ(symlink(to.c_str(), (data_ + "/" + name).c_str()), 0);
  }

  absl::Status Open(const std::string& name) {
    return OpenBelow(data_, name).status();
  }

  TemporaryFolder folder_;
  const std::string data_;
};

TEST_F(OpenBelowTest, OpensFilesInFolders) {
  const absl::StatusOr<RegularFile> a = OpenBelow(data_, "a");
  ASSERT_TRUE(a.ok()) << a.status();
  EXPECT_EQ(a->size, 5);
  EXPECT_EQ(Open("inner/b"), absl::OkStatus());
}

TEST_F(OpenBelowTest, NamesDoNotLeaveTheFolder) {
  for (const absl::string_view name :
       {"", "/", "/etc/passwd", "..", "../secret", "inner/../../secret",
        "inner/../a", "./a", "inner/.", "inner//b", "a/"}) {
    SCOPED_TRACE(name);
    EXPECT_FALSE(IsNameBelow(name));
    EXPECT_EQ(Open(std::string(name)).code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE(IsNameBelow(absl::string_view("a\0b", 3)));
  EXPECT_TRUE(IsNameBelow("inner/b"));
  EXPECT_TRUE(IsNameBelow("..."));
}

TEST_F(OpenBelowTest, LinksAreNotFollowed) {
  Link("../secret", "out");
  Link("a", "within");
  Link("..", "up");
  Link("inner", "other");
  for (const char* name : {"out", "within", "up/secret", "other/b"}) {
    SCOPED_TRACE(name);
    const absl::Status status = Open(name);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("is a link, which is not followed"));
  }
}

TEST_F(OpenBelowTest, TheFolderItselfMayBeALink) {
  const std::string link = folder_ / "link";
  ASSERT_EQ(symlink(data_.c_str(), link.c_str()), 0);
  EXPECT_EQ(OpenBelow(link, "a").status(), absl::OkStatus());
}

TEST_F(OpenBelowTest, WhatIsNoFileIsRefusedWithoutWaiting) {
  EXPECT_EQ(Open("inner").code(), absl::StatusCode::kInvalidArgument);
  ASSERT_EQ(mkfifo((data_ + "/pipe").c_str(), 0600), 0);
  EXPECT_EQ(Open("pipe").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Open("a/b").code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(OpenBelowTest, ErrorsDoNotTellWhereTheFolderIs) {
  const absl::Status status = Open("inner/nothing");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(
      std::string(status.message()),
      AllOf(HasSubstr("cannot read inner/nothing"), Not(HasSubstr(data_))));
}

}  // namespace
}  // namespace poe::server
