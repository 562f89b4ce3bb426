// poe spurious
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cpp/client.h"
#include "client/cpp/command/commands.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/data_set.h"
#include "client/cpp/command/format.h"
#include "client/cpp/command/json.h"
#include "client/cpp/command/output_rows.h"
#include "client/cpp/command/scores.h"
#include "client/cpp/command/selector.h"
#include "client/cpp/command/spurious_points.h"
#include "client/cpp/command/table.h"
#include "client/cpp/tensor.h"

namespace poe::client {
namespace {

struct SpuriousOptions {
  std::string model;
  DataOptions data;
  std::string class_name;
  int chains = 200;
  int steps = 1000;
  std::optional<uint64_t> seed;
  std::string png;
  std::string out;
};

ManPage SpuriousPage() {
  return {
      .summary = "find what a model believes in and no data explain",
      .synopsis = {"MODEL --data FILE [--class NAME] [OPTION]..."},
      .description =
          "Contrastive divergence looks only at what is one step away from the "
          "data, and may leave modes elsewhere. This runs long chains that "
          "never saw the data, the first half of their steps annealed, and "
          "lists where they end with a log score that is usual for the data "
          "and no row in the neighbourhood: 99% of the rows have another row "
          "nearer and 99% a greater log score. Distances are between rows as "
          "the experts see them, after preprocessing; symbols either agree or "
          "not. Chains end with the mean of their last step, and those that "
          "end within the usual distance of each other are one mode.\n\n"
          "`poe train --unlearn` lowers such modes. Models of sequences and "
          "conditional models are not looked into; of a hierarchy the lowest "
          "layer is.",
      .examples = {"poe spurious pumps --data pumps.csv", "",
                   "# Each mode above the row nearest to it",
                   "poe spurious fashion --class 9 \\",
                   "    --data boots.npy --png spurious.png"}};
}

// Raw rows as their distances are taken: preprocessed, symbols as sets of bits
// of which two differ by a length of 1.
std::vector<float> Seen(const v1::DataSpec& spec,
                        absl::Span<const float> values) {
  const int64_t dimension = spec.dimension();
  if (spec.family() == v1::FAMILY_CATEGORICAL) {
    const int64_t symbols = spec.num_symbols();
    std::vector<float> bits(values.size() * symbols, 0);
    for (size_t i = 0; i < values.size(); ++i) {
      bits[i * symbols + static_cast<int64_t>(values[i])] = std::sqrt(0.5f);
    }
    return bits;
  }
  std::vector<float> seen(values.begin(), values.end());
  const v1::Preprocessing& preprocessing = spec.preprocessing();
  if (preprocessing.scale_size() == 0) return seen;
  for (size_t i = 0; i < seen.size(); ++i) {
    const int k = static_cast<int>(i % dimension);
    seen[i] = static_cast<float>((seen[i] - preprocessing.shift(k)) /
                                 preprocessing.scale(k));
  }
  return seen;
}

// Where the chains of a version of the model end.
struct ChainEnds {
  v1::ModelVersion model;
  uint64_t seed = 0;
  std::vector<float> values;
};

absl::StatusOr<ChainEnds> RunChains(const SpuriousOptions& options,
                                    const v1::ModelSelector& model,
                                    const v1::DataSpec& spec,
                                    const CallOptions& call, Client& client) {
  v1::SampleRequest request;
  *request.mutable_model() = model;
  request.set_class_name(options.class_name);
  request.set_chains(options.chains);
  request.set_steps(options.steps);
  request.set_annealing_steps(options.steps / 2);
  request.set_mean(true);
  request.set_layer(0);
  if (options.seed) request.set_seed(*options.seed);
  ChainEnds ends;
  const absl::Status status = client.Sample(
      request,
      [&ends](const v1::SampleResponse& response) -> absl::Status {
        absl::StatusOr<std::vector<float>> values =
            TensorFloats(ValuesOf(response.observations()));
        if (!values.ok()) return values.status();
        ends.values = *std::move(values);
        ends.model = response.model();
        ends.seed = response.seed();
        return absl::OkStatus();
      },
      call);
  if (!status.ok()) return status;
  if (static_cast<int64_t>(ends.values.size()) !=
      options.chains * spec.dimension()) {
    return absl::InternalError(
        "the server's samples do not have the request's size");
  }
  return ends;
}

// The lowest layer's log scores of one class.
absl::StatusOr<std::vector<double>> FetchLogScores(
    const std::string& class_name, const v1::ModelVersion& model,
    const v1::Observations& observations, const CallOptions& call,
    Client& client) {
  v1::ScoreRequest request;
  request.mutable_model()->set_name(model.name());
  request.mutable_model()->set_version(model.version());
  *request.mutable_observations() = observations;
  const absl::StatusOr<v1::ScoreResponse> response =
      client.ScoreAll(request, {.call = call});
  if (!response.ok()) return response.status();
  const absl::StatusOr<Scores> scores = ReadScores(*response);
  if (!scores.ok()) return scores.status();
  int64_t c = 0;
  if (!class_name.empty()) {
    c = std::find(scores->class_names.begin(), scores->class_names.end(),
                  class_name) -
        scores->class_names.begin();
  }
  if (c >= scores->classes) {
    return absl::NotFoundError(absl::StrCat(
        FormatVersion(scores->model), " has no class \"", class_name, "\""));
  }
  std::vector<double> log_scores;
  for (int64_t n = 0; n < scores->rows; ++n) {
    log_scores.push_back(
        scores->log_scores[(n * scores->classes + c) * scores->layers]);
  }
  return log_scores;
}

absl::Status Check(const SpuriousOptions& options, const v1::DataSpec& spec,
                   const DataSet& data) {
  if (!options.png.empty() && spec.image_height() == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.png, ": the model's data are no images"));
  }
  if (spec.sequential() || !spec.input_coordinates().empty()) {
    return absl::FailedPreconditionError(
        "spurious modes are looked for in models of single rows without "
        "inputs");
  }
  if (!data.observations.mask().empty()) {
    return absl::InvalidArgumentError(
        "values are missing; modes are compared with complete rows");
  }
  if (data.rows < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is ", FormatCount(data.rows, "row"),
                     "; what is usual shows from two on"));
  }
  if (data.dimension != spec.dimension()) {
    return absl::InvalidArgumentError(
        absl::StrCat("rows have ", FormatCount(data.dimension, "value"),
                     "; the model's have ", spec.dimension()));
  }
  return absl::OkStatus();
}

Json ModesJson(const SpuriousPoints& found, const ChainEnds& ends,
               const SpuriousOptions& options, const DataSet& data) {
  Json modes = Json::array();
  for (const SpuriousMode& mode : found.modes) {
    modes.push_back({{"chains", mode.chains},
                     {"chain", mode.chain},
                     {"log_score", JsonNumber(mode.log_score)},
                     {"distance", JsonNumber(mode.distance)},
                     {"nearest_row", data.first_row + mode.nearest_row}});
  }
  return {{"model",
           {{"name", ends.model.name()}, {"version", ends.model.version()}}},
          {"seed", ends.seed},
          {"chains", options.chains},
          {"far_chains", found.far_chains},
          {"usual_log_score", JsonNumber(found.usual_log_score)},
          {"usual_distance", JsonNumber(found.usual_distance)},
          {"modes", modes}};
}

void PrintModes(const SpuriousPoints& found, const SpuriousOptions& options,
                const v1::DataSpec& spec, const DataSet& data,
                const std::vector<float>& values) {
  std::cout << absl::StrFormat(
      "Of %s, %d ended with no row within %s.\n"
      "Usual log scores are %s or more.\n",
      FormatCount(options.chains, "chain"), found.far_chains,
      FormatNumber(found.usual_distance), FormatNumber(found.usual_log_score));
  if (found.modes.empty()) {
    std::cout << "None of them is spurious.\n";
    return;
  }
  std::vector<std::vector<std::string>> cells;
  for (const SpuriousMode& mode : found.modes) {
    cells.push_back({FormatCount(mode.chains), FormatNumber(mode.log_score),
                     FormatNumber(mode.distance),
                     absl::StrCat(data.first_row + mode.nearest_row)});
  }
  std::cout << "\n"
            << RowTable(spec,
                        {{"CHAINS", Table::Align::kRight},
                         {"LOG SCORE", Table::Align::kRight},
                         {"DISTANCE", Table::Align::kRight},
                         {"NEAREST ROW", Table::Align::kRight}},
                        cells, values);
}

// The rows of N x D values of these numbers.
std::vector<float> Select(absl::Span<const float> values, int64_t dimension,
                          const std::vector<int64_t>& rows) {
  std::vector<float> selected;
  for (const int64_t row : rows) {
    const auto begin = values.begin() + row * dimension;
    selected.insert(selected.end(), begin, begin + dimension);
  }
  return selected;
}

absl::Status FindSpurious(const SpuriousOptions& options, Context& context) {
  const absl::StatusOr<v1::ModelSelector> model = ParseSelector(options.model);
  if (!model.ok()) return model.status();
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  const CallOptions call = context.call_options();
  const absl::StatusOr<v1::DataSpec> spec =
      FetchDataSpec(*model, call, **client);
  if (!spec.ok()) return spec.status();
  const absl::StatusOr<DataSet> data = ReadDataSet(options.data, FormOf(*spec));
  if (!data.ok()) return data.status();
  absl::Status status = Check(options, *spec, *data);
  if (!status.ok()) return status;
  const absl::StatusOr<std::vector<float>> rows =
      TensorFloats(ValuesOf(data->observations));
  if (!rows.ok()) return rows.status();

  const absl::StatusOr<ChainEnds> ends =
      RunChains(options, *model, *spec, call, **client);
  if (!ends.ok()) return ends.status();
  const absl::StatusOr<std::vector<double>> row_scores = FetchLogScores(
      options.class_name, ends->model, data->observations, call, **client);
  if (!row_scores.ok()) return row_scores.status();
  const absl::StatusOr<std::vector<double>> end_scores = FetchLogScores(
      options.class_name, ends->model,
      MakeObservations(absl::MakeConstSpan(ends->values), spec->dimension()),
      call, **client);
  if (!end_scores.ok()) return end_scores.status();

  const std::vector<float> seen_rows = Seen(*spec, *rows);
  const std::vector<float> seen_ends = Seen(*spec, ends->values);
  const auto columns = static_cast<int64_t>(seen_rows.size()) / data->rows;
  const SpuriousPoints found = FindSpuriousPoints(
      {.values = seen_rows, .log_scores = *row_scores, .dimension = columns},
      {.values = seen_ends, .log_scores = *end_scores, .dimension = columns});

  std::vector<int64_t> chains, nearest;
  for (const SpuriousMode& mode : found.modes) {
    chains.push_back(mode.chain);
    nearest.push_back(mode.nearest_row);
  }
  const std::vector<float> values =
      Select(ends->values, spec->dimension(), chains);
  if (!options.png.empty() && !found.modes.empty()) {
    status.Update(
        WriteImageStrips(options.png, *spec,
                         {values, Select(*rows, spec->dimension(), nearest)}));
  }
  if (!options.out.empty()) {
    status.Update(WriteRows(options.out, *spec, /*samples=*/0, {}, values));
  }
  if (!status.ok()) return status;
  if (context.json) {
    PrintJson(ModesJson(found, *ends, options, *data));
  } else {
    PrintModes(found, options, *spec, *data, values);
  }
  return absl::OkStatus();
}

}  // namespace

void AddSpuriousCommand(CLI::App& app, Context& context) {
  const auto options = std::make_shared<SpuriousOptions>();
  CLI::App* command = AddCommand(
      app, context, "spurious", SpuriousPage(),
      [options, &context] { return FindSpurious(*options, context); });
  command->add_option("MODEL", options->model, kModelHelp)->required();
  AddDataOptions(*command, options->data, /*with_labels=*/false);
  constexpr char kChains[] = "Chains";
  command
      ->add_option("--class", options->class_name,
                   "Look into the experts of this class, with data of it. "
                   "Needed if the model has several.")
      ->type_name("NAME")
      ->group(kChains);
  command->add_option("--chains", options->chains, "How many.")
      ->type_name("N")
      ->check(Positive())
      ->capture_default_str()
      ->group(kChains);
  command->add_option("--steps", options->steps, "Gibbs steps of each.")
      ->type_name("N")
      ->check(Positive())
      ->capture_default_str()
      ->group(kChains);
  command
      ->add_option("--seed", options->seed,
                   "Same seed, same chains. Default: chosen by the server.")
      ->type_name("N")
      ->group(kChains);
  constexpr char kOutput[] = "Output";
  command
      ->add_option("--png", options->png,
                   "For images: a picture of the modes, each above the row "
                   "nearest to it. Not written where there are none.")
      ->type_name("FILE.png")
      ->group(kOutput);
  command
      ->add_option("--out", options->out,
                   "Write the modes as an .npy array or a .csv table.")
      ->type_name("FILE")
      ->group(kOutput);
}

}  // namespace poe::client
