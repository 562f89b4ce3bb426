#include "server/version_policy.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/targets.h"

namespace poe::fuzz {
namespace {

std::string TextOf(const server::VersionPolicy& policy) {
  switch (policy.kind) {
    case server::VersionPolicy::Kind::kLatest:
      return absl::StrCat("latest:", policy.latest);
    case server::VersionPolicy::Kind::kAll:
      return "all";
    case server::VersionPolicy::Kind::kSpecific:
      return absl::StrCat("specific:", absl::StrJoin(policy.versions, ","));
  }
  return "";
}

std::string TextOf(const server::VersionPolicies& policies) {
  std::string text = TextOf(policies.common);
  for (const auto& [model, policy] : policies.of_model)
    absl::StrAppend(&text, ";", model, "=", TextOf(policy));
  return text;
}

}  // namespace

void FuzzVersionPolicy(absl::string_view input) {
  const auto policies = server::ParseVersionPolicies(input);
  if (!policies.ok()) return;
  const std::string text = TextOf(*policies);
  const auto again = server::ParseVersionPolicies(text);
  Require(again.ok() && TextOf(*again) == text,
          "policies that are written again are the same");
}

}  // namespace poe::fuzz
