#include "tests/e2e/small_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace poe::server {

SmallDisk::SmallDisk(const std::filesystem::path& folder, std::int64_t bytes)
    : folder_(folder) {
  std::filesystem::create_directory(folder);
  // What is mounted goes with the process, even if that is killed.
  if (unshare(CLONE_NEWNS) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      !Mount("tmpfs", "tmpfs", 0, absl::StrCat("size=", bytes))) {
    obstacle_ = absl::StrCat("no disk can be mounted: ", strerror(errno));
  }
}

SmallDisk::~SmallDisk() {
  // That which covers it too.
  while (umount2(folder_.c_str(), MNT_DETACH) == 0) {
  }
}

void SmallDisk::Fill() {
  const int file = open(FillerPath().c_str(),
                        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ASSERT_GE(file, 0) << strerror(errno);
  static constexpr std::array<char, 4096> kPage = {};
  while (write(file, kPage.data(), kPage.size()) > 0) {
  }
  EXPECT_EQ(errno, ENOSPC) << strerror(errno);
  close(file);
}

void SmallDisk::MakeRoom() { std::filesystem::remove(FillerPath()); }

bool SmallDisk::MakeReadOnly() {
  return Mount("tmpfs", "tmpfs", MS_REMOUNT | MS_RDONLY, "");
}

void SmallDisk::CoverReadOnly() {
  EXPECT_TRUE(Mount(folder_.string(), nullptr, MS_BIND, ""));
  EXPECT_TRUE(Mount("", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, ""));
}

void SmallDisk::Uncover() {
  EXPECT_EQ(umount2(folder_.c_str(), MNT_DETACH), 0);
}

bool SmallDisk::Mount(const std::string& source, const char* type,
                      std::uint64_t flags, const std::string& options) {
  return mount(source.c_str(), folder_.c_str(), type, flags, options.c_str()) ==
         0;
}

}  // namespace poe::server
