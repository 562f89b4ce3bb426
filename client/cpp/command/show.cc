// poe show
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cpp/client.h"
#include "client/cpp/command/commands.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/experts.h"
#include "client/cpp/command/format.h"
#include "client/cpp/command/json.h"
#include "client/cpp/command/selector.h"
#include "client/cpp/command/table.h"
#include "client/cpp/io/image_grid.h"
#include "client/cpp/io/picture.h"

namespace poe::client {
namespace {

// Coordinates that the table names of one expert.
constexpr size_t kNamedCoordinates = 4;
constexpr int kClassGap = 6;

struct ShowOptions {
  std::string model;
  std::string class_name;
  int layer = 0;
  int limit = 100;
  int columns = 20;
  std::string png;
};

ManPage Page() {
  return {
      .summary = "show what the experts look like",
      .synopsis = {"MODEL [--class NAME] [--png FILE.png] [OPTION]..."},
      .description =
          "Prints the experts of each class. Of a Bernoulli unit, its bias "
          "and its strongest weights; of a unigauss expert, the share of its "
          "Gaussian, and mean and standard deviation where it is surest.\n\n"
          "With --png, for images, writes a picture instead, the classes "
          "below each other: the weights of each unit, where grey is 0, light "
          "is positive and dark negative, or the mean of each Gaussian.",
      .examples = {"poe show fashion --png experts.png",
                   "poe show fashion:3 --class 9 --limit 20 --png boots.png",
                   "poe show pumps"}};
}

std::string CoordinateName(const v1::DataSpec& spec, int layer, size_t i) {
  const auto index = static_cast<int>(i);
  if (layer > 0 || index >= spec.coordinate_names_size()) {
    return absl::StrCat("[", i, "]");
  }
  return spec.coordinate_names(index);
}

// The coordinates that an expert cares about most.
std::vector<size_t> MostImportant(const Expert& expert) {
  std::vector<size_t> order(expert.values.size());
  std::iota(order.begin(), order.end(), 0);
  const auto importance = [&expert](size_t i) {
    const double weight = expert.deviations.empty() ? std::abs(expert.values[i])
                                                    : 1 / expert.deviations[i];
    return std::isnan(weight) ? 0 : weight;
  };
  const size_t shown = std::min(order.size(), kNamedCoordinates);
  std::partial_sort(
      order.begin(), order.begin() + shown, order.end(),
      [&](size_t a, size_t b) { return importance(a) > importance(b); });
  order.resize(shown);
  return order;
}

std::string Describe(const Expert& expert, const v1::DataSpec& spec,
                     int layer) {
  std::string text;
  for (const size_t i : MostImportant(expert)) {
    absl::StrAppend(&text, text.empty() ? "" : "  ",
                    CoordinateName(spec, layer, i), " ",
                    FormatNumber(expert.values[i]));
    if (!expert.deviations.empty()) {
      absl::StrAppend(&text, " ± ", FormatNumber(expert.deviations[i]));
    }
  }
  return text;
}

std::string ExpertTable(const std::vector<Expert>& experts,
                        const v1::DataSpec& spec, const ShowOptions& options) {
  constexpr auto kRight = Table::Align::kRight;
  const bool gaussian = std::any_of(
      experts.begin(), experts.end(),
      [](const Expert& e) { return e.kind == Expert::Kind::kUnigauss; });
  const bool units = std::any_of(
      experts.begin(), experts.end(),
      [](const Expert& e) { return e.kind == Expert::Kind::kBernoulliUnit; });
  Table table({{"class"},
               {"expert", kRight},
               {!units      ? "share"
                : !gaussian ? "bias"
                            : "bias or share",
                kRight},
               {!units      ? "surest"
                : !gaussian ? "strongest weights"
                            : "strongest or surest"}});
  for (const Expert& expert : experts) {
    table.AddRow({expert.class_name, absl::StrCat(expert.number),
                  absl::StrFormat("%.3f", expert.strength),
                  Describe(expert, spec, options.layer)});
  }
  return table.ToString();
}

Json ExpertJson(const Expert& expert) {
  const auto numbers = [](const std::vector<double>& values) {
    Json list = Json::array();
    for (const double value : values) list.push_back(JsonNumber(value));
    return list;
  };
  const bool unit = expert.kind == Expert::Kind::kBernoulliUnit;
  Json object;
  object["class"] = expert.class_name;
  object["expert"] = expert.number;
  object["kind"] = unit ? "bernoulli-unit" : "unigauss";
  object[unit ? "bias" : "share"] = JsonNumber(expert.strength);
  object[unit ? "weights" : "mean"] = numbers(expert.values);
  if (!unit) object["standard_deviation"] = numbers(expert.deviations);
  return object;
}

// A grid of the experts of one class.
absl::StatusOr<Picture> ClassPicture(const std::vector<Expert>& experts,
                                     const v1::DataSpec& spec, int columns) {
  const bool unit = experts.front().kind == Expert::Kind::kBernoulliUnit;
  std::vector<float> values;
  for (const Expert& expert : experts) {
    values.insert(values.end(), expert.values.begin(), expert.values.end());
  }
  const auto count = static_cast<int64_t>(experts.size());
  if (unit) {
    return SignedImageGrid(values, count, spec.image_height(),
                           spec.image_width(), columns);
  }
  float least = 0;
  float greatest = 1;
  if (spec.family() != v1::FAMILY_BERNOULLI) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    least = *low;
    greatest = *high > *low ? *high : *low + 1;
  }
  for (float& value : values) value = (value - least) / (greatest - least);
  return ImageGrid(values, count, spec.image_height(), spec.image_width(),
                   columns);
}

absl::Status WritePng(const std::vector<Expert>& experts,
                      const v1::DataSpec& spec, const ShowOptions& options) {
  if (spec.image_height() == 0 || options.layer > 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.png, ": the data of this layer are no images"));
  }
  std::vector<Picture> pictures;
  for (auto begin = experts.begin(); begin != experts.end();) {
    const auto end =
        std::find_if(begin, experts.end(), [&](const Expert& expert) {
          return expert.class_name != begin->class_name ||
                 expert.kind != begin->kind;
        });
    absl::StatusOr<Picture> picture =
        ClassPicture({begin, end}, spec, options.columns);
    if (!picture.ok()) return picture.status();
    pictures.push_back(*std::move(picture));
    begin = end;
  }
  return StackVertically(pictures, kClassGap).WritePng(options.png);
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
    std::cout << ExpertTable(*experts, spec, options);
  }
  return absl::OkStatus();
}

}  // namespace

void AddShowCommand(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ShowOptions>();
  CLI::App* command =
      AddCommand(app, context, "show", Page(),
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
