#include "client/cpp/command/help.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace poe::client {
namespace {

constexpr int kWidth = 79;
constexpr int kIndent = 2;
// Where the texts of options begin.
constexpr int kTextColumn = 24;

void Heading(absl::string_view title, std::string& help) {
  absl::StrAppend(&help, help.empty() ? "" : "\n", absl::AsciiStrToUpper(title),
                  "\n");
}

// A name on the left, its text wrapped on the right.
void Entry(absl::string_view name, absl::string_view text, std::string& help) {
  std::string left = absl::StrCat(std::string(kIndent, ' '), name);
  if (left.size() + 2 > kTextColumn) {
    absl::StrAppend(&help, left, "\n");
    left.clear();
  }
  left.resize(kTextColumn, ' ');
  absl::StrAppend(&help, left, Wrap(text, kTextColumn, kWidth), "\n");
}

std::string FullName(const CLI::App& command) {
  if (command.get_parent() == nullptr) return command.get_name();
  return absl::StrCat(FullName(*command.get_parent()), " ", command.get_name());
}

std::string OptionName(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) {
    names.push_back(absl::StrCat("-", name));
  }
  for (const std::string& name : option.get_lnames()) {
    names.push_back(absl::StrCat("--", name));
  }
  if (names.empty()) return option.get_name();
  std::string text = absl::StrJoin(names, ", ");
  const std::string value = option.get_type_name();
  if (!value.empty()) absl::StrAppend(&text, " ", value);
  return text;
}

std::string OptionText(const CLI::Option& option) {
  if (option.get_default_str().empty()) return option.get_description();
  return absl::StrCat(option.get_description(),
                      " Default: ", option.get_default_str(), ".");
}

class ManFormatter : public CLI::FormatterBase {
 public:
  explicit ManFormatter(ManPage page) : page_(std::move(page)) {}

  std::string make_help(const CLI::App* command, std::string,
                        CLI::AppFormatMode) const override {
    const std::string name = FullName(*command);
    const std::string margin(kIndent, ' ');
    std::string help;
    Heading("Name", help);
    absl::StrAppend(&help, margin, name, " - ", page_.summary, "\n");
    Heading("Synopsis", help);
    for (const std::string& form : page_.synopsis) {
      absl::StrAppend(&help, margin,
                      Wrap(absl::StrCat(name, " ", form), 2 * kIndent, kWidth),
                      "\n");
    }
    Heading("Description", help);
    std::vector<std::string> paragraphs;
    for (const absl::string_view text :
         absl::StrSplit(page_.description, "\n\n")) {
      paragraphs.push_back(
          absl::StrCat(margin, Wrap(text, kIndent, kWidth), "\n"));
    }
    help.append(absl::StrJoin(paragraphs, "\n"));
    AddCommands(*command, help);
    AddOptions(*command, help);
    Heading("Examples", help);
    for (const std::string& line : page_.examples) {
      absl::StrAppend(&help, line.empty() ? "" : margin, line, "\n");
    }
    return help;
  }

 private:
  static void AddCommands(const CLI::App& command, std::string& help) {
    const auto commands =
        command.get_subcommands([](const CLI::App*) { return true; });
    if (commands.empty()) return;
    Heading("Commands", help);
    for (const CLI::App* child : commands) {
      Entry(child->get_name(), child->get_description(), help);
    }
  }

  static void AddOptions(const CLI::App& command, std::string& help) {
    const auto positional = command.get_options(
        [](const CLI::Option* option) { return option->get_positional(); });
    if (!positional.empty()) Heading("Arguments", help);
    for (const CLI::Option* option : positional) {
      Entry(OptionName(*option), OptionText(*option), help);
    }
    // In the order in which they were added, the common ones last.
    std::vector<std::string> groups = command.get_groups();
    std::stable_partition(
        groups.begin(), groups.end(),
        [](const std::string& group) { return group != kCommonOptions; });
    for (const std::string& group : groups) {
      const auto options = command.get_options([&](const CLI::Option* option) {
        return option->get_group() == group && !option->get_positional();
      });
      if (group.empty() || options.empty()) continue;
      Heading(group, help);
      for (const CLI::Option* option : options) {
        Entry(OptionName(*option), OptionText(*option), help);
      }
    }
  }

  ManPage page_;
};

}  // namespace

void SetManPage(CLI::App& command, ManPage page) {
  command.set_help_flag("-h,--help", "Print this page.")->group(kCommonOptions);
  command.formatter(std::make_shared<ManFormatter>(std::move(page)));
}

std::string Wrap(absl::string_view text, int indent, int width) {
  std::string wrapped;
  int column = indent;
  for (const absl::string_view word :
       absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    const int length = static_cast<int>(word.size());
    if (column == indent) {
      absl::StrAppend(&wrapped, word);
      column += length;
    } else if (column + 1 + length > width) {
      absl::StrAppend(&wrapped, "\n", std::string(indent, ' '), word);
      column = indent + length;
    } else {
      absl::StrAppend(&wrapped, " ", word);
      column += 1 + length;
    }
  }
  return wrapped;
}

}  // namespace poe::client
