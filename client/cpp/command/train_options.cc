#include "client/cpp/command/train_options.h"

#include <string>

#include "CLI/CLI.hpp"
#include "client/cpp/command/context.h"
#include "client/cpp/command/data_set.h"
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
  command
      .add_option("--held-out", options.held_out,
                  "Share of each class's rows that is not trained on, but "
                  "fits the separator and the percentiles.")
      ->type_name("SHARE")
      ->check(Share())
      ->capture_default_str()
      ->group(kGroup);
}

void AddSpecOptions(CLI::App& command, TrainOptions& options) {
  constexpr char kGroup[] = "What a row is";
  AddChoice(command, "--family", options.family,
            {"bernoulli", "gaussian", "categorical", "structured-gaussian"},
            "Grey levels from 0 to 1, real numbers, symbols, or real numbers "
            "that experts couple with each other. Default: as the file, grey "
            "levels for bytes and real numbers for others.")
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
                "The data are sequences of rows.")
      ->group(kGroup);
  command
      .add_option("--inputs", options.inputs,
                  "Columns that are only given, not explained: the model is "
                  "one of the others under the condition of these. Counted "
                  "from 0, such as 0-3,7, without the columns of labels and "
                  "sequences.")
      ->type_name("LIST")
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
      command
          .add_flag("--standardize,!--no-standardize", options.standardize,
                    "Experts see each column with mean 0 and variance 1. "
                    "Default for real numbers; --no-standardize turns it off.")
          ->group(kGroup);
  command
      .add_flag("--unit-interval", options.unit_interval,
                "Experts see the range of each column as 0 to 1.")
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

void AddExpertOptions(CLI::App& command, TrainOptions& options) {
  constexpr char kGroup[] = "Experts of each class";
  AddChoice(command, "--kind", options.kind, {"bernoulli-units", "unigauss"},
            "Kind of the experts. Default: units for grey levels, unigauss "
            "for real numbers.")
      ->group(kGroup);
  command.add_option("--experts", options.experts, "How many.")
      ->type_name("N")
      ->check(Positive())
      ->capture_default_str()
      ->group(kGroup);
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
                  "Standard deviation of unigauss experts at the start. "
                  "Default: that of the data.")
      ->type_name("X")
      ->check(Positive())
      ->group(kGroup);
  command
      .add_flag("--gaussian-factor,!--no-gaussian-factor",
                options.gaussian_factor,
                "A Gaussian speaks beside the experts of real numbers. "
                "Default with units; --no-gaussian-factor turns it off.")
      ->group(kGroup);
}

void AddLengthOptions(CLI::App& command, TrainOptions& options) {
  constexpr char kGroup[] = "Contrastive divergence";
  CLI::Option* epochs = command
                            .add_option("--epochs", options.epochs,
                                        "Passes through the rows. Default: 20.")
                            ->type_name("N")
                            ->check(Positive())
                            ->group(kGroup);
  command
      .add_option("--updates", options.updates,
                  "Length of the training in updates instead of epochs.")
      ->type_name("N")
      ->check(Positive())
      ->excludes(epochs)
      ->group(kGroup);
  command
      .add_option("--batch", options.batch,
                  "Rows of one update; -1: all rows of the class. Default: "
                  "100.")
      ->type_name("N")
      ->group(kGroup);
  command
      .add_option("--steps", options.steps,
                  "Gibbs steps of the reconstruction. Default: 1.")
      ->type_name("K")
      ->check(Positive())
      ->group(kGroup);
}

void AddOptimizerOptions(CLI::App& command, TrainOptions& options) {
  constexpr char kGroup[] = "Contrastive divergence";
  command
      .add_option("--rate", options.rate,
                  "Size of a step. Default: 0.05, with Adam 0.003.")
      ->type_name("X")
      ->check(Positive())
      ->group(kGroup);
  command.add_option("--momentum", options.momentum, "Default: 0.9.")
      ->type_name("X")
      ->check(Share())
      ->group(kGroup);
  command
      .add_flag("--adam,!--no-adam", options.adam,
                "Adam instead of plain momentum. Default for unigauss "
                "experts; --no-adam turns it off.")
      ->group(kGroup);
  AddChoice(command, "--schedule", options.schedule,
            {"constant", "linear", "cosine"},
            "How the step size falls. Default: constant.")
      ->group(kGroup);
  command
      .add_option("--final-rate", options.final_rate,
                  "Share of the step size that is left at the end of a "
                  "schedule. Default: 0.")
      ->type_name("SHARE")
      ->check(Share())
      ->group(kGroup);
  command
      .add_option("--weight-decay", options.weight_decay,
                  "Pull of the weights towards 0. Default: 0.")
      ->type_name("X")
      ->check(NotNegative())
      ->group(kGroup);
  command
      .add_option("--average", options.average,
                  "Average the parameters over this last share of the "
                  "updates. Default: 0.")
      ->type_name("SHARE")
      ->check(Share())
      ->group(kGroup);
}

void AddJobOptions(CLI::App& command, TrainOptions& options) {
  constexpr char kSeparator[] = "Separator";
  AddChoice(command, "--separator", options.separator,
            {"maximum-margin", "logistic"},
            "How the classes are told apart by their log scores. Default: "
            "maximum-margin.")
      ->group(kSeparator);
  command
      .add_option("--separator-cost", options.separator_cost,
                  "Cost of an error. Default: large for two classes, 1 for "
                  "more.")
      ->type_name("X")
      ->check(Positive())
      ->group(kSeparator);
  constexpr char kJob[] = "Job";
  command
      .add_option("--seed", options.seed,
                  "Start of all random numbers: the same seed, data and "
                  "options give the same model. Default: chosen by the "
                  "server and printed.")
      ->type_name("N")
      ->group(kJob);
  command
      .add_flag("--detach", options.detach,
                "Return when all rows are sent and leave the job to the "
                "server; see poe jobs.")
      ->group(kJob);
}

}  // namespace

void AddTrainOptions(CLI::App& command, TrainOptions& options) {
  command
      .add_option("MODEL", options.model,
                  "Name of the model: letters, digits and _.- beginning with "
                  "a letter or digit. If there is such a model, it gets a new "
                  "version.")
      ->required();
  AddDataOptions(command, options.data, /*with_labels=*/true);
  AddClassOptions(command, options);
  AddSpecOptions(command, options);
  AddExpertOptions(command, options);
  AddLengthOptions(command, options);
  AddOptimizerOptions(command, options);
  AddJobOptions(command, options);
}

}  // namespace poe::client
