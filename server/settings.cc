#include "server/settings.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/flags/reflection.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "poe/v1/server_config.pb.h"
#include "server/errors.h"
#include "server/files.h"

namespace poe::server {
namespace {

using google::protobuf::FieldDescriptor;

constexpr absl::string_view kPrefix = "POE_SERVER_";
constexpr char kConfig[] = "config";
constexpr std::int64_t kMostConfigBytes = 1 << 20;

// A setting that does nothing where another has this value.
struct Idle {
  const char* name;
  const char* beside;
  const char* value;
};

constexpr Idle kIdle[] = {
    {"keep_versions", "read_only", "true"},
    {"data_directory", "read_only", "true"},
    {"max_training_rows", "read_only", "true"},
    {"max_training_bytes", "read_only", "true"},
    {"max_experts", "read_only", "true"},
    {"max_training_seconds", "read_only", "true"},
    {"http_connections_per_client", "http", ""},
};

const google::protobuf::Descriptor& ConfigType() {
  return *v1::ServerConfig::descriptor();
}

std::string VariableOf(absl::string_view name) {
  return absl::StrCat(kPrefix, absl::AsciiStrToUpper(name));
}

// Keeps the first error.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (!text_.empty()) return;
    text_ =
        absl::StrCat("line ", line + 1, ", column ", column + 1, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// What Kubernetes tells every container of a service named poe-server.
bool IsOfKubernetes(absl::string_view variable) {
  return variable == "POE_SERVER_PORT" ||
         absl::StartsWith(variable, "POE_SERVER_PORT_") ||
         absl::StartsWith(variable, "POE_SERVER_SERVICE_");
}

absl::Status SetFlag(const std::string& name, const std::string& value,
                     absl::string_view origin) {
  std::string error;
  absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
  if (flag == nullptr) {
    return absl::InternalError(absl::StrCat("there is no flag ", name));
  }
  if (flag->ParseFrom(value, &error)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(origin, ": ", name, " is ", Quoted(value), ": ", error));
}

}  // namespace

std::vector<std::string> SettingNames() {
  std::vector<std::string> names;
  for (int i = 0; i < ConfigType().field_count(); ++i) {
    names.push_back(ConfigType().field(i)->name());
  }
  return names;
}

absl::StatusOr<SettingValues> ParseConfig(absl::string_view text) {
  v1::ServerConfig config;
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(std::string(text), &config)) {
    return absl::InvalidArgumentError(error.text());
  }
  SettingValues values;
  std::vector<const FieldDescriptor*> fields;
  const google::protobuf::Reflection& reflection = *config.GetReflection();
  reflection.ListFields(config, &fields);
  for (const FieldDescriptor* field : fields) {
    std::string& value = values[field->name()];
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL:
        value = reflection.GetBool(config, field) ? "true" : "false";
        break;
      case FieldDescriptor::CPPTYPE_INT32:
        value = absl::StrCat(reflection.GetInt32(config, field));
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        value = absl::StrCat(reflection.GetInt64(config, field));
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        value = absl::StrFormat("%.17g", reflection.GetDouble(config, field));
        break;
      default:
        value = reflection.GetString(config, field);
    }
  }
  return values;
}

absl::StatusOr<SettingValues> ParseEnvironment(
    absl::Span<const std::string> environment) {
  SettingValues values;
  for (const std::string& variable : environment) {
    const std::pair<std::string, std::string> sides =
        absl::StrSplit(variable, absl::MaxSplits('=', 1));
    absl::string_view name = sides.first;
    if (!absl::ConsumePrefix(&name, kPrefix) || IsOfKubernetes(sides.first)) {
      continue;
    }
    const std::string setting = absl::AsciiStrToLower(name);
    if (setting != kConfig &&
        ConfigType().FindFieldByName(setting) == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the variable ", sides.first,
          " is set, and there is no setting of that name; see poe-server "
          "--help"));
    }
    values[setting] = sides.second;
  }
  return values;
}

std::vector<std::string> NamesOnCommandLine(
    absl::Span<const absl::string_view> arguments) {
  std::vector<std::string> names;
  for (absl::string_view argument : arguments) {
    if (argument == "--") break;
    if (!absl::ConsumePrefix(&argument, "-")) continue;
    absl::ConsumePrefix(&argument, "-");
    const std::string name(argument.substr(0, argument.find('=')));
    names.push_back(name);
    if (absl::StartsWith(name, "no")) names.push_back(name.substr(2));
  }
  return names;
}

absl::StatusOr<Settings> ApplySettings(
    absl::Span<const absl::string_view> arguments,
    absl::Span<const std::string> environment) {
  const std::vector<std::string> given = NamesOnCommandLine(arguments);
  const auto is_given = [&given](const std::string& name) {
    return std::find(given.begin(), given.end(), name) != given.end();
  };
  const absl::StatusOr<SettingValues> variables = ParseEnvironment(environment);
  if (!variables.ok()) return variables.status();
  const auto config = variables->find(kConfig);
  if (config != variables->end() && !is_given(kConfig)) {
    absl::Status set = SetFlag(kConfig, config->second, VariableOf(kConfig));
    if (!set.ok()) return set;
  }
  const std::string path = absl::FindCommandLineFlag(kConfig)->CurrentValue();
  SettingValues in_file;
  if (!path.empty()) {
    const absl::StatusOr<std::string> text =
        ReadNamedFile(path, kMostConfigBytes);
    if (!text.ok()) return text.status();
    absl::StatusOr<SettingValues> parsed = ParseConfig(*text);
    if (!parsed.ok()) return WithPrefix(path, parsed.status());
    in_file = *std::move(parsed);
  }
  Settings settings;
  for (const std::string& name : SettingNames()) {
    Setting& setting = settings[name];
    const auto variable = variables->find(name);
    const auto entry = in_file.find(name);
    absl::Status set;
    if (is_given(name)) {
      setting.origin = "command line";
    } else if (variable != variables->end()) {
      setting.origin = VariableOf(name);
      set = SetFlag(name, variable->second, setting.origin);
    } else if (entry != in_file.end()) {
      setting.origin = path;
      set = SetFlag(name, entry->second, setting.origin);
    } else {
      setting.origin = "default";
    }
    if (!set.ok()) return set;
    const absl::CommandLineFlag& flag = *absl::FindCommandLineFlag(name);
    setting.value = flag.CurrentValue();
    setting.changed = setting.value != flag.DefaultValue();
  }
  return settings;
}

absl::Status CheckTogether(const Settings& settings) {
  for (const Idle& idle : kIdle) {
    const auto setting = settings.find(idle.name);
    const auto beside = settings.find(idle.beside);
    if (setting == settings.end() || beside == settings.end() ||
        !setting->second.changed || beside->second.value != idle.value) {
      continue;
    }
    return absl::InvalidArgumentError(
        absl::StrCat(idle.name, " is ", setting->second.value, " (",
                     setting->second.origin, "), which has no effect where ",
                     idle.beside, " is ", Quoted(idle.value), " (",
                     beside->second.origin, "); leave one of them out"));
  }
  return absl::OkStatus();
}

std::string FormatSettings(const Settings& settings) {
  std::string text;
  for (const auto& [name, setting] : settings) {
    const bool is_text = ConfigType().FindFieldByName(name)->cpp_type() ==
                         FieldDescriptor::CPPTYPE_STRING;
    const std::string value =
        is_text ? absl::StrCat("\"", absl::CEscape(setting.value), "\"")
                : setting.value;
    absl::StrAppendFormat(&text, "%-40s  # %s\n",
                          absl::StrCat(name, ": ", value), setting.origin);
  }
  return text;
}

}  // namespace poe::server
