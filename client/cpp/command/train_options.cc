#include "client/cpp/command/train_options.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "client/cpp/command/context.h"
#include "client/cpp/command/data_set.h"
#include "client/cpp/command/expert_kinds.h"
#include "client/cpp/command/mask.h"
#include "client/cpp/command/train_start.h"

namespace poe::client {
namespace {

void AddClassOptions(CLI::App& command, TrainOptions& options) {
  constexpr char kGroup[] = "Data";
  command
      .add_option("--class-names", options.class_names,
                  "Names of the classes, separated by commas; label i is the "
                  "i-th of them, counted from 0. Without it, each label that "
                  "occurs is a class with its number as a name.")
      ->type_name("NAME,...")
      ->delimiter(',')
      ->group(kGroup);
  CLI::Option* base =
      command
          .add_option("--base", options.base_version,
                      "Version of the model that --keep takes classes from. "
                      "The rows are seen as that version sees them: give the "
                      "options under which it was trained.")
          ->type_name("VERSION")
          ->check(Positive())
          ->group(kGroup);
  CLI::Option* keep =
      command
          .add_option("--keep", options.kept_classes,
                      "Classes that are not trained but taken as they are from "
                      "--base, separated by commas; their rows still fit the "
                      "separator and the percentiles. Labels are of all "
                      "classes, as without it.")
          ->type_name("NAME,...")
          ->delimiter(',')
          ->needs(base)
          ->group(kGroup);
  base->needs(keep);
  command
      .add_option("--held-out", options.held_out,
                  "Share of each class's rows that is not trained on, but "
                  "fits the separator and the percentiles, and tells "
                  "--early-stopping which epoch is best.")
      ->type_name("SHARE")
      ->check(Share())
      ->capture_default_str()
      ->group(kGroup);
}

// After those of AddDataOptions, which they stand in for.
void AddServerFileOptions(CLI::App& command, TrainOptions& options) {
  constexpr char kGroup[] = "Data";
  command.get_option("--data")->required(false);
  CLI::Option* dimension =
      command
          .add_option("--dimension", options.dimension,
                      "Values in a row of --server-file; of images, width "
                      "times height.")
          ->type_name("D")
          ->check(Positive())
          ->group(kGroup);
  CLI::Option* file =
      command
          .add_option("--server-file", options.server_file,
                      "Instead of --data: a file that the server has, by its "
                      "name in the server's data directory. All of its rows "
                      "are trained on. Bytes are grey levels if the family is "
                      "bernoulli.")
          ->type_name("NAME")
          ->needs(dimension)
          ->group(kGroup);
  dimension->needs(file);
  for (const char* other :
       {"--data", "--labels", "--label-column", "--rows", "--mask"}) {
    file->excludes(command.get_option(other));
  }
  command
      .add_option("--server-labels", options.server_labels,
                  "The file of its labels, likewise: label i is the i-th of "
                  "--class-names.")
      ->type_name("NAME")
      ->needs(file)
      ->needs(command.get_option("--class-names"))
      ->group(kGroup);
}

void AddSpecOptions(CLI::App& command, TrainOptions& options) {
  constexpr char kGroup[] = "What a row is";
  AddChoice(command, "--family", options.family,
            {"bernoulli", "gaussian", "categorical", "structured-gaussian"},
            "Grey levels from 0 to 1, real numbers, symbols, or real numbers "
            "without a box, which experts may couple with each other. Default: "
            "as the experts need it, structured-gaussian for hmm, lds and "
            "tree; else as the file, grey levels for bytes and real numbers "
            "for others.")
      ->group(kGroup);
  command
      .add_option("--symbols", options.symbols,
                  "The size of the alphabet of symbols, which are numbered "
                  "from 0 on. Makes the family categorical.")
      ->type_name("S")
      ->check(Positive())
      ->group(kGroup);
  command
      .add_flag("--sequences", options.sequences,
                "The data are sequences of rows. Goes without saying for "
                "experts of kind hmm and lds.")
      ->group(kGroup);
  CLI::Option* inputs =
      command
          .add_option(
              "--inputs", options.inputs,
              "Columns that are only given, not explained: the model is "
              "one of the others under the condition of these. Counted "
              "from 0, such as 0-3,7, without the columns of labels and "
              "sequences.")
          ->type_name("LIST")
          ->group(kGroup);
  command
      .add_flag("--real-inputs", options.real_inputs,
                "Inputs are any numbers, while the other columns are symbols "
                "(--symbols) or else bits or grey levels from 0 to 1.")
      ->needs(inputs)
      ->group(kGroup);
  command
      .add_option("--width", options.image_width,
                  "Columns of an image. Default: as the file.")
      ->type_name("N")
      ->check(Positive())
      ->group(kGroup);
  command
      .add_option("--height", options.image_height,
                  "Rows of an image. Default: as the file.")
      ->type_name("N")
      ->check(Positive())
      ->group(kGroup);
  CLI::Option* standardize =
      AddSwitch(command, "--standardize,!--no-standardize", options.standardize,
                "Experts see each column with mean 0 and variance 1. Default "
                "for real numbers and for real inputs, which it is then for "
                "alone; --no-standardize turns it off.")
          ->group(kGroup);
  command
      .add_flag("--unit-interval", options.unit_interval,
                "Experts see the range of each column as 0 to 1; where "
                "inputs are real, of each input.")
      ->excludes(standardize)
      ->group(kGroup);
  command
      .add_option("--box-margin", options.box_margin,
                  "Real numbers outside a box have density 0: the range of "
                  "the data, widened on each side by so much of itself. "
                  "Default: 0.1.")
      ->type_name("SHARE")
      ->check(Positive())
      ->group(kGroup);
}

// --kind, once for each kind of expert in the product.
CLI::Option* AddKindOption(CLI::App& command, TrainOptions& options) {
  const auto read = [&options](const std::vector<std::string>& texts) {
    options.kinds.clear();
    for (const std::string& text : texts) {
      options.kinds.push_back(*ParseExperts(text));
    }
  };
  return command
      .add_option_function<std::vector<std::string>>(
          "--kind", read,
          "Kind of the experts, how many of it, and the columns that they "
          "see, counted from 0, such as unigauss:20@0-3,7; all, if none are "
          "named. Given more than once, the product has all these experts. "
          "units: Bernoulli hidden units; unigauss: a Gaussian or anything; "
          "mixture: of Gaussians; hmm: hidden Markov models, of sequences; "
          "lds: linear dynamical systems, of sequences; tree: Gaussians "
          "along the edges of a tree. Default: units for grey levels and "
          "symbols, unigauss for real numbers, tree for those without a "
          "box, hmm for sequences.")
      ->type_name("KIND[:COUNT][@COLUMNS]")
      ->allow_extra_args(false)
      ->check(CLI::Validator(
          [](const std::string& text) {
            return std::string(ParseExperts(text).status().message());
          },
          ""));
}

// What the kinds have beside their number.
void AddShapeOptions(CLI::App& command, TrainOptions& options) {
  constexpr char kGroup[] = "Experts of each class";
  command
      .add_option("--components", options.components,
                  "Gaussians of each mixture. Default: 5.")
      ->type_name("K")
      ->check(Positive())
      ->group(kGroup);
  command
      .add_option("--states", options.states,
                  "States of each hidden Markov model. Default: 5.")
      ->type_name("K")
      ->check(Positive())
      ->group(kGroup);
  command
      .add_option("--latent", options.latent,
                  "Latent dimensions of each linear dynamical system. "
                  "Default: 2.")
      ->type_name("L")
      ->check(Positive())
      ->group(kGroup);
  command
      .add_option("--trees", options.trees,
                  "Trees that each expert of kind tree is a mixture of. "
                  "Default: 1.")
      ->type_name("K")
      ->check(Positive())
      ->group(kGroup);
  command
      .add_flag("--uniform", options.uniform,
                "The mixture of trees has a state more, in which the expert "
                "has no opinion.")
      ->group(kGroup);
}

void AddExpertOptions(CLI::App& command, TrainOptions& options) {
  constexpr char kGroup[] = "Experts of each class";
  AddKindOption(command, options)->group(kGroup);
  command
      .add_option("--experts", options.experts,
                  "How many of each kind that has no COUNT. Default: 100 units "
                  "or unigauss experts, 10 mixtures, 3 of hmm or lds, 1 tree.")
      ->type_name("N")
      ->check(Positive())
      ->group(kGroup);
  AddShapeOptions(command, options);
  command
      .add_option("--weight-scale", options.weight_scale,
                  "Standard deviation of the weights of units at the start. "
                  "Default: 0.01.")
      ->type_name("X")
      ->check(NotNegative())
      ->group(kGroup);
  command
      .add_flag("--circular", options.circular,
                "Unigauss experts have the same variance in all columns.")
      ->group(kGroup);
  command
      .add_option("--initial-deviation", options.initial_deviation,
                  "Standard deviation of the Gaussians of experts at the "
                  "start. Default: that of the data.")
      ->type_name("X")
      ->check(Positive())
      ->group(kGroup);
  command
      .add_option(
          "--next-layers", options.next_layers,
          "Further layers, by their numbers of units, such as 500,300: "
          "each learns what the experts of the one below hide, by the "
          "same settings. The experts above are the lowest layer, of "
          "kind units, unigauss or mixture, or tree with several trees.")
      ->type_name("N,...")
      ->delimiter(',')
      ->check(Positive())
      ->group(kGroup);
  AddSwitch(command, "--gaussian-factor,!--no-gaussian-factor",
            options.gaussian_factor,
            "A Gaussian speaks beside the experts of real numbers. Default "
            "with units; --no-gaussian-factor turns it off.")
      ->group(kGroup);
}

}  // namespace

// CLI11's own flag sets an optional to false at once.
CLI::Option* AddSwitch(CLI::App& command, const std::string& names,
                       std::optional<bool>& value, const std::string& text) {
  return command.add_flag_function(
      names, [&value](int64_t count) { value = count > 0; }, text);
}

void AddTrainOptions(CLI::App& command, TrainOptions& options) {
  command
      .add_option("MODEL", options.model,
                  "Name of the model: letters, digits and _.- beginning with "
                  "a letter or digit. If there is such a model, it gets a new "
                  "version.")
      ->required();
  AddDataOptions(command, options.data, /*with_labels=*/true);
  AddMaskOption(command, options.mask);
  AddClassOptions(command, options);
  AddServerFileOptions(command, options);
  AddSpecOptions(command, options);
  AddExpertOptions(command, options);
  AddLearningOptions(command, options);
}

}  // namespace poe::client
