// poe sample
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
#include "client/cpp/client.h"
#include "client/cpp/command/commands.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/data_set.h"
#include "client/cpp/command/json.h"
#include "client/cpp/command/output_rows.h"
#include "client/cpp/command/sample_options.h"
#include "client/cpp/command/sample_output.h"
#include "client/cpp/command/sample_start.h"
#include "client/cpp/command/selector.h"
#include "client/cpp/tensor.h"

namespace poe::client {
namespace {

ManPage SamplePage() {
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
                   "    --out pumps.npy", "",
                   "# An answer to each, given the other columns",
                   "poe sample survey --start asked.csv --steps 10"}};
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

absl::Status Write(const Samples& samples, const SampleOptions& options,
                   const v1::DataSpec& spec) {
  absl::Status status;
  if (!options.png.empty()) {
    status.Update(WriteImageStrips(options.png, spec, {samples.values}));
  }
  if (!options.out.empty()) {
    status.Update(
        WriteSamples(options.out, samples, spec, options.thinning > 0));
  }
  return status;
}

// A usage error where chains lack what they start from.
absl::Status CheckStart(const SampleOptions& options,
                        const v1::DataSpec& spec) {
  if (!options.start.empty()) return absl::OkStatus();
  if (!spec.input_coordinates().empty()) {
    return UsageError(
        "the model is one of some columns given others; give those by --start");
  }
  if (spec.sequential() != (options.length > 0)) {
    return UsageError(
        spec.sequential()
            ? "the model draws sequences; say of how many rows by --length"
            : "--length is for models of sequences, which this one is not");
  }
  return absl::OkStatus();
}

// Says in the request where the chains start, and in `samples` what they are.
absl::Status StartChains(const SampleOptions& options, const v1::DataSpec& spec,
                         v1::SampleRequest& request, Samples& samples) {
  if (options.start.empty()) {
    samples.chains = options.chains;
    samples.lengths.assign(spec.sequential() ? options.chains : 0,
                           options.length);
    return absl::OkStatus();
  }
  absl::StatusOr<DataSet> data = ReadDataSet({.data = options.start,
                                              .labels = "",
                                              .label_column = "",
                                              .rows = options.rows},
                                             FormOf(spec));
  if (!data.ok()) return data.status();
  samples.chains = data->rows;
  samples.lengths.assign(data->observations.sequences().lengths().begin(),
                         data->observations.sequences().lengths().end());
  request.set_chains(static_cast<int32_t>(data->rows));
  return SetStart(options.keep, spec, *std::move(data), request);
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
  absl::Status status = CheckStart(options, *spec);
  if (!status.ok()) return status;
  v1::SampleRequest request = MakeRequest(options, *model);
  Samples samples;
  status = StartChains(options, *spec, request, samples);
  if (!status.ok()) return status;
  if (!options.out.empty()) {
    status = CheckOutput(options.out, samples.lengths);
    if (!status.ok()) return status;
  }
  status = (*client)->Sample(
      request,
      [&samples](const v1::SampleResponse& response) {
        return Append(response, samples);
      },
      context.call_options());
  if (!status.ok()) return status;
  const auto expected = static_cast<size_t>(samples.steps.size() *
                                            samples.rows() * spec->dimension());
  if (samples.steps.empty() || samples.values.size() != expected) {
    return absl::InternalError(
        "the server's samples do not have the request's size");
  }
  status = Write(samples, options, *spec);
  if (!status.ok()) return status;
  if (context.json) {
    PrintJson(SampleJson(samples, *spec));
  } else if (options.png.empty() && options.out.empty()) {
    std::cout << SampleTable(samples, *spec);
  }
  return absl::OkStatus();
}

}  // namespace

void AddSampleCommand(CLI::App& app, Context& context) {
  const auto options = std::make_shared<SampleOptions>();
  CLI::App* command =
      AddCommand(app, context, "sample", SamplePage(),
                 [options, &context] { return Run(*options, context); });
  AddSampleOptions(*command, *options);
}

}  // namespace poe::client
