// Scores as JSON.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "client/cpp/command/json.h"
#include "client/cpp/command/score_output.h"
#include "client/cpp/command/scores.h"

namespace poe::client {
namespace {

Json Numbers(absl::Span<const double> values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(JsonNumber(value));
  return list;
}

// The entries of row `row` of a field of N x (size / N); adds nothing if the
// field is empty.
void AddRow(const std::vector<double>& field, int64_t rows, int64_t row,
            const char* name, Json& object) {
  if (field.empty()) return;
  const size_t width = field.size() / rows;
  object[name] =
      Numbers(absl::MakeConstSpan(field).subspan(row * width, width));
}

Json RowJson(const Scores& scores, absl::Span<const int32_t> truth,
             int64_t first_row, int64_t row, const std::string& noun) {
  Json object;
  object[noun] = first_row + row;
  if (!truth.empty()) object["true"] = scores.class_names[truth[row]];
  if (!scores.labels.empty()) {
    const int32_t label = scores.labels[row];
    object["label"] =
        label < 0 ? Json(nullptr) : Json(scores.class_names[label]);
  }
  if (!scores.margins.empty()) {
    object["margin"] = JsonNumber(scores.margins[row]);
  }
  AddRow(scores.probabilities, scores.rows, row, "probabilities", object);
  AddRow(scores.percentiles, scores.rows, row, "percentiles", object);
  AddRow(scores.log_probabilities, scores.rows, row, "log_probabilities",
         object);
  Json& by_class = object["log_scores"] = Json::array();
  for (int64_t c = 0; c < scores.classes; ++c) {
    by_class.push_back(
        Numbers(absl::MakeConstSpan(scores.log_scores)
                    .subspan((row * scores.classes + c) * scores.layers,
                             scores.layers)));
  }
  object["out_of_support"] = scores.IsOutOfSupport(row);
  AddRow(scores.standard_errors, scores.rows, row, "standard_errors", object);
  if (!scores.expert_scores.empty()) {
    Json& experts = object["expert_log_scores"] = Json::array();
    for (const std::vector<double>& field : scores.expert_scores) {
      const size_t width = field.size() / scores.rows;
      experts.push_back(
          Numbers(absl::MakeConstSpan(field).subspan(row * width, width)));
    }
  }
  return object;
}

}  // namespace

Json ScoreJson(const Scores& scores, absl::Span<const int32_t> truth,
               int64_t first_row, int64_t limit, const std::string& noun) {
  Json document;
  document["model"] = {{"name", scores.model.name()},
                       {"version", scores.model.version()}};
  document["class_names"] = scores.class_names;
  document["total_rows"] = scores.rows;
  Json& rows = document["rows"] = Json::array();
  for (int64_t row = 0; row < std::min(limit, scores.rows); ++row) {
    rows.push_back(RowJson(scores, truth, first_row, row, noun));
  }
  return document;
}

Json ErrorJson(const ErrorCounts& errors,
               const std::vector<std::string>& class_names) {
  const auto rate = [](int64_t part, int64_t whole) {
    return whole == 0 ? Json(nullptr) : Json(static_cast<double>(part) / whole);
  };
  Json document;
  document["rows"] = errors.rows;
  document["errors"] = errors.errors;
  document["error_rate"] = rate(errors.errors, errors.rows);
  Json& classes = document["per_class"] = Json::array();
  for (size_t c = 0; c < errors.classes.size(); ++c) {
    const ErrorCounts::Class& counted = errors.classes[c];
    Json object;
    object["class"] = class_names[c];
    object["rows"] = counted.rows;
    object["errors"] = counted.errors;
    object["error_rate"] = rate(counted.errors, counted.rows);
    object["most_often_taken_for"] = counted.taken_for < 0
                                         ? Json(nullptr)
                                         : Json(class_names[counted.taken_for]);
    classes.push_back(object);
  }
  return document;
}

}  // namespace poe::client
