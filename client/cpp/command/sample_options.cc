#include "client/cpp/command/sample_options.h"

#include "CLI/CLI.hpp"
#include "client/cpp/command/context.h"
#include "client/cpp/command/selector.h"

namespace poe::client {
namespace {

void AddChainOptions(CLI::App& command, SampleOptions& options) {
  constexpr char kChains[] = "Chains";
  command
      .add_option("--class", options.class_name,
                  "Draw from the experts of this class. Needed if the model "
                  "has several.")
      ->type_name("NAME")
      ->group(kChains);
  CLI::Option* chains =
      command.add_option("--chains", options.chains, "How many.")
          ->type_name("N")
          ->check(Positive())
          ->capture_default_str()
          ->group(kChains);
  CLI::Option* start =
      command
          .add_option("--start", options.start,
                      "Rows or sequences to start from, a chain at each. "
                      "Inputs of a conditional model stay as they are; where "
                      "values are missing, all that are there stay. Default: "
                      "at random.")
          ->type_name("FILE")
          ->excludes(chains)
          ->group(kChains);
  command
      .add_option("--rows", options.rows,
                  "Of --start, only rows or sequences FIRST to END - 1.")
      ->type_name("FIRST:END")
      ->needs(start)
      ->group(kChains);
  command
      .add_option("--keep", options.keep,
                  "Of --start, the columns that stay as they are, counted "
                  "from 0, such as 0-3,7.")
      ->type_name("LIST")
      ->needs(start)
      ->group(kChains);
  command
      .add_option("--length", options.length,
                  "Rows of each sequence. Needed for models of sequences "
                  "without --start.")
      ->type_name("T")
      ->check(Positive())
      ->excludes(start)
      ->group(kChains);
  command.add_option("--steps", options.steps, "Gibbs steps in all.")
      ->type_name("N")
      ->check(Positive())
      ->capture_default_str()
      ->group(kChains);
  command
      .add_option("--anneal", options.annealing_steps,
                  "The first so many of the steps raise the inverse "
                  "temperature from near 0 to 1.")
      ->type_name("N")
      ->check(NotNegative())
      ->capture_default_str()
      ->group(kChains);
  command
      .add_option("--thin", options.thinning,
                  "Also give the chains every so many steps, once they are "
                  "annealed.")
      ->type_name("N")
      ->check(Positive())
      ->group(kChains);
  command
      .add_flag("--mean", options.mean,
                "The mean of the last step's distribution instead of a draw "
                "from it: smoother pictures.")
      ->group(kChains);
  command
      .add_option("--layer", options.layer,
                  "The layer whose experts make the steps, 0 lowest; what they "
                  "draw comes down to the data by means. Default: the top, "
                  "or 0 where values stay or are missing.")
      ->type_name("L")
      ->group(kChains);
  command
      .add_option("--seed", options.seed,
                  "Start of the random numbers. Default: chosen by the "
                  "server.")
      ->type_name("N")
      ->group(kChains);
}

void AddOutputOptions(CLI::App& command, SampleOptions& options) {
  constexpr char kOutput[] = "Output";
  command
      .add_option("--png", options.png,
                  "Write a picture, of images; of at most 400.")
      ->type_name("FILE.png")
      ->group(kOutput);
  command
      .add_option("--out", options.out,
                  "Write the rows to an NPY file: chains x columns, with "
                  "--thin times x chains x columns; of sequences, chains x "
                  "rows x columns; float32, in the units of the data. Or to a "
                  "CSV file if its name ends in .csv, with a column that "
                  "numbers sequences.")
      ->type_name("FILE")
      ->group(kOutput);
}

}  // namespace

void AddSampleOptions(CLI::App& command, SampleOptions& options) {
  command.add_option("MODEL", options.model, kModelHelp)->required();
  AddChainOptions(command, options);
  AddOutputOptions(command, options);
}

}  // namespace poe::client
