// Explanations as text, JSON and CSV.
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "client/cpp/command/expert_kinds.h"
#include "client/cpp/command/explanation.h"
#include "client/cpp/command/json.h"
#include "client/cpp/command/table.h"
#include "core/io/csv_writer.h"

namespace poe::client {

std::string ExplanationTable(absl::Span<const Explanation> explanations,
                             const std::vector<std::string>& class_names,
                             int64_t first_row, const std::string& noun) {
  constexpr auto kRight = Table::Align::kRight;
  const bool with_class = class_names.size() > 1;
  std::vector<Table::Column> columns = {{noun, kRight}};
  if (with_class) columns.push_back({"class"});
  for (const char* heading : {"expert", "kind", "log score", "median",
                              "lower quartile", "objection"}) {
    columns.push_back({heading, kRight});
  }
  Table table(columns);
  for (size_t n = 0; n < explanations.size(); ++n) {
    const Explanation& explanation = explanations[n];
    std::vector<std::string> start = {absl::StrCat(first_row + n)};
    if (with_class) {
      start.push_back(explanation.c < 0 ? "-" : class_names[explanation.c]);
    }
    const auto add = [&](const std::vector<std::string>& cells) {
      std::vector<std::string> line = start;
      line.insert(line.end(), cells.begin(), cells.end());
      table.AddRow(line);
    };
    if (explanation.objectors.empty()) add({"-", "-", "-", "-", "-", "-"});
    for (const Objector& objector : explanation.objectors) {
      const Expert& expert = objector.states.front();
      add({absl::StrCat(expert.number), KindName(expert.kind),
           absl::StrFormat("%.2f", objector.log_score),
           absl::StrFormat("%.2f", objector.median),
           absl::StrFormat("%.2f", objector.quartile),
           absl::StrFormat("%.2f", objector.objection)});
    }
  }
  return table.ToString();
}

void AddExplanations(absl::Span<const Explanation> explanations,
                     const std::vector<std::string>& class_names,
                     Json& document) {
  Json& rows = document["rows"];
  for (size_t n = 0; n < rows.size(); ++n) {
    const Explanation& explanation = explanations[n];
    Json& object = rows[n]["explanation"];
    object["class"] =
        explanation.c < 0 ? Json(nullptr) : Json(class_names[explanation.c]);
    Json& list = object["experts"] = Json::array();
    for (const Objector& objector : explanation.objectors) {
      const Expert& expert = objector.states.front();
      list.push_back({{"expert", expert.number},
                      {"kind", KindName(expert.kind)},
                      {"log_score", JsonNumber(objector.log_score)},
                      {"median", JsonNumber(objector.median)},
                      {"lower_quartile", JsonNumber(objector.quartile)},
                      {"objection", JsonNumber(objector.objection)}});
    }
  }
}

absl::Status WriteExplanations(const std::string& path,
                               absl::Span<const Explanation> explanations,
                               int64_t first_row, const std::string& noun) {
  std::vector<int64_t> numbers;
  std::vector<float> values;
  for (size_t n = 0; n < explanations.size(); ++n) {
    for (const Objector& objector : explanations[n].objectors) {
      numbers.push_back(first_row + static_cast<int64_t>(n));
      for (const double value :
           {static_cast<double>(explanations[n].c),
            static_cast<double>(objector.states.front().number),
            objector.log_score, objector.median, objector.quartile,
            objector.objection}) {
        values.push_back(static_cast<float>(value));
      }
    }
  }
  return WriteCsv(path,
                  {noun, "class", "expert", "log_score", "median",
                   "lower_quartile", "objection"},
                  numbers, values);
}

}  // namespace poe::client
