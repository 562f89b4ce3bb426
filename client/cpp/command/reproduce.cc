// poe reproduce
#include "client/cpp/command/reproduce.h"

#include <memory>
#include <string>
#include <utility>

#include "CLI/App.hpp"
#include "CLI/Validators.hpp"
#include "absl/status/status.h"
#include "client/cpp/command/commands.h"
#include "client/cpp/command/context.h"

namespace poe::client {
namespace {

using Reproduce = absl::Status (*)(const ReproduceOptions&, Context&);

ManPage Page() {
  return {
      .summary = "repeat known experiments through the server",
      .synopsis = {"NAME --out DIR [OPTION]..."},
      .description =
          "Trains models on the server, asks them, prints a table of what came "
          "out and writes pictures. With --json, the last line is one JSON "
          "object with the figures. The newest model of each experiment stays "
          "on the server.",
      .examples = {"poe reproduce clusters --out figures --seeds 10",
                   "poe reproduce fashion --out figures --json"}};
}

// Adds one experiment with the options that all of them have.
CLI::App* AddExperiment(CLI::App& parent, Context& context,
                        const std::string& name, ManPage page,
                        const std::shared_ptr<ReproduceOptions>& options,
                        Reproduce run) {
  CLI::App* command =
      AddCommand(parent, context, name, std::move(page),
                 [=, &context] { return run(*options, context); });
  command->get_option("--json")->description(
      "Print the figures as one JSON object, the last line of the output.");
  constexpr char kRuns[] = "Experiment";
  command
      ->add_option("--out", options->out,
                   "The folder of the pictures, made if it is not there.")
      ->type_name("DIR")
      ->required()
      ->group(kRuns);
  command->add_option("--seeds", options->seeds, "Runs, each with a new seed.")
      ->type_name("N")
      ->check(CLI::PositiveNumber.description(""))
      ->capture_default_str()
      ->group(kRuns);
  command->add_option("--first-seed", options->first_seed, "Of the first run.")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber.description(""))
      ->capture_default_str()
      ->group(kRuns);
  return command;
}

CLI::Option* AddData(CLI::App& command, ReproduceOptions& options,
                     const std::string& text) {
  return command.add_option("--data", options.data, text)
      ->type_name("DIR")
      ->group("Experiment");
}

void AddClusters(CLI::App& reproduce, Context& context) {
  const auto options = std::make_shared<ReproduceOptions>();
  options->seeds = 10;
  AddExperiment(
      reproduce, context, "clusters",
      {.summary = "24 clusters on a grid, figures 1 and 2 of the paper",
       .synopsis = {"--out DIR [OPTION]..."},
       .description =
           "15 unigauss experts are fitted to Gaussian clusters on a 5 x 5 "
           "grid with one point missing: each is to become long and narrow "
           "and to cover a column or a row. 300 points are then drawn by 25 "
           "annealed Gibbs steps. A run passes if every column and row is "
           "covered, 95% of the points lie near a grid point, and the missing "
           "point gets between a third and three times its share.",
       .examples = {"poe reproduce clusters --out figures"}},
      options, ReproduceClusters);
}

void AddEdges(CLI::App& reproduce, Context& context) {
  const auto options = std::make_shared<ReproduceOptions>();
  options->seeds = 3;
  AddExperiment(
      reproduce, context, "edges",
      {.summary = "images of one edge each, figure 3 of the paper",
       .synopsis = {"--out DIR [OPTION]..."},
       .description =
           "40 unigauss experts with a variance for each pixel learn 10,000 "
           "images of 10 x 10 pixels that show one edge each. Reported of "
           "3,000 further images: how often an expert chooses its Gaussian, "
           "how many experts do so on 10% to 90% of the images, how much of "
           "the variance around the mean image and around each image's own "
           "mean the experts' choices explain, the latter beside k-means with "
           "40 centres, and how many means look like an edge.",
       .examples = {"poe reproduce edges --out figures"}},
      options, ReproduceEdges);
}

void AddSequences(CLI::App& reproduce, Context& context) {
  const auto options = std::make_shared<ReproduceOptions>();
  options->seeds = 5;
  AddExperiment(
      reproduce, context, "sequences",
      {.summary = "a product of hidden Markov models against a single one",
       .synopsis = {"--out DIR [OPTION]..."},
       .description =
           "Sequences of 24 frames of three channels, each with a hidden "
           "Markov model of its own, which suits a product: three models of 5 "
           "states that all see all channels, trained by contrastive "
           "divergence, against one model with at least as many parameters by "
           "expectation maximization, both the best of 5 starts by "
           "validation. The same for linear dynamical systems on three "
           "oscillators. Last, data that do not suit a product: one chain "
           "that drives all channels. Log probabilities are exact. A seed is "
           "a set of data.",
       .examples = {"poe reproduce sequences --out figures --json"}},
      options, ReproduceSequences);
}

constexpr char kIdxHelp[] =
    "The folder of train-images-idx3-ubyte, train-labels-idx1-ubyte, "
    "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or as .gz.";

void AddTrees(CLI::App& reproduce, Context& context) {
  const auto options = std::make_shared<ReproduceOptions>();
  options->data = "/usr/share/datasets/fashion-mnist";
  CLI::App* command = AddExperiment(
      reproduce, context, "trees",
      {.summary = "overlapping Gaussian trees on patches of images",
       .synopsis = {"--out DIR [OPTION]..."},
       .description =
           "Patches of 8 x 8 pixels of Fashion-MNIST: the exact log "
           "likelihood of held-out patches under a product of trees that "
           "differ in all edges, under the best single tree, and under a "
           "Gaussian with all covariances.",
       .examples = {"poe reproduce trees --out figures --json"}},
      options, ReproduceTrees);
  AddData(*command, *options, kIdxHelp)->capture_default_str();
}

void AddUsps(CLI::App& reproduce, Context& context) {
  const auto options = std::make_shared<ReproduceOptions>();
  options->seeds = 10;
  CLI::App* command = AddExperiment(
      reproduce, context, "usps",
      {.summary = "twos against threes, the paper's digits",
       .synopsis = {"--data DIR --out DIR [OPTION]..."},
       .description =
           "100 Bernoulli units learn 1,000 twos and 100 others 1,000 threes; "
           "a maximum margin in the plane of the two log scores tells 200 "
           "test images apart. The paper's split takes the first 1,000 and "
           "the last 100 images of each digit.",
       .examples = {"poe reproduce usps --data usps --out figures --json"}},
      options, ReproduceUsps);
  AddData(*command, *options,
          "The folder of usps-images-idx3-ubyte and usps-labels-idx1-ubyte, "
          "plain or as .gz: 1,100 images of each digit, grouped by digit.")
      ->required();
  command
      ->add_option("--splits", options->splits,
                   "Runs on random splits, after those on the paper's.")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber.description(""))
      ->capture_default_str()
      ->group("Experiment");
}

void AddDigits(CLI::App& reproduce, Context& context) {
  const auto options = std::make_shared<ReproduceOptions>();
  CLI::App* command = AddExperiment(
      reproduce, context, "digits",
      {.summary = "the ten digits of MNIST",
       .synopsis = {"--data DIR --out DIR [OPTION]..."},
       .description = "500 Bernoulli units for each digit, and a logistic "
                      "separator over the ten log scores, fitted on held-out "
                      "training images. Figures are means over the runs.",
       .examples = {"poe reproduce digits --data mnist --out figures"}},
      options, ReproduceDigits);
  AddData(*command, *options, kIdxHelp)->required();
}

void AddFashion(CLI::App& reproduce, Context& context) {
  const auto options = std::make_shared<ReproduceOptions>();
  options->data = "/usr/share/datasets/fashion-mnist";
  CLI::App* command = AddExperiment(
      reproduce, context, "fashion",
      {.summary = "the ten classes of Fashion-MNIST",
       .synopsis = {"--out DIR [OPTION]..."},
       .description = "100 Bernoulli units for each class, and a logistic "
                      "separator over the ten log scores, fitted on held-out "
                      "training images. Figures are means over the runs. "
                      "Debian's package dataset-fashion-mnist has the images.",
       .examples = {"poe reproduce fashion --out figures --json"}},
      options, ReproduceFashion);
  AddData(*command, *options, kIdxHelp)->capture_default_str();
}

}  // namespace

void AddReproduceCommand(CLI::App& app, Context& context) {
  CLI::App* reproduce = AddCommand(app, context, "reproduce", Page(), [] {
    return UsageError("the name of an experiment is missing");
  });
  reproduce->require_subcommand(0, 1);
  AddClusters(*reproduce, context);
  AddEdges(*reproduce, context);
  AddSequences(*reproduce, context);
  AddTrees(*reproduce, context);
  AddUsps(*reproduce, context);
  AddDigits(*reproduce, context);
  AddFashion(*reproduce, context);
}

}  // namespace poe::client
