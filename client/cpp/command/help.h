#ifndef POE_CLIENT_CPP_COMMAND_HELP_H_
#define POE_CLIENT_CPP_COMMAND_HELP_H_

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/string_view.h"

namespace poe::client {

// Heading of the options that every subcommand has.
inline constexpr char kCommonOptions[] = "Common options";

// What the help of a command says beside its options, which speak for
// themselves.
struct ManPage {
  // One line, without a full stop.
  std::string summary;
  // What follows the command's name, one string for each form.
  std::vector<std::string> synopsis;
  // Paragraphs between empty lines; their lines are wrapped anew.
  std::string description;
  // Lines to type, and lines of comment that begin with "#".
  std::vector<std::string> examples;
};

// Makes the command's help this page: name, synopsis, description, arguments,
// commands, options by group, examples; 80 columns wide.
void SetManPage(CLI::App& command, ManPage page);

// The words of `text` in lines that end before column `width`. All lines but
// the first begin with `indent` spaces; the first is as short as if it did.
// No end of line after the last.
std::string Wrap(absl::string_view text, int indent, int width);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_HELP_H_
