// poe reproduce
#include "client/cpp/command/reproduce.h"

#include <memory>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Validators.hpp"
#include "absl/status/status.h"
#include "client/cpp/command/commands.h"
#include "client/cpp/command/context.h"

namespace poe::client {
namespace {

struct Experiment {
  const char* name;
  const char* summary;
  const char* description;
  const char* example;
  absl::Status (*run)(const ReproduceOptions&, Context&);
  int seeds = 1;
  // What --data is; null: the experiment makes its own.
  const char* data = nullptr;
  const char* default_data = nullptr;  // null: it must be given
  bool layers = false;                 // whether there is --layers
  bool on = false;                     // whether there is --on
  bool classes = false;  // whether there are --classes and --splits
};

constexpr char kIdxHelp[] =
    "The folder of train-images-idx3-ubyte, train-labels-idx1-ubyte, "
    "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or as .gz.";
constexpr char kFashionMnist[] = "/usr/share/datasets/fashion-mnist";

ManPage ReproducePage() {
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

std::vector<Experiment> Experiments() {
  return {
      {.name = "clusters",
       .summary = "24 clusters on a grid, figures 1 and 2 of the paper",
       .description =
           "15 unigauss experts are fitted to Gaussian clusters on a 5 x 5 "
           "grid with one point missing: each is to become long and narrow "
           "and to cover a column or a row. 300 points are then drawn by 25 "
           "annealed Gibbs steps. A run passes if every column and row is "
           "covered, 95% of the points lie near a grid point, and the missing "
           "point gets between a third and three times its share.",
       .example = "poe reproduce clusters --out figures",
       .run = ReproduceClusters,
       .seeds = 10},
      {.name = "edges",
       .summary = "images of one edge each, figure 3 of the paper",
       .description =
           "40 unigauss experts with a variance for each pixel learn 10,000 "
           "images of 10 x 10 pixels that show one edge each. Reported of "
           "3,000 further images: how often an expert chooses its Gaussian, "
           "how many experts do so on 10% to 90% of the images, how much of "
           "the variance around the mean image and around each image's own "
           "mean the experts' choices explain, the latter beside k-means with "
           "40 centres, and how many means look like an edge.",
       .example = "poe reproduce edges --out figures",
       .run = ReproduceEdges,
       .seeds = 3},
      {.name = "sequences",
       .summary = "a product of hidden Markov models against a single one",
       .description =
           "Sequences of 24 frames of three channels, each with a hidden "
           "Markov model of its own, which suits a product: three models of 5 "
           "states that all see all channels, trained by contrastive "
           "divergence, against one model with at least as many parameters by "
           "expectation maximization, both the best of 5 starts by "
           "validation. The same for linear dynamical systems on three "
           "oscillators, one in each channel. Last, data that do not suit a "
           "product: one chain that drives all channels, where the single "
           "model wins. Log probabilities are exact. A seed is a set of data.",
       .example = "poe reproduce sequences --out figures --json",
       .run = ReproduceSequences,
       .seeds = 5},
      {.name = "trees",
       .summary = "overlapping Gaussian trees on patches of images",
       .description =
           "Patches of 8 x 8 pixels of Fashion-MNIST: the exact log "
           "likelihood of held-out patches under a product of trees that "
           "differ in all edges, under the best single tree, and under a "
           "Gaussian with all covariances.",
       .example = "poe reproduce trees --out figures --json",
       .run = ReproduceTrees,
       .data = kIdxHelp,
       .default_data = kFashionMnist},
      {.name = "usps",
       .summary = "twos against threes, the paper's digits, or all ten",
       .description =
           "100 Bernoulli units learn 1,000 twos and 100 others 1,000 threes; "
           "a maximum margin in the plane of the two log scores tells 200 "
           "test images apart. The paper's split takes the first 1,000 and "
           "the last 100 images of each digit. With --classes all, products "
           "of 500 units learn the ten digits, and a logistic separator over "
           "the log scores of all layers tells them apart: 8,250 images drawn "
           "at random to train on, the other 2,750 to test, drawn anew for "
           "each split.",
       .example = "poe reproduce usps --data usps --out figures --json",
       .run = ReproduceUsps,
       .seeds = 10,
       .data =
           "The folder of usps-images-idx3-ubyte and usps-labels-idx1-ubyte, "
           "plain or as .gz: 1,100 images of each digit, grouped by digit.",
       .layers = true,
       .classes = true},
      {.name = "digits",
       .summary = "the ten digits of MNIST",
       .description =
           "500 Bernoulli units for each digit, and a separator over the ten "
           "log scores, fitted on held-out training images. Each further "
           "layer has 500 units more for each digit, which learn the hidden "
           "probabilities of the layer below, and adds ten log scores. "
           "Figures are means over the runs.",
       .example = "poe reproduce digits --data mnist --out figures --layers 2",
       .run = ReproduceDigits,
       .data = kIdxHelp,
       .layers = true},
      {.name = "fashion",
       .summary = "the ten classes of Fashion-MNIST",
       .description = "100 Bernoulli units for each class, and a "
                      "separator over the ten log scores, fitted on held-out "
                      "training images. Figures are means over the runs. "
                      "Debian's package dataset-fashion-mnist has the images.",
       .example = "poe reproduce fashion --out figures --json",
       .run = ReproduceFashion,
       .data = kIdxHelp,
       .default_data = kFashionMnist},
      {.name = "pool",
       .summary = "experts fitted apart, softened, trained together",
       .description =
           "Mixtures of Gaussians are fitted each to some of the coordinates "
           "and to its half of the rows, softened and multiplied, and then "
           "trained together by contrastive divergence. The log probability "
           "of test rows, exact by a sum over all components, of the best "
           "single mixture, of the product before and after it is trained "
           "together, and of one that is trained for as many updates from a "
           "vague start at random. On clusters (the data of figure 1; two "
           "mixtures see each coordinate) or on digits (MNIST, 10,000 training "
           "and 5,000 test images; one mixture sees each half of the image, "
           "upper, lower, left and right).",
       .example = "poe reproduce pool --on clusters --out figures --json",
       .run = ReproducePool,
       .data = "For digits. The folder of train-images-idx3-ubyte, "
               "train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
               "t10k-labels-idx1-ubyte, plain or as .gz.",
       .default_data = "",
       .on = true},
      {.name = "spurious",
       .summary = "modes without data, found by long chains and unlearned",
       .description =
           "19 unigauss experts learn two clusters in opposite corners of a "
           "square by contrastive divergence, whose brief steps never leave "
           "the data, and so leave mass where experts sit that the data never "
           "meet. Then long Gibbs chains that have never seen the data go "
           "there, and it is unlearned. Reported, by quadrature: the "
           "probability farther than 4 standard deviations from both "
           "clusters, and the log probability of held-out rows, before and "
           "after. Means over the runs.",
       .example = "poe reproduce spurious --out figures --json",
       .run = ReproduceSpurious,
       .seeds = 5},
      {.name = "missing",
       .summary = "halves of images filled in",
       .description =
           "500 Bernoulli units learn the training images of Fashion-MNIST, "
           "all classes together. Of each test image the lower half, and then "
           "a half of the pixels drawn at random, is taken away and filled in "
           "by the mean over Gibbs chains that hold the rest. The squared "
           "error per missing pixel stands beside that of the mean image and "
           "that of the training image whose observed pixels are nearest.",
       .example = "poe reproduce missing --out figures --json",
       .run = ReproduceMissing,
       .data = kIdxHelp,
       .default_data = kFashionMnist},
  };
}

void AddExperiment(CLI::App& parent, Context& context,
                   const Experiment& experiment) {
  constexpr char kGroup[] = "Experiment";
  const auto options = std::make_shared<ReproduceOptions>();
  options->seeds = experiment.seeds;
  const bool has_default = experiment.default_data != nullptr;
  if (has_default) options->data = experiment.default_data;
  const bool needs_data = experiment.data != nullptr && !has_default;
  CLI::App* command =
      AddCommand(parent, context, experiment.name,
                 {.summary = experiment.summary,
                  .synopsis = {needs_data ? "--data DIR --out DIR [OPTION]..."
                                          : "--out DIR [OPTION]..."},
                  .description = experiment.description,
                  .examples = {experiment.example}},
                 [options, &context, run = experiment.run] {
                   return run(*options, context);
                 });
  command->get_option("--json")->description(
      "Print the figures as one JSON object, the last line of the output.");
  command
      ->add_option("--out", options->out,
                   "The folder of the pictures, made if it is not there.")
      ->type_name("DIR")
      ->required()
      ->group(kGroup);
  const auto add_count = [&](const std::string& name, int& value,
                             const std::string& text,
                             const CLI::Validator& range) {
    command->add_option(name, value, text)
        ->type_name("N")
        ->check(CLI::Validator(range).description(""))
        ->capture_default_str()
        ->group(kGroup);
  };
  add_count("--seeds", options->seeds, "Runs, each with a new seed.",
            CLI::PositiveNumber);
  add_count("--first-seed", options->first_seed, "Of the first run.",
            CLI::NonNegativeNumber);
  if (experiment.data != nullptr) {
    CLI::Option* data =
        command->add_option("--data", options->data, experiment.data)
            ->type_name("DIR")
            ->group(kGroup);
    if (needs_data) {
      data->required();
    } else {
      data->capture_default_str();
    }
  }
  if (experiment.on) {
    command->add_option("--on", options->on, "clusters or digits.")
        ->check(CLI::Validator(CLI::IsMember({"clusters", "digits"}))
                    .description(""))
        ->type_name("DATA")
        ->capture_default_str()
        ->group(kGroup);
  }
  if (experiment.layers) {
    add_count("--layers", options->layers,
              "Layers of experts for each class, 1 to 3.", CLI::Range(1, 3));
  }
  if (experiment.classes) {
    command
        ->add_option("--classes", options->classes,
                     "2,3 for the paper's pair, or all.")
        ->check(CLI::Validator(CLI::IsMember({"2,3", "all"})).description(""))
        ->type_name("WHICH")
        ->capture_default_str()
        ->group(kGroup);
    command
        ->add_option("--splits", options->splits,
                     "Runs on random splits: of the pair after those on the "
                     "paper's. Default 20, with all classes 5.")
        ->type_name("N")
        ->check(CLI::Validator(CLI::NonNegativeNumber).description(""))
        ->group(kGroup);
  }
}

}  // namespace

void AddReproduceCommand(CLI::App& app, Context& context) {
  CLI::App* reproduce = AddCommand(
      app, context, "reproduce", ReproducePage(),
      [] { return UsageError("the name of an experiment is missing"); });
  reproduce->require_subcommand(0, 1);
  for (const Experiment& experiment : Experiments()) {
    AddExperiment(*reproduce, context, experiment);
  }
}

}  // namespace poe::client
