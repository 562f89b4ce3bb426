#include "client/cpp/command/scores.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "client/cpp/tensor.h"

namespace poe::client {
namespace {

absl::Status Unfit(const char* field) {
  return absl::InternalError(
      absl::StrCat("the server's response has an unfit field ", field));
}

// A tensor with `count` elements, or none.
absl::Status Read(const v1::Tensor& tensor, const char* field, int64_t count,
                  std::vector<double>& values) {
  absl::StatusOr<std::vector<double>> read = TensorDoubles(tensor);
  if (!read.ok() ||
      (!read->empty() && static_cast<int64_t>(read->size()) != count)) {
    return Unfit(field);
  }
  values = *std::move(read);
  return absl::OkStatus();
}

template <typename Repeated, typename Value>
absl::Status Copy(const Repeated& from, const char* field, int64_t count,
                  std::vector<Value>& to) {
  if (!from.empty() && from.size() != count) return Unfit(field);
  to.assign(from.begin(), from.end());
  return absl::OkStatus();
}

}  // namespace

double Scores::LogScore(int64_t row, int64_t c) const {
  double sum = 0;
  for (int64_t layer = 0; layer < layers; ++layer) {
    sum += log_scores[(row * classes + c) * layers + layer];
  }
  return sum;
}

int32_t Scores::Subject(int64_t row) const {
  if (!labels.empty()) return labels[row];
  return classes == 1 ? 0 : -1;
}

bool Scores::IsOutOfSupport(int64_t row) const {
  return !out_of_support.empty() && out_of_support[row];
}

absl::StatusOr<Scores> ReadScores(const v1::ScoreResponse& response) {
  const auto& shape = response.log_scores().shape();
  if (shape.size() != 3 || shape[1] != response.class_names_size()) {
    return Unfit("log_scores");
  }
  Scores scores;
  scores.model = response.model();
  scores.class_names.assign(response.class_names().begin(),
                            response.class_names().end());
  scores.rows = shape[0];
  scores.classes = shape[1];
  scores.layers = shape[2];
  const int64_t cells = scores.rows * scores.classes;
  absl::Status status = Read(response.log_scores(), "log_scores",
                             cells * scores.layers, scores.log_scores);
  status.Update(Read(response.probabilities(), "probabilities", cells,
                     scores.probabilities));
  status.Update(
      Read(response.percentiles(), "percentiles", cells, scores.percentiles));
  status.Update(Read(response.log_probabilities(), "log_probabilities", cells,
                     scores.log_probabilities));
  status.Update(Read(response.standard_errors(), "standard_errors", cells,
                     scores.standard_errors));
  scores.log_partitions = response.log_partitions();
  scores.log_partition_differences = response.log_partition_differences();
  status.Update(Copy(response.labels(), "labels", scores.rows, scores.labels));
  status.Update(
      Copy(response.margins(), "margins", scores.rows, scores.margins));
  status.Update(Copy(response.out_of_support(), "out_of_support", scores.rows,
                     scores.out_of_support));
  for (const v1::ExpertScores& experts : response.expert_scores()) {
    absl::StatusOr<std::vector<double>> values =
        TensorDoubles(experts.log_scores());
    if (!values.ok() || values->empty() || values->size() % scores.rows != 0) {
      return Unfit("expert_scores");
    }
    const auto count = static_cast<int64_t>(values->size());
    status.Update(Read(experts.usual_quantiles(), "usual_quantiles",
                       2 * count / scores.rows,
                       scores.expert_quantiles.emplace_back()));
    status.Update(Read(experts.objections(), "objections", count,
                       scores.objections.emplace_back()));
    scores.expert_scores.push_back(*std::move(values));
  }
  const bool labels_fit = std::all_of(
      scores.labels.begin(), scores.labels.end(), [&](const int32_t label) {
        return label >= -1 && label < scores.classes;
      });
  if (!labels_fit) return Unfit("labels");
  if (!scores.expert_scores.empty() &&
      static_cast<int64_t>(scores.expert_scores.size()) != scores.classes) {
    return Unfit("expert_scores");
  }
  if (!status.ok()) return status;
  return scores;
}

Objection LeastExpert(const Scores& scores, int64_t row, int64_t c) {
  const std::vector<double>& all = scores.expert_scores[c];
  const int64_t experts = static_cast<int64_t>(all.size()) / scores.rows;
  const auto begin = all.begin() + row * experts;
  const auto least = std::min_element(begin, begin + experts);
  return {.expert = least - begin, .log_score = *least};
}

ErrorCounts CountErrors(const Scores& scores, absl::Span<const int32_t> truth) {
  ErrorCounts counts;
  counts.rows = scores.rows;
  counts.classes.resize(scores.classes);
  std::vector<int64_t> confusion(scores.classes * scores.classes);
  for (int64_t row = 0; row < scores.rows; ++row) {
    ErrorCounts::Class& counted = counts.classes[truth[row]];
    ++counted.rows;
    const int32_t label = scores.labels[row];
    if (label == truth[row]) continue;
    ++counts.errors;
    ++counted.errors;
    if (label >= 0) ++confusion[truth[row] * scores.classes + label];
  }
  for (int64_t c = 0; c < scores.classes; ++c) {
    const auto begin = confusion.begin() + c * scores.classes;
    const auto most = std::max_element(begin, begin + scores.classes);
    if (*most == 0) continue;
    counts.classes[c].taken_for = static_cast<int32_t>(most - begin);
    counts.classes[c].taken_for_rows = *most;
  }
  return counts;
}

}  // namespace poe::client
