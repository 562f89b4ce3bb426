// poe models
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/cpp/client.h"
#include "client/cpp/command/commands.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/format.h"
#include "client/cpp/command/json.h"
#include "client/cpp/command/normalizers.h"
#include "client/cpp/command/selector.h"
#include "client/cpp/command/table.h"

namespace poe::client {
namespace {

constexpr char kVersionHelp[] = "The model, as NAME or NAME:VERSION.";

struct ModelsOptions {
  std::string model;
  std::string label;
  bool clear = false;
  std::string folder;
};

std::string EnumText(absl::string_view name, absl::string_view prefix) {
  return absl::AsciiStrToLower(absl::StripPrefix(name, prefix));
}

std::string StateText(const v1::VersionInfo& version) {
  return EnumText(v1::VersionInfo::State_Name(version.state()), "STATE_");
}

std::string DataText(const v1::DataSpec& spec) {
  const std::string size =
      spec.image_height() > 0
          ? absl::StrCat(spec.image_height(), "x", spec.image_width())
          : absl::StrCat(spec.dimension());
  std::string text = absl::StrCat(
      EnumText(v1::Family_Name(spec.family()), "FAMILY_"), " ", size);
  if (spec.num_symbols() > 0) {
    absl::StrAppend(&text, " of ", spec.num_symbols());
  }
  if (!spec.input_coordinates().empty()) {
    absl::StrAppend(&text, ", ",
                    FormatCount(spec.input_coordinates_size(),
                                spec.real_inputs() ? "real input" : "input"));
  }
  if (spec.sequential()) absl::StrAppend(&text, ", sequences");
  return text;
}

// Labels that point at a version, in alphabetical order.
std::string LabelsText(const v1::ModelInfo& model, int64_t version) {
  std::vector<std::string> labels;
  for (const auto& [label, labelled] : model.labels()) {
    if (labelled == version) labels.push_back(label);
  }
  std::sort(labels.begin(), labels.end());
  return absl::StrJoin(labels, ",");
}

std::string ModelTable(const std::vector<v1::ModelInfo>& models) {
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"model"},
               {"version", kRight},
               {"state"},
               {"labels"},
               {"data"},
               {"classes", kRight},
               {"experts", kRight},
               {"parameters", kRight},
               {"size", kRight},
               {"created"}});
  for (const v1::ModelInfo& model : models) {
    for (const v1::VersionInfo& version : model.versions()) {
      table.AddRow(
          {model.name(), absl::StrCat(version.version()), StateText(version),
           LabelsText(model, version.version()), DataText(version.data_spec()),
           FormatCount(version.class_names_size()),
           FormatCount(version.num_experts()),
           FormatCount(version.num_parameters()), FormatBytes(version.bytes()),
           FormatTime(version.created())});
    }
  }
  return table.ToString();
}

absl::Status Print(const absl::StatusOr<v1::ModelInfo>& model, bool json) {
  if (!model.ok()) return model.status();
  if (json) return PrintJson(*model);
  std::cout << ModelTable({*model});
  return absl::OkStatus();
}

absl::Status ListModels(Context& context) {
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  const absl::StatusOr<std::vector<v1::ModelInfo>> models =
      (*client)->ListModels(context.call_options());
  if (!models.ok()) return models.status();
  if (context.json) {
    v1::ListModelsResponse response;
    response.mutable_models()->Add(models->begin(), models->end());
    return PrintJson(response);
  }
  std::cout << ModelTable(*models);
  return absl::OkStatus();
}

void PrintDetails(const v1::GetModelResponse& response) {
  const v1::VersionInfo& info = response.info();
  const v1::DataSpec& spec = info.data_spec();
  const auto line = [](absl::string_view name, const std::string& text) {
    if (text.empty()) return;
    std::cout << name << std::string(15 - name.size(), ' ') << text << "\n";
  };
  line("model", response.model().name());
  line("version", absl::StrCat(response.model().version()));
  line("state", StateText(info));
  line("reason", info.reason());
  line("created", FormatTime(info.created()));
  line("size", FormatBytes(info.bytes()));
  line("data", DataText(spec));
  line("preprocessing",
       EnumText(v1::Preprocessing::Kind_Name(spec.preprocessing().kind()),
                "KIND_"));
  line("columns", absl::StrJoin(spec.coordinate_names(), ", "));
  line("classes", absl::StrJoin(info.class_names(), ", "));
  line("layers", FormatCount(info.num_layers()));
  line("experts", FormatCount(info.num_experts()));
  line("parameters", FormatCount(info.num_parameters()));
  const std::string normalizers =
      NormalizerTable(info.log_partitions(), info.log_partition_differences());
  if (!normalizers.empty()) std::cout << "\n" << normalizers;
}

absl::Status ShowModel(const ModelsOptions& options, Context& context) {
  absl::StatusOr<v1::ModelSelector> model = ParseSelector(options.model);
  if (!model.ok()) return model.status();
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  v1::GetModelRequest request;
  *request.mutable_model() = *std::move(model);
  const absl::StatusOr<v1::GetModelResponse> response =
      (*client)->GetModel(request, context.call_options());
  if (!response.ok()) return response.status();
  if (context.json) return PrintJson(*response);
  PrintDetails(*response);
  return absl::OkStatus();
}

// A model's name and version, 0 if none is named.
absl::StatusOr<v1::ModelVersion> ParseVersion(const std::string& text) {
  const absl::StatusOr<v1::ModelSelector> selector = ParseSelector(text);
  if (!selector.ok()) return selector.status();
  if (selector->choice_case() == v1::ModelSelector::kLabel) {
    return UsageError(absl::StrCat("model \"", text,
                                   "\" is not of the form NAME or "
                                   "NAME:VERSION"));
  }
  v1::ModelVersion model;
  model.set_name(selector->name());
  model.set_version(selector->version());
  return model;
}

// A request about a version, or about all or the newest of a model.
template <typename Request>
absl::StatusOr<Request> VersionRequest(const ModelsOptions& options) {
  const absl::StatusOr<v1::ModelVersion> model = ParseVersion(options.model);
  if (!model.ok()) return model.status();
  Request request;
  request.set_name(model->name());
  request.set_version(model->version());
  return request;
}

absl::Status Load(const ModelsOptions& options, Context& context) {
  const auto request = VersionRequest<v1::LoadModelRequest>(options);
  if (!request.ok()) return request.status();
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  return Print((*client)->LoadModel(*request, context.call_options()),
               context.json);
}

absl::Status Unload(const ModelsOptions& options, Context& context) {
  const auto request = VersionRequest<v1::UnloadModelRequest>(options);
  if (!request.ok()) return request.status();
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  return Print((*client)->UnloadModel(*request, context.call_options()),
               context.json);
}

absl::Status DeleteModel(const ModelsOptions& options, Context& context) {
  const auto request = VersionRequest<v1::DeleteModelRequest>(options);
  if (!request.ok()) return request.status();
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  const absl::Status status =
      (*client)->DeleteModel(*request, context.call_options());
  if (!status.ok()) return status;
  if (context.json) {
    PrintJson(Json{{"deleted", options.model}});
  } else {
    std::cout << "deleted " << options.model << "\n";
  }
  return absl::OkStatus();
}

absl::Status Label(const ModelsOptions& options, Context& context) {
  const absl::StatusOr<v1::ModelVersion> model = ParseVersion(options.model);
  if (!model.ok()) return model.status();
  if (options.clear != (model->version() == 0)) {
    return UsageError(options.clear
                          ? "--clear takes NAME and LABEL, without a version"
                          : "a label needs a version: NAME:VERSION");
  }
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  if (options.clear) {
    v1::ClearLabelRequest request;
    request.set_name(model->name());
    request.set_label(options.label);
    return Print((*client)->ClearLabel(request, context.call_options()),
                 context.json);
  }
  v1::SetLabelRequest request;
  request.set_name(model->name());
  request.set_version(model->version());
  request.set_label(options.label);
  return Print((*client)->SetLabel(request, context.call_options()),
               context.json);
}

// Writes the files into `options.folder`, which must not be there yet.
absl::Status Export(const ModelsOptions& options, Context& context) {
  absl::StatusOr<v1::ModelSelector> model = ParseSelector(options.model);
  if (!model.ok()) return model.status();
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  const std::filesystem::path folder = options.folder;
  std::error_code error;
  if (!std::filesystem::create_directory(folder, error)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot make the folder ", options.folder, ": ",
        error ? error.message() : "there is something of that name"));
  }
  v1::ExportModelRequest request;
  *request.mutable_model() = *std::move(model);
  std::ofstream file;
  int64_t bytes = 0;
  absl::Status status = (*client)->ExportModel(
      request,
      [&](const v1::ModelFileChunk& chunk) {
        if (!chunk.file().empty()) {
          file.close();
          // Whatever the server says, it stays in the folder.
          file.open(folder / std::filesystem::path(chunk.file()).filename(),
                    std::ios::binary);
        }
        bytes += static_cast<int64_t>(chunk.data().size());
        file << chunk.data();
        file.flush();
        return file ? absl::OkStatus()
                    : absl::DataLossError(
                          absl::StrCat("cannot write into ", options.folder));
      },
      context.call_options());
  if (!status.ok()) {
    std::filesystem::remove_all(folder, error);
    return status;
  }
  if (context.json) {
    PrintJson(Json{{"folder", options.folder}, {"bytes", bytes}});
  } else {
    std::cout << options.model << " is in " << options.folder << ", "
              << FormatCount(bytes, "byte") << "\n";
  }
  return absl::OkStatus();
}

absl::Status Import(const ModelsOptions& options, Context& context) {
  const absl::StatusOr<v1::ModelVersion> model = ParseVersion(options.model);
  if (!model.ok()) return model.status();
  // MANIFEST first; the server knows which files belong to a version.
  std::vector<std::string> files = {"MANIFEST", "model.pb"};
  std::vector<int64_t> sizes;
  const std::filesystem::path folder = options.folder;
  for (const std::string& file : files) {
    std::error_code error;
    sizes.push_back(
        static_cast<int64_t>(std::filesystem::file_size(folder / file, error)));
    if (error) {
      return absl::NotFoundError(absl::StrCat(
          "cannot read ", (folder / file).string(), ": ", error.message()));
    }
  }
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  constexpr std::size_t kChunkBytes = 1 << 20;
  std::size_t index = 0;
  std::ifstream file;
  int64_t left = 0;
  return Print((*client)->ImportModel(
                   *model,
                   [&](v1::ModelFileChunk& chunk) -> absl::StatusOr<bool> {
                     if (left == 0) {
                       if (index == files.size()) return false;
                       file.close();
                       file.open(folder / files[index], std::ios::binary);
                       chunk.set_file(files[index]);
                       chunk.set_file_size(sizes[index]);
                       left = sizes[index++];
                     }
                     chunk.mutable_data()->resize(
                         std::min<std::size_t>(kChunkBytes, left));
                     file.read(
                         chunk.mutable_data()->data(),
                         static_cast<std::streamsize>(chunk.data().size()));
                     if (!file) {
                       return absl::DataLossError(
                           absl::StrCat("cannot read ", files[index - 1]));
                     }
                     left -= static_cast<int64_t>(chunk.data().size());
                     return true;
                   },
                   context.call_options()),
               context.json);
}

ManPage ModelsPage() {
  return {
      .summary = "list models and decide which of them answer",
      .synopsis = {"[OPTION]...", "COMMAND MODEL [OPTION]..."},
      .description =
          "Without a command, prints all versions of all models that the "
          "server has stored, the newest of each model first. Those that are "
          "available answer requests; the newest of them does so for a "
          "request that names no version.",
      .examples = {"poe models", "poe models show fashion:3",
                   "poe models label fashion:3 stable",
                   "poe models unload fashion:2",
                   "poe models delete fashion:1"}};
}

}  // namespace

void AddModelsCommand(CLI::App& app, Context& context) {
  CLI::App* models = AddCommand(app, context, "models", ModelsPage(),
                                [&context] { return ListModels(context); });
  models->require_subcommand(0, 1);
  const auto options = std::make_shared<ModelsOptions>();
  const auto add = [&](const std::string& name, const std::string& help,
                       ManPage page, auto run) {
    CLI::App* command =
        AddCommand(*models, context, name, std::move(page),
                   [run, options, &context] { return run(*options, context); });
    command->add_option("MODEL", options->model, help)->required();
    return command;
  };
  add("show", kModelHelp,
      {.summary = "describe one version of a model",
       .synopsis = {"MODEL [OPTION]..."},
       .description = "Prints what the version's data are, its classes and its "
                      "size. What its experts look like shows poe show.",
       .examples = {"poe models show fashion",
                    "poe models show fashion@stable --json"}},
      ShowModel);
  add("load", kVersionHelp,
      {.summary = "make a stored version answer requests",
       .synopsis = {"NAME[:VERSION] [OPTION]..."},
       .description = "Without a version, those that the server's policy says, "
                      "as if none had been unloaded by hand.",
       .examples = {"poe models load fashion:2"}},
      Load);
  add("unload", kVersionHelp,
      {.summary = "stop a version from answering",
       .synopsis = {"NAME[:VERSION] [OPTION]..."},
       .description = "Frees its memory; it stays stored. Without a version, "
                      "all of the model.",
       .examples = {"poe models unload fashion:2"}},
      Unload);
  add("delete", kVersionHelp,
      {.summary = "remove a version for good",
       .synopsis = {"NAME[:VERSION] [OPTION]..."},
       .description = "Without a version, removes the whole model.",
       .examples = {"poe models delete fashion:1"}},
      DeleteModel);
  add("export", kModelHelp,
      {.summary = "copy a version out of the server",
       .synopsis = {"MODEL FOLDER [OPTION]..."},
       .description = "Makes the folder and writes the files of the version "
                      "into it, with their digests, as another server's "
                      "poe models import takes them.",
       .examples = {"poe models export fashion@stable fashion-stable"}},
      Export)
      ->add_option("FOLDER", options->folder, "Must not be there yet.")
      ->required();
  add("import", kVersionHelp,
      {.summary = "copy a version into the server",
       .synopsis = {"NAME[:VERSION] FOLDER [OPTION]..."},
       .description = "The server checks the digests and lets the version "
                      "answer. Without a version it is the next; one that "
                      "there is already is never replaced.",
       .examples = {"poe models import fashion fashion-stable"}},
      Import)
      ->add_option("FOLDER", options->folder, "As poe models export made it.")
      ->required();
  CLI::App* label =
      add("label", kVersionHelp,
          {.summary = "point a label at a version",
           .synopsis = {"NAME:VERSION LABEL [OPTION]...",
                        "NAME LABEL --clear [OPTION]..."},
           .description =
               "Requests for NAME@LABEL are answered by that version, until "
               "the label points at another one or is cleared.",
           .examples = {"poe models label fashion:3 stable",
                        "poe models label fashion stable --clear"}},
          Label);
  label
      ->add_option("LABEL", options->label,
                   "1 to 64 lower-case letters, digits, _ or -.")
      ->required();
  label->add_flag("--clear", options->clear, "Remove the label.")
      ->group("Label");
}

}  // namespace poe::client
