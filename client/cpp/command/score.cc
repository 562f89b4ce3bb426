// poe score
#include <cstdint>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "client/cpp/command/class_labels.h"
#include "client/cpp/command/commands.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/data_set.h"
#include "client/cpp/command/format.h"
#include "client/cpp/command/output_rows.h"
#include "client/cpp/command/progress.h"
#include "client/cpp/command/score_output.h"
#include "client/cpp/command/scores.h"
#include "client/cpp/command/selector.h"
#include "client/cpp/io/npy.h"

namespace poe::client {
namespace {

constexpr int64_t kTableRows = 20;
// What takes less time than this shows no progress.
constexpr absl::Duration kShort = absl::Seconds(1);

struct ScoreOptions {
  std::string model;
  DataOptions data;
  std::optional<int64_t> limit;
  bool per_expert = false;
  std::optional<uint64_t> seed;
  std::string out;
};

ManPage Page() {
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
          "With labels it also prints the error rate and the errors of each "
          "class. A label is the name of a class, or its number counted from "
          "0 if not all labels are names.",
      .examples = {"# Which class, and how many errors",
                   "poe score fashion --data t10k-images-idx3-ubyte.gz \\",
                   "    --labels t10k-labels-idx1-ubyte.gz", "",
                   "# Which expert objects most to each of the first ten rows",
                   "poe score pumps --data today.csv --rows :10 --per-expert",
                   "", "# All log scores, for other programs",
                   "poe score pumps@stable --data today.csv --limit 0 --out "
                   "scores.npy"}};
}

absl::StatusOr<Scores> FetchScores(const ScoreOptions& options,
                                   const v1::ModelSelector& model,
                                   DataSet& data, const CallOptions& call,
                                   Client& client) {
  v1::ScoreRequest request;
  *request.mutable_model() = model;
  *request.mutable_observations() = std::move(data.observations);
  request.set_per_expert(options.per_expert);
  if (!request.observations().mask().empty()) request.mutable_missing();
  if (options.seed) request.mutable_missing()->set_seed(*options.seed);

  ProgressDisplay display;
  const absl::Time start = absl::Now();
  const auto progress = [&](int64_t rows) {
    const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
    if (absl::Seconds(seconds) < kShort) return;
    ProgressView view;
    view.topic = "scoring";
    view.detail =
        absl::StrCat(FormatCount(rows), " of ", FormatCount(data.rows, "row"));
    view.fraction = static_cast<double>(rows) / data.rows;
    view.rows_per_second = rows / seconds;
    view.seconds_left = (data.rows - rows) * seconds / rows;
    display.Show(view);
  };
  ScoreAllOptions score_options;
  score_options.call = call;
  const absl::StatusOr<v1::ScoreResponse> response =
      client.ScoreAll(request, score_options, progress);
  if (!response.ok()) return response.status();
  return ReadScores(*response);
}

void Print(const Scores& scores, const std::vector<int32_t>& truth,
           const ScoreOptions& options, int64_t first_row,
           const std::string& noun, bool json) {
  const int64_t all = std::numeric_limits<int64_t>::max();
  int64_t limit = options.limit.value_or(json ? all : kTableRows);
  if (limit < 0) limit = all;
  std::optional<ErrorCounts> errors;
  if (!truth.empty()) errors = CountErrors(scores, truth);
  if (json) {
    Json document = ScoreJson(scores, truth, first_row, limit, noun);
    if (errors) document["errors"] = ErrorJson(*errors, scores.class_names);
    PrintJson(document);
    return;
  }
  if (limit > 0) std::cout << ScoreTable(scores, truth, first_row, limit, noun);
  if (limit > 0 && errors) std::cout << "\n";
  if (errors) std::cout << ErrorTable(*errors, scores.class_names);
}

absl::Status Score(const ScoreOptions& options, Context& context) {
  const absl::StatusOr<v1::ModelSelector> model = ParseSelector(options.model);
  if (!model.ok()) return model.status();
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  const absl::StatusOr<v1::DataSpec> spec =
      FetchDataSpec(*model, context.call_options(), **client);
  if (!spec.ok()) return spec.status();
  absl::StatusOr<DataSet> data = ReadDataSet(options.data, FormOf(*spec));
  if (!data.ok()) return data.status();
  const absl::StatusOr<Scores> scores =
      FetchScores(options, *model, *data, context.call_options(), **client);
  if (!scores.ok()) return scores.status();
  std::vector<int32_t> truth;
  if (!data->labels.empty()) {
    if (scores->labels.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat(FormatVersion(scores->model),
                       " gives no labels to compare with --labels"));
    }
    absl::StatusOr<std::vector<int32_t>> matched =
        MatchClasses(data->labels, scores->class_names);
    if (!matched.ok()) return matched.status();
    truth = *std::move(matched);
  }
  if (!options.out.empty()) {
    const absl::Status status =
        WriteNpy(options.out, {scores->rows, scores->classes, scores->layers},
                 scores->log_scores);
    if (!status.ok()) return status;
  }
  Print(*scores, truth, options, data->first_row,
        spec->sequential() ? "sequence" : "row", context.json);
  return absl::OkStatus();
}

}  // namespace

void AddScoreCommand(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ScoreOptions>();
  CLI::App* command =
      AddCommand(app, context, "score", Page(),
                 [options, &context] { return Score(*options, context); });
  command->add_option("MODEL", options->model, kModelHelp)->required();
  AddDataOptions(*command, options->data, /*with_labels=*/true);
  constexpr char kOutput[] = "Output";
  command
      ->add_option("--limit", options->limit,
                   "Print the first N rows only; 0: none, -1: all. Default: "
                   "20, with --json all.")
      ->type_name("N")
      ->group(kOutput);
  command
      ->add_flag("--per-expert", options->per_expert,
                 "Also name the expert of the row's class whose log score is "
                 "least, counted from 0; with --json the log scores of all "
                 "experts.")
      ->group(kOutput);
  command
      ->add_option("--out", options->out,
                   "Write all log scores to an NPY file: rows x classes x "
                   "layers, float64.")
      ->type_name("FILE.npy")
      ->group(kOutput);
  command
      ->add_option("--seed", options->seed,
                   "Start of the random numbers that stand in for missing "
                   "values. Default: chosen anew.")
      ->type_name("N")
      ->group("Missing values");
}

}  // namespace poe::client
