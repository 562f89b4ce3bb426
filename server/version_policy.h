// Which of the stored versions of a model are to answer.
#ifndef POE_SERVER_VERSION_POLICY_H_
#define POE_SERVER_VERSION_POLICY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace poe::server {

struct VersionPolicy {
  enum class Kind {
    kLatest,    // the newest `latest` of those that can be loaded
    kAll,       // all that can be loaded
    kSpecific,  // those in `versions`
  };
  Kind kind = Kind::kLatest;
  int latest = 1;
  std::vector<std::int64_t> versions;  // ascending

  // Whether a version of this number may answer, as far as it is new enough.
  bool MayWant(std::int64_t version) const;
};

// By "latest:N", "all" or "specific:V,V,...". InvalidArgument for anything
// else.
absl::StatusOr<VersionPolicy> ParseVersionPolicy(absl::string_view text);

// For all models, and for some of their own.
struct VersionPolicies {
  VersionPolicy common;
  std::map<std::string, VersionPolicy, std::less<>> of_model;

  const VersionPolicy& Of(absl::string_view model) const;
};

// "latest:2;fashion=all;digits=specific:3,5": a policy for all models, or
// none, and for some by name. InvalidArgument naming the part at fault.
absl::StatusOr<VersionPolicies> ParseVersionPolicies(absl::string_view text);

}  // namespace poe::server

#endif  // POE_SERVER_VERSION_POLICY_H_
