#include "client/cpp/command/explanation.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "client/cpp/command/context.h"

namespace poe::client {
namespace {

using States = absl::Span<const Expert>;

// The experts of each class, by number.
std::vector<std::vector<States>> ByClass(
    absl::Span<const Expert> experts,
    const std::vector<std::string>& class_names) {
  std::vector<std::vector<States>> by_class(class_names.size());
  size_t c = 0;
  for (size_t begin = 0; begin < experts.size();) {
    const Expert& first = experts[begin];
    size_t end = begin + 1;
    while (end < experts.size() && experts[end].number == first.number &&
           experts[end].class_name == first.class_name) {
      ++end;
    }
    while (c < class_names.size() && class_names[c] != first.class_name) ++c;
    if (c == class_names.size()) break;
    by_class[c].push_back(experts.subspan(begin, end - begin));
    begin = end;
  }
  return by_class;
}

// The class asked for, or -1 for each row's own.
absl::StatusOr<int32_t> FindAsked(const Scores& scores,
                                  const std::string& class_name) {
  if (class_name.empty()) {
    if (scores.labels.empty() && scores.classes > 1) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the model gives no labels; say by --class which of its classes is "
          "to explain the rows: ",
          absl::StrJoin(scores.class_names, ", ")));
    }
    return -1;
  }
  const auto found = std::find(scores.class_names.begin(),
                               scores.class_names.end(), class_name);
  if (found == scores.class_names.end()) {
    return UsageError(absl::StrCat("--class ", class_name,
                                   ": there is no such class; there are ",
                                   absl::StrJoin(scores.class_names, ", ")));
  }
  return static_cast<int32_t>(found - scores.class_names.begin());
}

std::vector<Objector> FindObjectors(const Scores& scores, int64_t row,
                                    int32_t c, int64_t length,
                                    absl::Span<const States> experts,
                                    int most) {
  const auto count = static_cast<int64_t>(experts.size());
  const std::vector<double>& quantiles = scores.expert_quantiles[c];
  std::vector<Objector> objectors;
  for (int64_t m = 0; m < count; ++m) {
    const double objection = scores.objections[c][row * count + m];
    if (!(objection > 0)) continue;
    objectors.push_back({.states = experts[m],
                         .log_score = scores.expert_scores[c][row * count + m],
                         .median = length * quantiles[2 * m + 1],
                         .quartile = length * quantiles[2 * m],
                         .objection = objection});
  }
  const size_t kept = std::min(objectors.size(), static_cast<size_t>(most));
  std::partial_sort(objectors.begin(), objectors.begin() + kept,
                    objectors.end(), [](const Objector& a, const Objector& b) {
                      return a.objection > b.objection;
                    });
  objectors.resize(kept);
  return objectors;
}

}  // namespace

absl::StatusOr<std::vector<Explanation>> Explain(
    const Scores& scores, absl::Span<const int64_t> lengths,
    absl::Span<const Expert> experts, const std::string& class_name, int most) {
  const absl::StatusOr<int32_t> asked = FindAsked(scores, class_name);
  if (!asked.ok()) return asked.status();
  const std::vector<std::vector<States>> by_class =
      ByClass(experts, scores.class_names);
  std::vector<Explanation> explanations(scores.rows);
  for (int64_t row = 0; row < scores.rows; ++row) {
    const int32_t c = *asked < 0 ? scores.Subject(row) : *asked;
    if (c < 0 || scores.IsOutOfSupport(row)) continue;
    if (scores.objections[c].empty()) {
      return absl::FailedPreconditionError(absl::StrCat(
          scores.model.name(), " version ", scores.model.version(),
          " does not know what its experts usually say; train it again, or see "
          "--per-expert for their log scores alone"));
    }
    if (scores.expert_quantiles[c].size() != 2 * by_class[c].size()) {
      return absl::InternalError(
          "the server's scores and its model differ in their experts");
    }
    // Experts say nothing of rows with missing values.
    if (std::isnan(scores.expert_scores[c][row * by_class[c].size()])) continue;
    explanations[row] = {.c = c,
                         .objectors = FindObjectors(
                             scores, row, c, lengths.empty() ? 1 : lengths[row],
                             by_class[c], most)};
  }
  return explanations;
}

}  // namespace poe::client
