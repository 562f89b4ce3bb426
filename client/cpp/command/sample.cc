// poe sample
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "client/cpp/client.h"
#include "client/cpp/command/commands.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/output_rows.h"
#include "client/cpp/command/selector.h"
#include "client/cpp/command/table.h"
#include "client/cpp/tensor.h"

namespace poe::client {
namespace {

struct SampleOptions {
  std::string model;
  std::string class_name;
  int chains = 64;
  int64_t length = 0;
  int steps = 500;
  int annealing_steps = 0;
  int thinning = 0;
  bool mean = false;
  std::optional<int> layer;
  std::optional<uint64_t> seed;
  std::string png;
  std::string out;
};

// What the chains were after some of the steps.
struct Samples {
  v1::ModelVersion model;
  uint64_t seed = 0;
  std::vector<int32_t> steps;
  // One for each entry of `steps`: chains x D, of sequences all rows.
  std::vector<float> values;
};

ManPage Page() {
  return {
      .summary = "draw new rows from a model",
      .synopsis = {"MODEL [--class NAME] [OPTION]..."},
      .description =
          "Runs independent chains of Gibbs steps and gives where they stand "
          "after the last one: what the experts, together, believe in. "
          "Annealing begins with experts that hardly care and lets them "
          "become strict, which helps chains to find all that the model "
          "believes in. A model of sequences draws one of --length rows with "
          "each chain.\n\n"
          "Prints the first values of the first chains unless an output file "
          "is asked for.",
      .examples = {"poe sample fashion --class 9 --chains 64 --png boots.png",
                   "",
                   "poe sample pumps --chains 300 --steps 25 --anneal 20 \\",
                   "    --out pumps.npy"}};
}

v1::SampleRequest MakeRequest(const SampleOptions& options,
                              const v1::ModelSelector& model) {
  v1::SampleRequest request;
  *request.mutable_model() = model;
  request.set_class_name(options.class_name);
  request.set_chains(options.chains);
  request.set_length(options.length);
  request.set_steps(options.steps);
  request.set_annealing_steps(options.annealing_steps);
  request.set_thinning(options.thinning);
  request.set_mean(options.mean);
  if (options.layer) request.set_layer(*options.layer);
  if (options.seed) request.set_seed(*options.seed);
  return request;
}

absl::Status Append(const v1::SampleResponse& response, Samples& samples) {
  samples.model = response.model();
  samples.seed = response.seed();
  // Only at this temperature do the chains follow the model.
  if (response.inverse_temperature() < 1) return absl::OkStatus();
  const absl::StatusOr<std::vector<float>> values =
      TensorFloats(ValuesOf(response.observations()));
  if (!values.ok()) return values.status();
  samples.steps.push_back(response.step());
  samples.values.insert(samples.values.end(), values->begin(), values->end());
  return absl::OkStatus();
}

// Of so many sequences; none of single rows.
std::vector<int64_t> Lengths(const SampleOptions& options,
                             const v1::DataSpec& spec, size_t sequences) {
  return std::vector<int64_t>(spec.sequential() ? sequences : 0,
                              options.length);
}

// Rows of one chain.
int64_t RowsOf(const SampleOptions& options, const v1::DataSpec& spec) {
  return spec.sequential() ? options.length : 1;
}

void PrintTable(const Samples& samples, const SampleOptions& options,
                const v1::DataSpec& spec) {
  constexpr auto kRight = Table::Align::kRight;
  std::vector<Table::Column> leading = {{"step", kRight}, {"chain", kRight}};
  if (spec.sequential()) leading.push_back({"row", kRight});
  std::vector<std::vector<std::string>> cells;
  for (const int32_t step : samples.steps) {
    for (int chain = 0; chain < options.chains; ++chain) {
      for (int64_t row = 0; row < RowsOf(options, spec); ++row) {
        cells.push_back({absl::StrCat(step), absl::StrCat(chain)});
        if (spec.sequential()) cells.back().push_back(absl::StrCat(row));
      }
    }
  }
  std::cout << RowTable(spec, leading, cells, samples.values);
}

void Print(const Samples& samples, const SampleOptions& options,
           const v1::DataSpec& spec, bool json) {
  if (!json) {
    PrintTable(samples, options, spec);
    return;
  }
  Json document;
  document["model"] = {{"name", samples.model.name()},
                       {"version", samples.model.version()}};
  document["seed"] = samples.seed;
  Json& list = document["samples"] = Json::array();
  const int64_t size =
      options.chains * RowsOf(options, spec) * spec.dimension();
  const std::vector<int64_t> lengths = Lengths(options, spec, options.chains);
  for (size_t i = 0; i < samples.steps.size(); ++i) {
    const auto part =
        absl::MakeConstSpan(samples.values).subspan(i * size, size);
    list.push_back(
        {{"step", samples.steps[i]}, {"rows", RowsJson(spec, lengths, part)}});
  }
  PrintJson(document);
}

absl::Status Write(const Samples& samples, const SampleOptions& options,
                   const v1::DataSpec& spec) {
  absl::Status status;
  if (!options.png.empty()) {
    status.Update(WriteImageStrips(options.png, spec, {samples.values}));
  }
  if (!options.out.empty()) {
    const int64_t steps = static_cast<int64_t>(samples.steps.size());
    status.Update(WriteRows(options.out, spec, options.thinning > 0 ? steps : 0,
                            Lengths(options, spec, steps * options.chains),
                            samples.values));
  }
  return status;
}

absl::Status Run(const SampleOptions& options, Context& context) {
  if (options.annealing_steps > options.steps) {
    return UsageError(absl::StrCat("--anneal ", options.annealing_steps,
                                   " is more than --steps ", options.steps));
  }
  const absl::StatusOr<v1::ModelSelector> model = ParseSelector(options.model);
  if (!model.ok()) return model.status();
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  const absl::StatusOr<v1::DataSpec> spec =
      FetchDataSpec(*model, context.call_options(), **client);
  if (!spec.ok()) return spec.status();
  if (spec->sequential() != (options.length > 0)) {
    return UsageError(
        spec->sequential()
            ? "the model draws sequences; say of how many rows by --length"
            : "--length is for models of sequences, which this one is not");
  }
  Samples samples;
  absl::Status status = (*client)->Sample(
      MakeRequest(options, *model),
      [&samples](const v1::SampleResponse& response) {
        return Append(response, samples);
      },
      context.call_options());
  if (!status.ok()) return status;
  const auto expected =
      static_cast<size_t>(samples.steps.size() * options.chains *
                          RowsOf(options, *spec) * spec->dimension());
  if (samples.steps.empty() || samples.values.size() != expected) {
    return absl::InternalError(
        "the server's samples do not have the request's size");
  }
  status = Write(samples, options, *spec);
  if (!status.ok()) return status;
  if (context.json || (options.png.empty() && options.out.empty())) {
    Print(samples, options, *spec, context.json);
  }
  return absl::OkStatus();
}

}  // namespace

void AddSampleCommand(CLI::App& app, Context& context) {
  const auto options = std::make_shared<SampleOptions>();
  CLI::App* command =
      AddCommand(app, context, "sample", Page(),
                 [options, &context] { return Run(*options, context); });
  command->add_option("MODEL", options->model, kModelHelp)->required();
  constexpr char kChains[] = "Chains";
  command
      ->add_option("--class", options->class_name,
                   "Draw from the experts of this class. Needed if the model "
                   "has several.")
      ->type_name("NAME")
      ->group(kChains);
  command->add_option("--chains", options->chains, "How many.")
      ->type_name("N")
      ->check(Positive())
      ->capture_default_str()
      ->group(kChains);
  command
      ->add_option("--length", options->length,
                   "Rows of each sequence. Needed for models of sequences.")
      ->type_name("T")
      ->check(Positive())
      ->group(kChains);
  command->add_option("--steps", options->steps, "Gibbs steps in all.")
      ->type_name("N")
      ->check(Positive())
      ->capture_default_str()
      ->group(kChains);
  command
      ->add_option("--anneal", options->annealing_steps,
                   "The first so many of the steps raise the inverse "
                   "temperature from near 0 to 1.")
      ->type_name("N")
      ->check(NotNegative())
      ->capture_default_str()
      ->group(kChains);
  command
      ->add_option("--thin", options->thinning,
                   "Also give the chains every so many steps, once they are "
                   "annealed.")
      ->type_name("N")
      ->check(Positive())
      ->group(kChains);
  command
      ->add_flag("--mean", options->mean,
                 "The mean of the last step's distribution instead of a draw "
                 "from it: smoother pictures.")
      ->group(kChains);
  command
      ->add_option("--layer", options->layer,
                   "The layer at which the chains run, 0 lowest. Default: the "
                   "top.")
      ->type_name("L")
      ->group(kChains);
  command
      ->add_option("--seed", options->seed,
                   "Start of the random numbers. Default: chosen by the "
                   "server.")
      ->type_name("N")
      ->group(kChains);
  constexpr char kOutput[] = "Output";
  command
      ->add_option("--png", options->png,
                   "Write a picture, of images; of at most 400.")
      ->type_name("FILE.png")
      ->group(kOutput);
  command
      ->add_option("--out", options->out,
                   "Write the rows to an NPY file: chains x columns, with "
                   "--thin times x chains x columns; of sequences, chains x "
                   "rows x columns; float32, in the units of the data. Or to a "
                   "CSV file if its name ends in .csv, with a column that "
                   "numbers sequences.")
      ->type_name("FILE")
      ->group(kOutput);
}

}  // namespace poe::client
