#include "core/io/npy_header.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace poe {
namespace {

// Recursive descent over the few Python literals that a header holds. Each
// Read function consumes what it returns, and returns nothing where the text
// is something else.
class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text), rest_(text) {}

  // Skips white space, then consumes `wanted` if it comes next.
  bool Consume(absl::string_view wanted) {
    rest_ = absl::StripLeadingAsciiWhitespace(rest_);
    if (rest_.substr(0, wanted.size()) != wanted) return false;
    rest_.remove_prefix(wanted.size());
    return true;
  }

  std::optional<absl::string_view> ReadString() {
    absl::string_view quote = "'";
    if (!Consume(quote)) {
      quote = "\"";
      if (!Consume(quote)) return std::nullopt;
    }
    const size_t length = rest_.find(quote);
    if (length == absl::string_view::npos) return std::nullopt;
    const absl::string_view content = rest_.substr(0, length);
    rest_.remove_prefix(length + 1);
    return content;
  }

  std::optional<bool> ReadBool() {
    if (Consume("True")) return true;
    if (Consume("False")) return false;
    return std::nullopt;
  }

  // A tuple of whole numbers: (), (3,), (3, 4), (3, 4,).
  std::optional<std::vector<int64_t>> ReadTuple() {
    if (!Consume("(")) return std::nullopt;
    std::vector<int64_t> numbers;
    bool comma = true;
    while (!Consume(")")) {
      const std::optional<int64_t> number = ReadNumber();
      if (!comma || !number.has_value()) return std::nullopt;
      numbers.push_back(*number);
      comma = Consume(",");
    }
    if (numbers.size() == 1 && !comma) return std::nullopt;
    return numbers;
  }

  bool AtEnd() {
    rest_ = absl::StripLeadingAsciiWhitespace(rest_);
    return rest_.empty();
  }

  absl::Status Expected(absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat("NPY header, character ", text_.size() - rest_.size() + 1,
                     ": expected ", what));
  }

 private:
  // Digits, with the L that Python 2 wrote behind a long integer.
  std::optional<int64_t> ReadNumber() {
    Consume("");
    size_t length = 0;
    while (length < rest_.size() && absl::ascii_isdigit(rest_[length])) {
      ++length;
    }
    int64_t number = 0;
    if (!absl::SimpleAtoi(rest_.substr(0, length), &number)) {
      return std::nullopt;
    }
    rest_.remove_prefix(length);
    Consume("L");
    return number;
  }

  absl::string_view text_;
  absl::string_view rest_;
};

}  // namespace

absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view text) {
  Parser parser(text);
  std::optional<absl::string_view> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<int64_t>> shape;
  if (!parser.Consume("{")) return parser.Expected("{");
  bool comma = true;
  while (!parser.Consume("}")) {
    if (!comma) return parser.Expected("a comma or }");
    const std::optional<absl::string_view> key = parser.ReadString();
    if (!key.has_value()) return parser.Expected("a name in quotes or }");
    if (!parser.Consume(":")) return parser.Expected("a colon");
    if (key == "descr" && !descr.has_value()) {
      descr = parser.ReadString();
      if (!descr.has_value()) {
        return parser.Expected(
            "one element type as a string (fields of a structured array are "
            "not read)");
      }
    } else if (key == "fortran_order" && !fortran_order.has_value()) {
      fortran_order = parser.ReadBool();
      if (!fortran_order.has_value()) return parser.Expected("True or False");
    } else if (key == "shape" && !shape.has_value()) {
      shape = parser.ReadTuple();
      if (!shape.has_value()) {
        return parser.Expected("a tuple of whole numbers below 2^63");
      }
    } else {
      return absl::InvalidArgumentError(absl::StrCat(
          "NPY header: the key '", absl::CEscape(*key),
          "' is unknown or stands there twice; there should be 'descr', "
          "'fortran_order' and 'shape', once each"));
    }
    comma = parser.Consume(",");
  }
  if (!descr.has_value() || !fortran_order.has_value() || !shape.has_value()) {
    return absl::InvalidArgumentError(
        "NPY header lacks one of 'descr', 'fortran_order' and 'shape'");
  }
  if (!parser.AtEnd()) return parser.Expected("nothing more");
  return NpyHeader{.descr = std::string(*descr),
                   .fortran_order = *fortran_order,
                   .shape = *std::move(shape)};
}

}  // namespace poe
