#include "server/version_policy.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/errors.h"
#include "server/version_store.h"

namespace poe::server {
namespace {

absl::Status BadPolicy(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat(Quoted(text),
                   " is no version policy; must be latest:N with N from 1 on, "
                   "all, or specific:V,V,..."));
}

}  // namespace

bool VersionPolicy::MayWant(std::int64_t version) const {
  return kind != Kind::kSpecific ||
         std::binary_search(versions.begin(), versions.end(), version);
}

absl::StatusOr<VersionPolicy> ParseVersionPolicy(absl::string_view text) {
  VersionPolicy policy;
  absl::string_view rest = text;
  if (text == "all") {
    policy.kind = VersionPolicy::Kind::kAll;
    return policy;
  }
  if (absl::ConsumePrefix(&rest, "latest:")) {
    if (!absl::SimpleAtoi(rest, &policy.latest) || policy.latest < 1) {
      return BadPolicy(text);
    }
    return policy;
  }
  if (!absl::ConsumePrefix(&rest, "specific:")) return BadPolicy(text);
  policy.kind = VersionPolicy::Kind::kSpecific;
  for (const absl::string_view part : absl::StrSplit(rest, ',')) {
    std::int64_t version = 0;
    if (!absl::SimpleAtoi(part, &version) || version < 1) {
      return BadPolicy(text);
    }
    policy.versions.push_back(version);
  }
  std::sort(policy.versions.begin(), policy.versions.end());
  return policy;
}

const VersionPolicy& VersionPolicies::Of(absl::string_view model) const {
  const auto found = of_model.find(model);
  return found == of_model.end() ? common : found->second;
}

absl::StatusOr<VersionPolicies> ParseVersionPolicies(absl::string_view text) {
  VersionPolicies policies;
  bool common_given = false;
  for (const absl::string_view part : absl::StrSplit(text, ';')) {
    const std::vector<absl::string_view> sides =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    absl::StatusOr<VersionPolicy> policy = ParseVersionPolicy(sides.back());
    if (!policy.ok()) return policy.status();
    if (sides.size() == 1) {
      if (std::exchange(common_given, true)) {
        return absl::InvalidArgumentError(absl::StrCat(
            Quoted(text), " has two policies for all models; give one"));
      }
      policies.common = *std::move(policy);
      continue;
    }
    absl::Status named = ValidateModelName(sides[0], "model name");
    if (!named.ok()) return named;
    if (!policies.of_model.emplace(sides[0], *std::move(policy)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(Quoted(text), " has two policies for model ",
                       Quoted(sides[0]), "; give one"));
    }
  }
  return policies;
}

}  // namespace poe::server
