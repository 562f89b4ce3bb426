// Scores as text.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "client/cpp/command/format.h"
#include "client/cpp/command/score_output.h"
#include "client/cpp/command/scores.h"
#include "client/cpp/command/table.h"

namespace poe::client {
namespace {

// With more log scores in a row than this, only the one of its class shows.
constexpr int64_t kMostLogScores = 4;

constexpr char kNothing[] = "-";

// A column and what it shows of a row.
struct ScoreColumn {
  Table::Column column;
  std::function<std::string(int64_t row)> cell;
};

// A column of numbers that a row has about one class.
ScoreColumn SubjectColumn(
    const std::string& heading, const Scores& scores,
    std::function<std::string(int64_t row, int64_t c)> cell) {
  return {{heading, Table::Align::kRight},
          [&scores, cell = std::move(cell)](int64_t row) -> std::string {
            const int32_t subject = scores.Subject(row);
            if (subject < 0 || scores.IsOutOfSupport(row)) return kNothing;
            return cell(row, subject);
          }};
}

std::string Cell(double value, int digits) {
  return std::isnan(value) ? kNothing : absl::StrFormat("%.*f", digits, value);
}

void AddLogScores(const Scores& scores, std::vector<ScoreColumn>& columns) {
  if (scores.classes * scores.layers > kMostLogScores) {
    columns.push_back(
        SubjectColumn("log score", scores, [&scores](int64_t row, int64_t c) {
          return Cell(scores.LogScore(row, c), 2);
        }));
    return;
  }
  for (int64_t c = 0; c < scores.classes; ++c) {
    for (int64_t layer = 0; layer < scores.layers; ++layer) {
      std::string heading = "log score";
      if (scores.classes > 1) {
        absl::StrAppend(&heading, " of ", scores.class_names[c]);
      }
      if (scores.layers > 1) absl::StrAppend(&heading, ", layer ", layer);
      const int64_t offset = c * scores.layers + layer;
      columns.push_back(
          {{heading, Table::Align::kRight}, [&scores, offset](int64_t row) {
             return Cell(
                 scores
                     .log_scores[row * scores.classes * scores.layers + offset],
                 2);
           }});
    }
  }
}

// The cell of an N x C field, with so many digits after the point; nothing
// where it is NaN.
std::function<std::string(int64_t, int64_t)> CellOf(
    const Scores& scores, const std::vector<double>& field, int digits) {
  return [&scores, &field, digits](int64_t row, int64_t c) {
    return Cell(field[row * scores.classes + c], digits);
  };
}

std::vector<ScoreColumn> Columns(const Scores& scores,
                                 absl::Span<const int32_t> truth,
                                 int64_t first_row, const std::string& noun) {
  constexpr auto kRight = Table::Align::kRight;
  std::vector<ScoreColumn> columns;
  columns.push_back({{noun, kRight}, [first_row](int64_t row) {
                       return absl::StrCat(first_row + row);
                     }});
  if (!truth.empty()) {
    columns.push_back({{"true"}, [&scores, truth](int64_t row) {
                         return scores.class_names[truth[row]];
                       }});
  }
  if (!scores.labels.empty()) {
    columns.push_back({{"label"}, [&scores](int64_t row) -> std::string {
                         const int32_t label = scores.labels[row];
                         if (scores.IsOutOfSupport(row))
                           return "out of support";
                         return label < 0 ? kNothing
                                          : scores.class_names[label];
                       }});
  }
  if (!scores.margins.empty()) {
    columns.push_back(
        SubjectColumn("margin", scores, [&scores](int64_t row, int64_t) {
          return absl::StrFormat("%.3f", scores.margins[row]);
        }));
  }
  if (!scores.probabilities.empty()) {
    columns.push_back(SubjectColumn("probability", scores,
                                    CellOf(scores, scores.probabilities, 4)));
  }
  if (!scores.percentiles.empty()) {
    columns.push_back(SubjectColumn("percentile", scores,
                                    CellOf(scores, scores.percentiles, 1)));
  }
  if (!scores.log_probabilities.empty()) {
    columns.push_back(SubjectColumn(
        "log p", scores, CellOf(scores, scores.log_probabilities, 2)));
  }
  AddLogScores(scores, columns);
  if (!scores.standard_errors.empty()) {
    columns.push_back(SubjectColumn("standard error", scores,
                                    CellOf(scores, scores.standard_errors, 2)));
  }
  if (!scores.expert_scores.empty()) {
    columns.push_back(SubjectColumn(
        "least expert", scores,
        [&scores](int64_t row, int64_t c) -> std::string {
          const Objection least = LeastExpert(scores, row, c);
          return std::isnan(least.log_score) ? kNothing
                                             : absl::StrCat(least.expert);
        }));
    columns.push_back(SubjectColumn(
        "its log score", scores, [&scores](int64_t row, int64_t c) {
          return Cell(LeastExpert(scores, row, c).log_score, 3);
        }));
  }
  return columns;
}

}  // namespace

std::string ScoreTable(const Scores& scores, absl::Span<const int32_t> truth,
                       int64_t first_row, int64_t limit,
                       const std::string& noun) {
  const std::vector<ScoreColumn> columns =
      Columns(scores, truth, first_row, noun);
  std::vector<Table::Column> headings;
  headings.reserve(columns.size());
  for (const ScoreColumn& column : columns) headings.push_back(column.column);
  Table table(headings);
  const int64_t shown = std::min(limit, scores.rows);
  for (int64_t row = 0; row < shown; ++row) {
    std::vector<std::string> cells;
    cells.reserve(columns.size());
    for (const ScoreColumn& column : columns) cells.push_back(column.cell(row));
    table.AddRow(cells);
  }
  std::string text = table.ToString();
  if (shown < scores.rows) {
    absl::StrAppend(&text, "... ", FormatCount(scores.rows - shown),
                    " more; --limit -1 shows all\n");
  }
  return text;
}

std::string ErrorTable(const ErrorCounts& errors,
                       const std::vector<std::string>& class_names) {
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"class"},
               {"rows", kRight},
               {"errors", kRight},
               {"rate", kRight},
               {"most often taken for"}});
  for (size_t c = 0; c < errors.classes.size(); ++c) {
    const ErrorCounts::Class& counted = errors.classes[c];
    table.AddRow(
        {class_names[c], FormatCount(counted.rows), FormatCount(counted.errors),
         FormatShare(counted.errors, counted.rows),
         counted.taken_for < 0
             ? ""
             : absl::StrCat(class_names[counted.taken_for], " (",
                            FormatCount(counted.taken_for_rows), ")")});
  }
  return absl::StrCat(table.ToString(), "\n",
                      FormatCount(errors.errors, "error"), " in ",
                      FormatCount(errors.rows, "row"), ": ",
                      FormatShare(errors.errors, errors.rows), "\n");
}

}  // namespace poe::client
