#include "client/cpp/merge.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace poe::client {
namespace {

absl::Status Differ(const char* field) {
  return absl::InternalError(absl::StrCat(
      "the server's responses to one stream differ in their ", field));
}

absl::Status AppendTensor(const v1::Tensor& part, const char* field,
                          v1::Tensor& all) {
  const bool same = part.shape_size() == all.shape_size() &&
                    part.element_type() == all.element_type() &&
                    (part.shape().empty() ||
                     std::equal(part.shape().begin() + 1, part.shape().end(),
                                all.shape().begin() + 1));
  if (!same) return Differ(field);
  if (part.shape().empty()) return absl::OkStatus();
  all.set_shape(0, all.shape(0) + part.shape(0));
  all.mutable_data()->append(part.data());
  all.mutable_values()->MergeFrom(part.values());
  return absl::OkStatus();
}

// Appends to a field of one entry a row that stands for `absent` everywhere
// where it is empty.
template <typename Repeated, typename Value>
void AppendOptional(const Repeated& part, int64_t part_rows, int64_t all_rows,
                    Value absent, Repeated& all) {
  if (part.empty() && all.empty()) return;
  all.Resize(static_cast<int>(all_rows), absent);
  all.MergeFrom(part);
  all.Resize(static_cast<int>(all_rows + part_rows), absent);
}

// Appends what is known of lengths that no part before has had.
template <typename Repeated>
void AppendNew(const Repeated& part, Repeated& all) {
  std::set<int64_t> lengths;
  for (const auto& known : all) lengths.insert(known.length());
  for (const auto& known : part) {
    if (!lengths.contains(known.length())) *all.Add() = known;
  }
}

}  // namespace

int64_t RowCount(const v1::ScoreResponse& response) {
  return response.log_scores().shape().empty() ? 0
                                               : response.log_scores().shape(0);
}

absl::Status AppendScores(const v1::ScoreResponse& part,
                          v1::ScoreResponse& all) {
  if (all.log_scores().shape().empty()) {
    all = part;
    return absl::OkStatus();
  }
  const int64_t part_rows = RowCount(part);
  const int64_t all_rows = RowCount(all);
  if (part.model().name() != all.model().name() ||
      part.model().version() != all.model().version()) {
    return Differ("model");
  }
  if (part.expert_scores_size() != all.expert_scores_size()) {
    return Differ("expert_scores");
  }
  absl::Status status =
      AppendTensor(part.log_scores(), "log_scores", *all.mutable_log_scores());
  status.Update(AppendTensor(part.probabilities(), "probabilities",
                             *all.mutable_probabilities()));
  status.Update(AppendTensor(part.percentiles(), "percentiles",
                             *all.mutable_percentiles()));
  status.Update(AppendTensor(part.log_probabilities(), "log_probabilities",
                             *all.mutable_log_probabilities()));
  status.Update(AppendTensor(part.standard_errors(), "standard_errors",
                             *all.mutable_standard_errors()));
  for (int i = 0; i < part.expert_scores_size(); ++i) {
    status.Update(
        AppendTensor(part.expert_scores(i).log_scores(), "expert_scores",
                     *all.mutable_expert_scores(i)->mutable_log_scores()));
    status.Update(
        AppendTensor(part.expert_scores(i).objections(), "objections",
                     *all.mutable_expert_scores(i)->mutable_objections()));
  }
  all.mutable_labels()->MergeFrom(part.labels());
  all.mutable_margins()->MergeFrom(part.margins());
  AppendNew(part.log_partitions(), *all.mutable_log_partitions());
  AppendNew(part.log_partition_differences(),
            *all.mutable_log_partition_differences());
  AppendOptional(part.out_of_support(), part_rows, all_rows, false,
                 *all.mutable_out_of_support());
  return status;
}

}  // namespace poe::client
