#include "core/io/csv.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace poe {
namespace {

constexpr size_t kQuotedCharacters = 40;
// In succession: each is but a byte in the file, and a value in memory.
constexpr int64_t kMostEmptyLines = 1 << 20;
constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool IsQuoted(absl::string_view cell) { return absl::StartsWith(cell, "\""); }

// NaN for an empty cell.
bool ParseNumber(absl::string_view cell, double* number) {
  if (cell.empty()) {
    *number = std::nan("");
    return true;
  }
  return absl::SimpleAtod(cell, number) && !std::isinf(*number);
}

absl::Status ErrorAt(int64_t line, int64_t column, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("line ", line, ", column ", column, ": ", what));
}

absl::Status NotANumber(int64_t line, int64_t column, absl::string_view cell) {
  const absl::string_view shown = cell.substr(0, kQuotedCharacters);
  std::string what = absl::StrCat("'", absl::Utf8SafeCEscape(shown),
                                  shown.size() < cell.size() ? "..." : "",
                                  "' is not a finite number; leave a missing "
                                  "value empty or write nan");
  if (line == 1) {
    absl::StrAppend(&what,
                    "; in a header, put quotes around names that are "
                    "numbers");
  }
  return ErrorAt(line, column, what);
}

// Takes the next line off `text`.
absl::string_view TakeLine(absl::string_view* text) {
  const size_t end = std::min(text->find('\n'), text->size());
  const absl::string_view line = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return line;
}

char DetectSeparator(absl::string_view line) {
  bool quoted = false;
  bool semicolon = false;
  for (const char c : line) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\t') return '\t';
    semicolon |= c == ';';
  }
  return semicolon ? ';' : ',';
}

// The cells of one line, taken one after another.
class Cells {
 public:
  Cells(absl::string_view line, char separator)
      : rest_(line), separator_(separator) {}

  // Takes the next cell, without the white space around it but with its
  // quotes. False after the last; a line has at least one.
  bool Take(absl::string_view* cell) {
    if (at_end_) return false;
    size_t end = 0;
    bool quoted = false;
    while (end < rest_.size() && (quoted || rest_[end] != separator_)) {
      quoted ^= rest_[end] == '"';
      ++end;
    }
    at_end_ = end == rest_.size();
    *cell = absl::StripAsciiWhitespace(rest_.substr(0, end));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return true;
  }

 private:
  absl::string_view rest_;
  char separator_;
  bool at_end_ = false;
};

// Whether a cell is "...", with each quote inside it doubled.
bool IsWellQuoted(absl::string_view cell) {
  if (cell.size() < 2 || !absl::EndsWith(cell, "\"")) return false;
  const absl::string_view inner = cell.substr(1, cell.size() - 2);
  for (size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] != '"') continue;
    if (++i == inner.size() || inner[i] != '"') return false;
  }
  return true;
}

bool IsHeader(absl::string_view line, char separator) {
  bool has_name = false;
  absl::string_view cell;
  for (Cells cells(line, separator); cells.Take(&cell);) {
    double number;
    if (IsQuoted(cell) || !ParseNumber(cell, &number)) {
      has_name = true;
    } else if (!cell.empty()) {
      return false;
    }
  }
  return has_name;
}

absl::StatusOr<std::vector<std::string>> ParseHeader(absl::string_view line,
                                                     char separator) {
  std::vector<std::string> names;
  absl::string_view cell;
  for (Cells cells(line, separator); cells.Take(&cell);) {
    const int64_t column = static_cast<int64_t>(names.size()) + 1;
    if (!IsQuoted(cell)) {
      names.emplace_back(cell);
    } else if (IsWellQuoted(cell)) {
      names.push_back(absl::StrReplaceAll(cell.substr(1, cell.size() - 2),
                                          {{"\"\"", "\""}}));
    } else {
      return ErrorAt(1, column,
                     "a name in quotes must end with one on the same line, and "
                     "a quote inside it be doubled");
    }
  }
  return names;
}

// Appends the numbers of a line and returns how many.
absl::StatusOr<int64_t> ParseRow(absl::string_view line, char separator,
                                 int64_t line_number,
                                 std::vector<double>* values) {
  int64_t column = 0;
  absl::string_view cell;
  for (Cells cells(line, separator); cells.Take(&cell);) {
    ++column;
    double number;
    if (!ParseNumber(cell, &number)) {
      return NotANumber(line_number, column, cell);
    }
    values->push_back(number);
  }
  return column;
}

}  // namespace

absl::Status CsvParser::Add(absl::string_view line) {
  if (lines_ + empty_lines_ == 0) {
    line = absl::StripPrefix(line, kByteOrderMark);
  }
  if (line.find_first_not_of('\r') == absl::string_view::npos) {
    ++empty_lines_;
    return absl::OkStatus();
  }
  if (empty_lines_ > kMostEmptyLines) {
    return absl::InvalidArgumentError(absl::StrCat(
        "line ", lines_ + empty_lines_ + 1, ": more than ", kMostEmptyLines,
        " empty lines stand before it; write nan for missing values"));
  }
  for (; empty_lines_ > 0; --empty_lines_) {
    if (absl::Status s = AddLine(""); !s.ok()) return s;
  }
  return AddLine(absl::StripSuffix(line, "\r"));
}

absl::Status CsvParser::AddLine(absl::string_view line) {
  ++lines_;
  if (lines_ == 1) {
    separator_ = DetectSeparator(line);
    if (IsHeader(line, separator_)) {
      absl::StatusOr<std::vector<std::string>> names =
          ParseHeader(line, separator_);
      if (!names.ok()) return names.status();
      column_names_ = *std::move(names);
      columns_ = static_cast<int64_t>(column_names_.size());
      return absl::OkStatus();
    }
  }
  const absl::StatusOr<int64_t> cells =
      ParseRow(line, separator_, lines_, &values_);
  if (!cells.ok()) return cells.status();
  if (lines_ == 1) columns_ = *cells;
  if (*cells != columns_) {
    return ErrorAt(lines_, std::min(*cells, columns_) + 1,
                   absl::StrCat("the line has ", *cells,
                                " columns where line 1 has ", columns_));
  }
  ++rows_;
  return absl::OkStatus();
}

DataFile CsvParser::Take() {
  DataFile file;
  file.shape = {std::exchange(rows_, 0), columns_};
  file.values = std::exchange(values_, {});
  file.column_names = column_names_;
  return file;
}

absl::StatusOr<DataFile> ParseCsv(absl::string_view text) {
  CsvParser parser;
  while (!text.empty()) {
    if (absl::Status s = parser.Add(TakeLine(&text)); !s.ok()) return s;
  }
  if (parser.columns() == 0) {
    return absl::InvalidArgumentError("has no line of text");
  }
  return parser.Take();
}

}  // namespace poe
