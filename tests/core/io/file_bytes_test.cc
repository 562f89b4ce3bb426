#include "core/io/file_bytes.h"

#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include <csignal>
#include <filesystem>
#include <iterator>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/io/io_testing.h"

namespace poe {
namespace {

// A folder of its own for a test, empty.
std::string FreshFolder() {
  const std::string path = FreshPath("folder");
  std::filesystem::remove_all(path);
  std::filesystem::create_directory(path);
  return path;
}

TEST(FileBytesTest, WritesAndReadsBackAnyBytes) {
  const std::string path = FreshFolder() + "/bytes";
  const std::string bytes("\0a\xff\n\r", 5);
  ASSERT_TRUE(WriteFileBytes(path, bytes).ok());
  const auto read = ReadFileBytes(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, bytes);
}

TEST(FileBytesTest, ABombIsNotUnpacked) {
  const std::string path = FreshFolder() + "/bomb.gz";
  const std::string zeros(1 << 20, '\0');
  gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  for (int n = 0; n < 300; ++n)
    ASSERT_EQ(gzwrite(file, zeros.data(), zeros.size()), zeros.size());
  ASSERT_EQ(gzclose(file), Z_OK);
  const auto read = ReadFileBytes(path);
  EXPECT_EQ(read.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(read.status().message()),
              testing::HasSubstr("/bomb.gz: unpacks to more than 200 times"));
}

TEST(FileBytesTest, ReplacesAFileAndLeavesNothingElse) {
  const std::string folder = FreshFolder();
  ASSERT_TRUE(WriteFileBytes(folder + "/x", "long before").ok());
  ASSERT_TRUE(WriteFileBytes(folder + "/x", "new").ok());
  EXPECT_EQ(Contents(folder + "/x"), "new");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST(FileBytesTest, AShortWriteIsAnErrorAndKeepsWhatWasThere) {
  const std::string folder = FreshFolder();
  const std::string path = folder + "/x";
  Store(path, "before");
  rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  rlimit limit = old_limit;
  limit.rlim_cur = 1000;
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const absl::Status status = WriteFileBytes(path, std::string(2000, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);

  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.message(),
              testing::HasSubstr(absl::StrCat("cannot write ", path)));
  EXPECT_EQ(Contents(path), "before");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST(FileBytesTest, WritesThroughLinksAndToDevices) {
  const std::string folder = FreshFolder();
  std::filesystem::create_symlink("target", folder + "/link");
  ASSERT_TRUE(WriteFileBytes(folder + "/link", "through").ok());
  EXPECT_EQ(Contents(folder + "/target"), "through");
  EXPECT_TRUE(WriteFileBytes("/dev/null", "gone").ok());
}

TEST(FileBytesTest, SaysThatADeviceIsFull) {
  EXPECT_THAT(
      WriteFileBytes("/dev/full", "x"),
      IsError(absl::StatusCode::kResourceExhausted, "cannot write /dev/full"));
}

TEST(FileBytesTest, SaysThatAFolderIsNoFile) {
  const std::string folder = FreshFolder();
  const absl::Status status = WriteFileBytes(folder, "x");
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.message(), testing::HasSubstr(folder));
}

}  // namespace
}  // namespace poe
