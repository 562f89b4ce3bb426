// A disk that can be filled and made read-only, for tests.
#ifndef POE_TESTS_E2E_SMALL_DISK_H_
#define POE_TESTS_E2E_SMALL_DISK_H_

#include <cstdint>
#include <filesystem>
#include <string>

namespace poe::server {

// A file system in memory, mounted at a folder as long as the object lives, and
// seen by this process and those that it starts alone. It takes the rights of
// root.
class SmallDisk {
 public:
  // Makes the folder.
  SmallDisk(const std::filesystem::path& folder, std::int64_t bytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  // Why there is no disk; empty if there is one.
  const std::string& obstacle() const { return obstacle_; }

  // Takes all room that is left, in a file that MakeRoom removes.
  void Fill();
  void MakeRoom();

  // Nothing can be written to it from now on. False while a program has a file
  // open for writing.
  bool MakeReadOnly();
  // The same for all that is opened from now on, whoever has what open, until
  // it is uncovered.
  void CoverReadOnly();
  void Uncover();

 private:
  // Mounts something at the folder, or mounts that anew with other flags.
  bool Mount(const std::string& source, const char* type, std::uint64_t flags,
             const std::string& options);
  std::filesystem::path FillerPath() const { return folder_ / ".filler"; }

  const std::filesystem::path folder_;
  std::string obstacle_;
};

}  // namespace poe::server

#endif  // POE_TESTS_E2E_SMALL_DISK_H_
