// poe show
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "client/cpp/command/commands.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/expert_output.h"
#include "client/cpp/command/experts.h"
#include "client/cpp/command/json.h"
#include "client/cpp/command/selector.h"
#include "client/cpp/io/picture.h"

namespace poe::client {
namespace {

struct ShowOptions {
  std::string model;
  std::string class_name;
  int layer = 0;
  int limit = 100;
  int columns = 20;
  std::string png;
};

ManPage ShowPage() {
  return {
      .summary = "show what the experts look like",
      .synopsis = {"MODEL [--class NAME] [--png FILE.png] [OPTION]..."},
      .description =
          "Prints the experts of each class, each by what is strongest in it. "
          "Units: the bias and weights. Unigauss experts: the share of the "
          "Gaussian, and mean ± standard deviation where it is surest. "
          "Mixtures: the same of each component. Hidden Markov models: of each "
          "state, how often it is there in the long run, and means or "
          "likely symbols; then how likely a sequence begins with it, and the "
          "likeliest states after it. Linear dynamical systems: the moduli of "
          "the "
          "transition's eigenvalues (near 1: a long memory), and how strong "
          "the "
          "latent state's signal is in a column at the start, beside that "
          "column's noise; then the greatest entries of the transition A and "
          "the covariance Q of its noise, row by row, and of what each latent "
          "dimension adds to the columns of preprocessed data, C. Trees: the "
          "share of each, and parent-child weights "
          "of "
          "preprocessed data.\n\n"
          "With --png, for images, writes a picture instead, the classes "
          "below each other: the weights of each unit, where grey is 0, light "
          "is positive and dark negative, or the mean of each Gaussian.",
      .examples = {"poe show fashion --png experts.png",
                   "poe show fashion:3 --class 9 --limit 20 --png boots.png",
                   "poe show pumps"}};
}

absl::Status WritePng(const std::vector<Expert>& experts,
                      const v1::DataSpec& spec, const ShowOptions& options) {
  if (spec.image_height() == 0 || options.layer > 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.png, ": the data of this layer are no images"));
  }
  const absl::StatusOr<Picture> picture =
      ExpertPicture(experts, spec, options.columns);
  if (!picture.ok()) return picture.status();
  return picture->WritePng(options.png);
}

absl::Status Show(const ShowOptions& options, Context& context) {
  v1::GetModelRequest request;
  absl::StatusOr<v1::ModelSelector> model = ParseSelector(options.model);
  if (!model.ok()) return model.status();
  *request.mutable_model() = *std::move(model);
  request.set_include_parameters(true);
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  const absl::StatusOr<v1::GetModelResponse> response =
      (*client)->GetModel(request, context.call_options());
  if (!response.ok()) return response.status();
  absl::StatusOr<std::vector<Expert>> experts =
      ReadExperts(response->parameters(), options.class_name, options.layer);
  if (!experts.ok()) return experts.status();
  std::erase_if(*experts, [&](const Expert& expert) {
    return expert.number >= options.limit;
  });
  const v1::DataSpec& spec = response->parameters().data_spec();
  if (!options.png.empty()) {
    const absl::Status status = WritePng(*experts, spec, options);
    if (!status.ok()) return status;
  }
  if (context.json) {
    Json list = Json::array();
    for (const Expert& expert : *experts) list.push_back(ExpertJson(expert));
    Json document;
    document["model"] = {{"name", response->model().name()},
                         {"version", response->model().version()}};
    document["layer"] = options.layer;
    document["experts"] = list;
    PrintJson(document);
  } else if (options.png.empty()) {
    std::cout << ExpertTable(*experts, spec, options.layer)
              << TransitionTables(*experts, spec, options.layer);
  }
  return absl::OkStatus();
}

}  // namespace

void AddShowCommand(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ShowOptions>();
  CLI::App* command =
      AddCommand(app, context, "show", ShowPage(),
                 [options, &context] { return Show(*options, context); });
  command->add_option("MODEL", options->model, kModelHelp)->required();
  constexpr char kExperts[] = "Experts";
  command
      ->add_option("--class", options->class_name, "Only those of this class.")
      ->type_name("NAME")
      ->group(kExperts);
  command
      ->add_option("--layer", options->layer, "Those of this layer, 0 lowest.")
      ->type_name("L")
      ->check(NotNegative())
      ->capture_default_str()
      ->group(kExperts);
  command
      ->add_option("--limit", options->limit, "The first N of each class only.")
      ->type_name("N")
      ->check(Positive())
      ->capture_default_str()
      ->group(kExperts);
  constexpr char kPicture[] = "Picture";
  command->add_option("--png", options->png, "Write a picture.")
      ->type_name("FILE.png")
      ->group(kPicture);
  command
      ->add_option("--columns", options->columns,
                   "Experts side by side in the picture.")
      ->type_name("N")
      ->check(Positive())
      ->capture_default_str()
      ->group(kPicture);
}

}  // namespace poe::client
