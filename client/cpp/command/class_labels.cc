#include "client/cpp/command/class_labels.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"

namespace poe::client {
namespace {

absl::StatusOr<std::vector<int32_t>> AsIndices(
    absl::Span<const int64_t> labels, const std::vector<std::string>& names) {
  std::vector<int32_t> indices;
  indices.reserve(labels.size());
  for (const int64_t label : labels) {
    if (label < 0 || label >= static_cast<int64_t>(names.size())) {
      return absl::InvalidArgumentError(
          absl::StrCat("the label of row ", indices.size(), " is ", label,
                       ", which is no class; there are ", names.size(),
                       ", counted from 0: ", absl::StrJoin(names, ", ")));
    }
    indices.push_back(static_cast<int32_t>(label));
  }
  return indices;
}

}  // namespace

absl::StatusOr<ClassLabels> AssignClasses(
    absl::Span<const int64_t> labels, const std::vector<std::string>& names) {
  ClassLabels classes;
  if (!names.empty()) {
    absl::StatusOr<std::vector<int32_t>> indices = AsIndices(labels, names);
    if (!indices.ok()) return indices.status();
    classes.names = names;
    classes.indices = *std::move(indices);
    return classes;
  }
  std::map<int64_t, int32_t> index_of;
  for (const int64_t label : labels) index_of.emplace(label, 0);
  for (auto& [label, index] : index_of) {
    index = static_cast<int32_t>(classes.names.size());
    classes.names.push_back(absl::StrCat(label));
  }
  classes.indices.reserve(labels.size());
  for (const int64_t label : labels) {
    classes.indices.push_back(index_of.at(label));
  }
  return classes;
}

absl::StatusOr<std::vector<int32_t>> MatchClasses(
    absl::Span<const int64_t> labels, const std::vector<std::string>& names) {
  std::map<std::string, int32_t> index_of;
  for (size_t i = 0; i < names.size(); ++i) {
    index_of.emplace(names[i], static_cast<int32_t>(i));
  }
  std::vector<int32_t> indices;
  indices.reserve(labels.size());
  for (const int64_t label : labels) {
    const auto found = index_of.find(absl::StrCat(label));
    if (found == index_of.end()) return AsIndices(labels, names);
    indices.push_back(found->second);
  }
  return indices;
}

}  // namespace poe::client
