#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/access.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/targets.h"

namespace poe::fuzz {
namespace {

absl::string_view NameOf(server::Role role) {
  switch (role) {
    case server::Role::kScore:
      return "score";
    case server::Role::kTrain:
      return "train";
    case server::Role::kAdmin:
      return "admin";
    default:
      Require(false, "each token has a role");
      return "";
  }
}

}  // namespace

void FuzzTokens(absl::string_view input) {
  const auto entries = server::ParseTokens(input, "tokens");
  if (!entries.ok()) return;
  std::string text;
  for (const server::TokenEntry& entry : *entries)
    absl::StrAppend(&text, NameOf(entry.role), " ", entry.name,
                    " sha256:", entry.sha256, "\n");
  const auto again = server::ParseTokens(text, "tokens");
  Require(again.ok() && again->size() == entries->size(),
          "tokens that are written again can be read");
  for (std::size_t i = 0; i < entries->size(); ++i)
    Require((*again)[i].role == (*entries)[i].role &&
                (*again)[i].name == (*entries)[i].name &&
                (*again)[i].sha256 == (*entries)[i].sha256,
            "tokens that are written again are the same");
}

}  // namespace poe::fuzz
