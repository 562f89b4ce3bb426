// Where the settings of the program come from: the command line, the
// environment, a file, or their defaults, in this order.
#ifndef POE_SERVER_SETTINGS_H_
#define POE_SERVER_SETTINGS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace poe::server {

// Value and origin of each setting, by its name.
struct Setting {
  std::string value;     // as the flag of that name writes it
  std::string origin;    // "command line", a variable, a file's path, "default"
  bool changed = false;  // whether the value is another than the default one
};
using Settings = std::map<std::string, Setting>;

// A setting of the file or of the environment, by its name.
using SettingValues = std::map<std::string, std::string>;

// Those that poe.v1.ServerConfig knows.
std::vector<std::string> SettingNames();

// What a file in the text format of poe.v1.ServerConfig says. InvalidArgument,
// with line and column, for anything else.
absl::StatusOr<SettingValues> ParseConfig(absl::string_view text);

// What variables POE_SERVER_<NAME IN CAPITALS> say, of an environment of
// "NAME=value". InvalidArgument for such a variable that names no setting;
// those that Kubernetes makes of a service with that name are left alone.
absl::StatusOr<SettingValues> ParseEnvironment(
    absl::Span<const std::string> environment);

// Names that are given on a command line, with one dash or two, with or without
// "no" before those of switches.
std::vector<std::string> NamesOnCommandLine(
    absl::Span<const absl::string_view> arguments);

// Sets the flags of this program, whose command line has been parsed, to what
// environment and file say, and returns all settings. The file is that of the
// flag or the variable `config`. InvalidArgument naming what is wrong and
// where; what ReadNamedFile says of the file. Not thread-safe.
absl::StatusOr<Settings> ApplySettings(
    absl::Span<const absl::string_view> arguments,
    absl::Span<const std::string> environment);

// InvalidArgument naming two settings, of which one has no effect beside the
// value of the other. What has its default value is not looked at, so that all
// settings can stand in one file.
absl::Status CheckTogether(const Settings& settings);

// The settings as a file that ParseConfig reads, each with its origin.
std::string FormatSettings(const Settings& settings);

}  // namespace poe::server

#endif  // POE_SERVER_SETTINGS_H_
