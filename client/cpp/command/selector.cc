#include "client/cpp/command/selector.h"

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/cpp/command/context.h"

namespace poe::client {

absl::StatusOr<v1::ModelSelector> ParseSelector(const std::string& text) {
  v1::ModelSelector selector;
  const size_t mark = text.find_first_of(":@");
  selector.set_name(text.substr(0, mark));
  if (selector.name().empty()) {
    return UsageError(absl::StrCat("model \"", text, "\" has no name"));
  }
  if (mark == std::string::npos) return selector;
  const absl::string_view choice = absl::string_view(text).substr(mark + 1);
  int64_t version = 0;
  if (text[mark] == '@' && !choice.empty()) {
    selector.set_label(std::string(choice));
  } else if (text[mark] == ':' && absl::SimpleAtoi(choice, &version) &&
             version >= 1) {
    selector.set_version(version);
  } else {
    return UsageError(
        absl::StrCat("model \"", text,
                     "\" is not of the form NAME, NAME:VERSION (a number from "
                     "1 on) or NAME@LABEL"));
  }
  return selector;
}

std::string FormatVersion(const v1::ModelVersion& model) {
  return absl::StrCat(model.name(), ":", model.version());
}

}  // namespace poe::client
