#include "core/io/csv_writer.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/types/span.h"
#include "core/io/file_bytes.h"

namespace poe {
namespace {

// The shortest text that reads as the same number.
void AppendNumber(float value, std::string& text) {
  if (std::isnan(value)) return;
  std::array<char, 32> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  text.append(digits.data(), end);
}

}  // namespace

absl::Status WriteCsv(const std::string& path,
                      absl::Span<const std::string> names,
                      absl::Span<const int64_t> numbers,
                      absl::Span<const float> values) {
  const size_t before = numbers.empty() ? 0 : 1;
  const size_t columns = names.size() - before;
  const bool fits =
      names.size() > before && values.size() % columns == 0 &&
      (numbers.empty() || numbers.size() == values.size() / columns);
  if (!fits) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot write ", path, ": ", names.size(), " names do not fit ",
        values.size(), " values and ", numbers.size(), " numbers of rows"));
  }
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "\"" : ",\"",
                    absl::StrReplaceAll(names[i], {{"\"", "\"\""}}), "\"");
  }
  text.push_back('\n');
  for (size_t i = 0; i < values.size(); ++i) {
    const bool first = i % columns == 0;
    if (first && before > 0) absl::StrAppend(&text, numbers[i / columns]);
    if (!first || before > 0) text.push_back(',');
    AppendNumber(values[i], text);
    if (i % columns == columns - 1) text.push_back('\n');
  }
  return WriteFileBytes(path, text);
}

}  // namespace poe
