#include <string>

#include "CLI/CLI.hpp"
#include "client/cpp/command/context.h"
#include "client/cpp/command/train_options.h"
#include "client/cpp/command/train_start.h"

namespace poe::client {
namespace {

constexpr char kDivergence[] = "Contrastive divergence";

void AddLengthOptions(CLI::App& command, TrainOptions& options) {
  CLI::Option* epochs = command
                            .add_option("--epochs", options.epochs,
                                        "Passes through the rows. Default: 20.")
                            ->type_name("N")
                            ->check(Positive())
                            ->group(kDivergence);
  command
      .add_option("--updates", options.updates,
                  "Length of the training in updates instead of epochs.")
      ->type_name("N")
      ->check(Positive())
      ->excludes(epochs)
      ->group(kDivergence);
  command
      .add_option("--batch", options.batch,
                  "Rows of one update; -1: all rows of the class. Default: "
                  "100.")
      ->type_name("N")
      ->group(kDivergence);
  CLI::Option* steps =
      command
          .add_option("--steps", options.steps,
                      "Gibbs steps of the reconstruction. Default: 1.")
          ->type_name("K")
          ->check(Positive())
          ->group(kDivergence);
  command
      .add_flag("--exact", options.exact,
                "Follow the exact gradient of the log probability instead. "
                "For bits and symbols of which a row has at most 4,096 "
                "combinations, inputs not counted, and for single trees.")
      ->excludes(steps)
      ->group(kDivergence);
}

void AddOptimizerOptions(CLI::App& command, TrainOptions& options) {
  command
      .add_option("--rate", options.rate,
                  "Size of a step. Default: 0.05, with Adam 0.003.")
      ->type_name("X")
      ->check(Positive())
      ->group(kDivergence);
  command.add_option("--momentum", options.momentum, "Default: 0.9.")
      ->type_name("X")
      ->check(Share())
      ->group(kDivergence);
  AddSwitch(command, "--adam,!--no-adam", options.adam,
            "Adam instead of plain momentum. Default unless all experts are "
            "units; --no-adam turns it off.")
      ->group(kDivergence);
  AddChoice(command, "--schedule", options.schedule,
            {"constant", "linear", "cosine"},
            "How the step size falls. Default: constant.")
      ->group(kDivergence);
  command
      .add_option("--final-rate", options.final_rate,
                  "Share of the step size that is left at the end of a "
                  "schedule. Default: 0.")
      ->type_name("SHARE")
      ->check(Share())
      ->group(kDivergence);
  command
      .add_option("--weight-decay", options.weight_decay,
                  "Pull of the weights towards 0. Default: 0.")
      ->type_name("X")
      ->check(NotNegative())
      ->group(kDivergence);
  CLI::Option* average =
      command
          .add_option("--average", options.average,
                      "Average the parameters over this last share of the "
                      "updates. Default: 0.")
          ->type_name("SHARE")
          ->check(Share())
          ->group(kDivergence);
  command
      .add_option("--early-stopping", options.early_stopping,
                  "End with the epoch that is best on the rows held out "
                  "(--held-out), and after so many epochs without a better "
                  "one; 0: look at all epochs. Default: the last epoch is "
                  "taken.")
      ->type_name("PATIENCE")
      ->check(NotNegative())
      ->excludes(average)
      ->group(kDivergence);
}

// What can replace contrastive divergence, and what comes before it.
void AddFitOptions(CLI::App& command, TrainOptions& options) {
  constexpr char kGroup[] = "Fits";
  CLI::Option* fit_apart =
      command
          .add_flag("--fit-apart", options.fit_apart,
                    "First fit each expert on its own, by "
                    "expectation maximization: mixture, hmm and lds. Trees are "
                    "always found in the data first.")
          ->group(kGroup);
  command
      .add_option("--fit-rows", options.fit_rows,
                  "Share of the rows that each expert is fitted to, drawn at "
                  "random for each.")
      ->type_name("SHARE")
      ->check(Positive())
      ->capture_default_str()
      ->needs(fit_apart)
      ->group(kGroup);
  command
      .add_option("--fit-coordinates", options.fit_coordinates,
                  "Share of the coordinates that each expert sees, now and "
                  "ever after, drawn at random for each.")
      ->type_name("SHARE")
      ->check(Positive())
      ->capture_default_str()
      ->needs(fit_apart)
      ->group(kGroup);
  command
      .add_option("--soften", options.soften,
                  "Power that the fitted experts are raised to, so that their "
                  "product is not too sharp; one over their number makes it "
                  "as vague as they are.")
      ->type_name("POWER")
      ->check(Positive())
      ->capture_default_str()
      ->needs(fit_apart)
      ->group(kGroup);
  CLI::Option* alone =
      command
          .add_flag("--no-together", options.no_together,
                    "Leave it at that: no contrastive divergence. The Gaussian "
                    "beside experts of real numbers without a box is then too "
                    "wide to matter.")
          ->needs(fit_apart)
          ->group(kGroup);
  CLI::Option* pool =
      command
          .add_flag("--pool", options.pool,
                    "Instead of contrastive divergence, a logarithmic opinion "
                    "pool: the trees stay as they are found in the data, each "
                    "at a power of its own; the powers sum to 1 and are those "
                    "that suit the data best. For --kind tree with --trees 1.")
          ->excludes(alone)
          ->excludes(fit_apart)
          ->group(kGroup);
  for (CLI::Option* option : command.get_options([](const CLI::Option* option) {
         return option->get_group() == kDivergence;
       })) {
    alone->excludes(option);
    pool->excludes(option);
  }
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
  constexpr char kUnlearning[] = "Unlearning";
  CLI::Option* unlearn =
      command
          .add_option("--unlearn", options.unlearn,
                      "After contrastive divergence, so many updates against "
                      "what the product believes in and no row explains: long "
                      "Gibbs chains that have never seen the data find it.")
          ->type_name("UPDATES")
          ->check(Positive())
          ->group(kUnlearning);
  command
      .add_option("--unlearn-chains", options.unlearn_chains, "Default: 100.")
      ->type_name("N")
      ->check(Positive())
      ->needs(unlearn)
      ->group(kUnlearning);
  command
      .add_option("--unlearn-steps", options.unlearn_steps,
                  "Gibbs steps of the chains before they are used, half of "
                  "them annealed; after as many more they start anew. Default: "
                  "1000.")
      ->type_name("N")
      ->check(Positive())
      ->needs(unlearn)
      ->group(kUnlearning);
  constexpr char kNormalizer[] = "Normalizer";
  CLI::Option* normalizer =
      command
          .add_flag("--normalizer", options.normalizer,
                    "Estimate log Z of each class where it is not known "
                    "exactly, by annealed importance sampling both ways, so "
                    "that poe score gives log probabilities.")
          ->group(kNormalizer);
  const auto add_count = [&](const char* name, int& value, const char* help) {
    command.add_option(name, value, help)
        ->type_name("N")
        ->check(Positive())
        ->needs(normalizer)
        ->group(kNormalizer);
  };
  add_count("--normalizer-chains", options.normalizer_chains,
            "Chains of each direction. Default: 1000.");
  add_count("--normalizer-temperatures", options.normalizer_temperatures,
            "Steps between base and product. Default: 1000.");
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

void AddLearningOptions(CLI::App& command, TrainOptions& options) {
  AddLengthOptions(command, options);
  AddOptimizerOptions(command, options);
  AddFitOptions(command, options);
  AddJobOptions(command, options);
}

}  // namespace poe::client
