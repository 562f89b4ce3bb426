#include "client/cpp/command/expert_kinds.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/cpp/command/context.h"

namespace poe::client {
namespace {

struct KindFacts {
  ExpertKind kind;
  absl::string_view name;
  int default_count;
  bool sequences;
  bool fitted_apart;
};

constexpr KindFacts kKinds[] = {
    {ExpertKind::kUnits, "units", 100, false, false},
    {ExpertKind::kUnigauss, "unigauss", 100, false, false},
    {ExpertKind::kMixture, "mixture", 10, false, true},
    {ExpertKind::kMarkov, "hmm", 3, true, true},
    {ExpertKind::kDynamics, "lds", 3, true, true},
    {ExpertKind::kTree, "tree", 1, false, true},
};

const KindFacts& FactsOf(ExpertKind kind) {
  return kKinds[static_cast<int>(kind)];
}

}  // namespace

std::string KindName(ExpertKind kind) {
  return std::string(FactsOf(kind).name);
}

std::string KindNames() {
  return absl::StrJoin(kKinds, "|",
                       [](std::string* text, const KindFacts& facts) {
                         absl::StrAppend(text, facts.name);
                       });
}

absl::StatusOr<ExpertChoice> ParseExperts(absl::string_view text) {
  const std::vector<absl::string_view> seen =
      absl::StrSplit(text, absl::MaxSplits('@', 1));
  const std::vector<absl::string_view> parts =
      absl::StrSplit(seen.front(), ':');
  const auto* const facts = std::find_if(
      std::begin(kKinds), std::end(kKinds),
      [&parts](const KindFacts& each) { return each.name == parts.front(); });
  int count = 0;
  const bool counted =
      parts.size() == 1 ||
      (parts.size() == 2 && absl::SimpleAtoi(parts[1], &count) && count > 0);
  if (facts != std::end(kKinds) && counted && !seen.back().empty()) {
    return ExpertChoice{facts->kind, count,
                        std::string(seen.size() == 2 ? seen[1] : "")};
  }
  return UsageError(absl::StrCat(text, " is none of ", KindNames(),
                                 ", alone or with a number, such as units:50, "
                                 "or columns that they see, such as "
                                 "units:50@0-3,7"));
}

int DefaultCount(ExpertKind kind) { return FactsOf(kind).default_count; }

bool SeesSequences(ExpertKind kind) { return FactsOf(kind).sequences; }

bool CanFitApart(ExpertKind kind) { return FactsOf(kind).fitted_apart; }

}  // namespace poe::client
