#include "client/cpp/command/score_options.h"

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/mask.h"
#include "client/cpp/command/output_rows.h"
#include "client/cpp/command/selector.h"

namespace poe::client {

ManPage ScorePage() {
  return {
      .summary = "say how plausible rows are, and which class they belong to",
      .synopsis = {"MODEL --data FILE [--labels FILE] [OPTION]..."},
      .description =
          "Prints for each row, or each sequence of rows if the model is one "
          "of sequences, as far as the model knows it: the label and its "
          "margin, the difference of its decision value to that of the "
          "runner-up; the probability of the label; the percentile, from 0 to "
          "100, that says where the row stands among rows of its class that "
          "were held out from training (0: less plausible than all of them); "
          "log p, the logarithm of its probability (density), where the "
          "product can be normalized exactly; and log scores, which lack that "
          "and compare rows under one class, not classes. A row outside the "
          "box of the training data is out of support and has none of these; a "
          "sequence has neither label nor percentile if the model cannot "
          "compare sequences of its length.\n\n"
          "Where values are missing (--mask, or empty cells of a table), the "
          "log scores are those of the values that are there, estimated by "
          "annealed importance sampling over the others, with the standard "
          "error of the estimate. Such a row has no percentile, and cannot be "
          "compared with one that misses other values.\n\n"
          "With --explain it also says why: which experts object most to each "
          "row. An objection is how far an expert's log score is below the "
          "median of what the expert says of held-out rows of the class. The "
          "unit is the distance from there to the lower quartile, or 1 if that "
          "is less. `poe show` says what the experts are; with --png, for "
          "images, each row is drawn beside the experts that object to it: "
          "weights of units, where grey is 0, light is positive and dark "
          "negative, and means of Gaussians.\n\n"
          "With labels it also prints the error rate and the errors of each "
          "class. A label is the name of a class, or its number counted from "
          "0 if not all labels are names.",
      .examples = {"# Which class, and how many errors",
                   "poe score fashion --data t10k-images-idx3-ubyte.gz \\",
                   "    --labels t10k-labels-idx1-ubyte.gz", "",
                   "# Which five experts object most to each of ten rows",
                   "poe score pumps --data today.csv --rows :10 --explain 5",
                   "", "# The same of images, drawn",
                   "poe score fashion --data t10k-images-idx3-ubyte.gz \\",
                   "    --rows :10 --explain --png why.png", "",
                   "# All log scores, for other programs",
                   "poe score pumps@stable --data today.csv --limit 0 --out "
                   "scores.npy"}};
}

void AddScoreOptions(CLI::App& command, ScoreOptions& options) {
  command.add_option("MODEL", options.model, kModelHelp)->required();
  AddDataOptions(command, options.data, /*with_labels=*/true);
  AddMaskOption(command, options.mask);
  constexpr char kOutput[] = "Output";
  command
      .add_option("--limit", options.limit,
                  "Print the first N rows only; 0: none, -1: all. Default: "
                  "20, with --json all.")
      ->type_name("N")
      ->group(kOutput);
  command
      .add_flag("--per-expert", options.per_expert,
                "Also name the expert of the row's class whose log score is "
                "least, counted from 0; with --json the log scores of all "
                "experts.")
      ->group(kOutput);
  command
      .add_option("--out", options.out,
                  "Write all log scores to an NPY file: rows x classes x "
                  "layers, float64. With --explain and a name that ends in "
                  ".csv, write all explanations instead.")
      ->type_name("FILE")
      ->group(kOutput);
  constexpr char kWhy[] = "Why";
  CLI::Option* explain =
      command
          .add_option("--explain", options.explain,
                      "Name the experts, K at most, that object most to each "
                      "row.")
          ->type_name("[K]")
          ->expected(0, 1)
          ->default_str("3")
          ->check(Positive())
          ->group(kWhy);
  command
      .add_option("--class", options.class_name,
                  "Ask the experts of this class. Default: of the row's "
                  "label.")
      ->type_name("NAME")
      ->needs(explain)
      ->group(kWhy);
  command
      .add_option("--png", options.png,
                  absl::StrCat("Draw the rows, at most ", kMostImages,
                               ", and the experts."))
      ->type_name("FILE.png")
      ->needs(explain)
      ->group(kWhy);
  constexpr char kMissing[] = "Missing values";
  command
      .add_option("--missing-chains", options.missing_chains,
                  "Annealed chains for each row and class. Default: 16.")
      ->type_name("N")
      ->check(CLI::Validator(CLI::Range(2, 1 << 30)).description(""))
      ->group(kMissing);
  command
      .add_option("--missing-temperatures", options.missing_temperatures,
                  "Gibbs steps of each chain. Default: 100.")
      ->type_name("N")
      ->check(Positive())
      ->group(kMissing);
  command
      .add_option("--seed", options.seed,
                  "Start of the random numbers that stand in for missing "
                  "values. Default: chosen anew.")
      ->type_name("N")
      ->group(kMissing);
}

}  // namespace poe::client
