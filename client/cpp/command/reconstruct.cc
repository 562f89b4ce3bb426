// poe reconstruct
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
#include "client/cpp/chunks.h"
#include "client/cpp/client.h"
#include "client/cpp/command/commands.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/data_set.h"
#include "client/cpp/command/mask.h"
#include "client/cpp/command/output_rows.h"
#include "client/cpp/command/selector.h"
#include "client/cpp/command/table.h"
#include "client/cpp/tensor.h"

namespace poe::client {
namespace {

struct ReconstructOptions {
  std::string model;
  DataOptions data;
  std::string mask;
  std::string class_name;
  int steps = 0;
  int chains = 0;
  bool sample = false;
  std::optional<int> layer;
  std::optional<uint64_t> seed;
  std::string png;
  std::string out;
};

// The reconstructions of all observations.
struct Reconstructions {
  v1::ModelVersion model;
  uint64_t seed = 0;
  // N x D, of sequences all rows.
  std::vector<float> values;
  // N names, "out of support" where there is none.
  std::vector<std::string> classes;
};

ManPage ReconstructPage() {
  return {
      .summary = "say what rows should look like, or fill in what is missing",
      .synopsis = {"MODEL --data FILE [--mask lower|upper|FILE] [OPTION]..."},
      .description =
          "Takes each row a few Gibbs steps towards what the experts of its "
          "class expect, which removes what is odd about it. With missing "
          "values (--mask, or NaN and empty cells in the file) the observed "
          "ones stay as they are and the others are filled in. A row outside "
          "the box of the training data comes back unchanged.\n\n"
          "Prints the first values of the first rows unless an output file is "
          "asked for.",
      .examples = {
          "# Ten images above their reconstructions",
          "poe reconstruct fashion --data t10k-images-idx3-ubyte.gz \\",
          "    --rows :10 --png reconstructed.png", "",
          "# The lower halves filled in, as the mean of 20 chains",
          "poe reconstruct fashion --data t10k-images-idx3-ubyte.gz \\",
          "    --rows :20 --mask lower --steps 50 --chains 20 --png filled.png",
          "", "# Missing cells of a table",
          "poe reconstruct pumps --data gaps.csv --out filled.npy"}};
}

v1::ReconstructRequest MakeRequest(const ReconstructOptions& options,
                                   const v1::ModelSelector& model) {
  v1::ReconstructRequest request;
  *request.mutable_model() = model;
  request.set_class_name(options.class_name);
  request.set_steps(options.steps);
  request.set_chains(options.chains);
  request.set_output(options.sample ? v1::ReconstructRequest::OUTPUT_SAMPLE
                                    : v1::ReconstructRequest::OUTPUT_MEAN);
  if (options.layer) request.set_layer(*options.layer);
  if (options.seed) request.set_seed(*options.seed);
  return request;
}

absl::Status Append(const v1::ReconstructResponse& response,
                    const v1::Observations& asked, int64_t dimension,
                    Reconstructions& all) {
  const absl::StatusOr<std::vector<float>> values =
      TensorFloats(ValuesOf(response.observations()));
  if (!values.ok() ||
      static_cast<int64_t>(values->size()) !=
          ValuesOf(asked).shape(0) * dimension ||
      response.classes_size() != RowCount(asked)) {
    return absl::InternalError(
        "the server's response does not have the request's size");
  }
  all.values.insert(all.values.end(), values->begin(), values->end());
  for (const int32_t c : response.classes()) {
    all.classes.push_back(c < 0 || c >= response.class_names_size()
                              ? "out of support"
                              : response.class_names(c));
  }
  all.model = response.model();
  all.seed = response.seed();
  return absl::OkStatus();
}

// In requests of bounded size, each row with the draws that its number in the
// file gives it.
absl::StatusOr<Reconstructions> Reconstruct(v1::ReconstructRequest request,
                                            const DataSet& data,
                                            const CallOptions& options,
                                            Client& client) {
  const absl::StatusOr<ObservationChunks> chunks =
      ObservationChunks::Create(data.observations);
  if (!chunks.ok()) return chunks.status();
  Reconstructions all;
  int64_t end = 0;
  for (int64_t begin = 0; begin < chunks->rows(); begin = end) {
    end = chunks->End(begin, ChunkLimits{.rows = 1000});
    *request.mutable_observations() = chunks->Slice(begin, end);
    for (int64_t row = begin; row < end; ++row) {
      request.mutable_observations()->add_row_ids(data.first_row + row);
    }
    const absl::StatusOr<v1::ReconstructResponse> response =
        client.Reconstruct(request, options);
    if (!response.ok()) return response.status();
    const absl::Status status =
        Append(*response, request.observations(), data.dimension, all);
    if (!status.ok()) return status;
    request.set_seed(all.seed);
  }
  return all;
}

// What is known, what was given, what came back.
absl::Status WritePicture(const std::string& path, const v1::DataSpec& spec,
                          const DataSet& data,
                          const std::vector<float>& reconstructed) {
  const absl::StatusOr<std::vector<float>> given =
      TensorFloats(ValuesOf(data.observations));
  if (!given.ok()) return given.status();
  std::vector<std::vector<float>> sets = {*given};
  const std::string& mask = data.observations.mask();
  if (!mask.empty()) {
    std::vector<float>& known = sets.emplace_back(*given);
    for (size_t i = 0; i < known.size(); ++i) {
      if (mask[i] == 0) known[i] = NAN;
    }
  }
  sets.push_back(reconstructed);
  return WriteImageStrips(path, spec, sets);
}

void Print(const Reconstructions& all, const v1::DataSpec& spec,
           const DataSet& data, bool json) {
  const auto& lengths = data.observations.sequences().lengths();
  if (!json) {
    constexpr auto kRight = Table::Align::kRight;
    std::vector<Table::Column> leading = {{"row", kRight}, {"class"}};
    if (spec.sequential())
      leading.insert(leading.begin(), Table::Column{"sequence", kRight});
    std::vector<std::vector<std::string>> cells;
    for (size_t n = 0; n < all.classes.size(); ++n) {
      const std::string number = absl::StrCat(data.first_row + n);
      if (!spec.sequential()) {
        cells.push_back({number, all.classes[n]});
        continue;
      }
      for (int64_t row = 0; row < lengths[static_cast<int>(n)]; ++row) {
        cells.push_back({number, absl::StrCat(row), all.classes[n]});
      }
    }
    std::cout << RowTable(spec, leading, cells, all.values);
    return;
  }
  Json document;
  document["model"] = {{"name", all.model.name()},
                       {"version", all.model.version()}};
  document["seed"] = all.seed;
  document["first_row"] = data.first_row;
  document["classes"] = all.classes;
  document["rows"] = RowsJson(spec, lengths, all.values);
  PrintJson(document);
}

absl::Status Run(const ReconstructOptions& options, Context& context) {
  const absl::StatusOr<v1::ModelSelector> model = ParseSelector(options.model);
  if (!model.ok()) return model.status();
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  absl::StatusOr<v1::DataSpec> spec =
      FetchDataSpec(*model, context.call_options(), **client);
  if (!spec.ok()) return spec.status();
  absl::StatusOr<DataSet> data = ReadDataSet(options.data, FormOf(*spec));
  if (!data.ok()) return data.status();
  const auto& lengths = data->observations.sequences().lengths();
  absl::Status status = CheckOutput(options.out, lengths);
  if (!status.ok()) return status;
  if (!options.mask.empty()) {
    status =
        AddMask(options.mask, spec->image_height(), spec->image_width(), *data);
    if (!status.ok()) return status;
  }
  const absl::StatusOr<Reconstructions> all = Reconstruct(
      MakeRequest(options, *model), *data, context.call_options(), **client);
  if (!all.ok()) return all.status();
  if (!options.png.empty()) {
    status.Update(WritePicture(options.png, *spec, *data, all->values));
  }
  if (!options.out.empty()) {
    status.Update(WriteRows(options.out, *spec, 0, lengths, all->values));
  }
  if (!status.ok()) return status;
  if (context.json || (options.png.empty() && options.out.empty())) {
    Print(*all, *spec, *data, context.json);
  }
  return absl::OkStatus();
}

}  // namespace

void AddReconstructCommand(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ReconstructOptions>();
  CLI::App* command =
      AddCommand(app, context, "reconstruct", ReconstructPage(),
                 [options, &context] { return Run(*options, context); });
  command->add_option("MODEL", options->model, kModelHelp)->required();
  AddDataOptions(*command, options->data, /*with_labels=*/false);
  AddMaskOption(*command, options->mask);
  constexpr char kSteps[] = "Gibbs steps";
  command
      ->add_option("--class", options->class_name,
                   "Reconstruct by the experts of this class. Default: the "
                   "class that each row seems to belong to.")
      ->type_name("NAME")
      ->group(kSteps);
  command
      ->add_option("--steps", options->steps,
                   "Number of steps. Default: 1, with missing values 10.")
      ->type_name("K")
      ->check(Positive())
      ->group(kSteps);
  command
      ->add_option("--chains", options->chains,
                   "Chains that are averaged. Default: 1.")
      ->type_name("N")
      ->check(Positive())
      ->group(kSteps);
  command
      ->add_flag("--sample", options->sample,
                 "A draw from the distribution after the last step instead of "
                 "its mean.")
      ->group(kSteps);
  command
      ->add_option("--layer", options->layer,
                   "Climb to this layer, whose experts do the steps, and come "
                   "down again by means. Default: 0, the lowest, which alone "
                   "fills in what is missing.")
      ->type_name("L")
      ->group(kSteps);
  command
      ->add_option("--seed", options->seed,
                   "Start of the random numbers. Default: chosen by the "
                   "server.")
      ->type_name("N")
      ->group(kSteps);
  constexpr char kOutput[] = "Output";
  command
      ->add_option("--png", options->png,
                   "Write a picture, of images: each row as it was, what is "
                   "known of it if some is missing, and below its "
                   "reconstruction. At most 400 rows.")
      ->type_name("FILE.png")
      ->group(kOutput);
  command
      ->add_option("--out", options->out,
                   "Write the reconstructions, in the units of the data, to an "
                   "NPY file, float32, or to a CSV file if its name ends in "
                   ".csv. Sequences of different lengths need the latter, "
                   "which has a column that numbers them from 0 on.")
      ->type_name("FILE")
      ->group(kOutput);
}

}  // namespace poe::client
