// Who may call what: tokens from a file, each with a role. The file holds
// hashes, so that whoever reads it cannot call anything.
#ifndef POE_SERVER_ACCESS_H_
#define POE_SERVER_ACCESS_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace poe::server {

// Each may do what those before it may.
enum class Role { kAnyone, kScore, kTrain, kAdmin };

// The role that a call needs. `method` is its full name, as in
// "/poe.v1.ProductOfExperts/Score"; a method that is not known needs kAdmin.
Role RoleFor(absl::string_view method);

// One line of a tokens file.
struct TokenEntry {
  Role role = Role::kScore;
  std::string name;
  std::string sha256;  // 64 lower-case hexadecimal digits
};

// The entries of a tokens file, each a line
//
//   <score|train|admin> <name> sha256:<64 hexadecimal digits>
//
// Empty lines and lines that begin with # do not count. InvalidArgument naming
// `path` and the line for anything else, a hash that comes twice included. The
// text never quotes the file, where a token might stand by mistake.
absl::StatusOr<std::vector<TokenEntry>> ParseTokens(absl::string_view text,
                                                    const std::string& path);

// The tokens of a file, which is looked at again when it is used. Thread-safe.
class Access {
 public:
  // Looks at most once in `refresh` whether the file has changed. If what it
  // then finds cannot be read, the tokens stay as they were, and the log says
  // why. What ParseTokens and ReadNamedFile say if the file is bad now.
  static absl::StatusOr<std::unique_ptr<Access>> Open(
      const std::string& path,
      std::chrono::milliseconds refresh = std::chrono::seconds(1));

  // Whether a call may pass. `authorization` is its header of that name, absent
  // if there is none. Unauthenticated, reason TOKEN_MISSING, TOKEN_MALFORMED or
  // TOKEN_UNKNOWN; PermissionDenied, reason ROLE_TOO_LOW, naming the role that
  // is needed. No text holds any of the header.
  absl::Status Check(absl::string_view method,
                     std::optional<absl::string_view> authorization)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The name of the token in such a header, of those known when Check was last
  // called; empty if there is none.
  std::string TokenName(std::optional<absl::string_view> authorization) const
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // What changes when a file does.
  struct Fingerprint {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;

    bool operator==(const Fingerprint&) const = default;
  };
  using Clock = std::chrono::steady_clock;

  Access(const std::string& path, std::chrono::milliseconds refresh)
      : path_(path), refresh_(refresh) {}

  // Of nothing if the file is not there.
  static Fingerprint FingerprintOf(const std::string& path);
  // Reads the file if it has changed since it was last read.
  absl::Status Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Null if no token has this digest.
  const TokenEntry* Find(absl::string_view sha256) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  const std::chrono::milliseconds refresh_;
  mutable absl::Mutex mutex_;
  std::optional<Fingerprint> seen_ ABSL_GUARDED_BY(mutex_);
  Clock::time_point looked_ ABSL_GUARDED_BY(mutex_);
  std::vector<TokenEntry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace poe::server

#endif  // POE_SERVER_ACCESS_H_
