// poe score
#include <algorithm>
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
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client/cpp/client.h"
#include "client/cpp/command/class_labels.h"
#include "client/cpp/command/commands.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/data_set.h"
#include "client/cpp/command/experts.h"
#include "client/cpp/command/explanation.h"
#include "client/cpp/command/format.h"
#include "client/cpp/command/mask.h"
#include "client/cpp/command/normalizers.h"
#include "client/cpp/command/output_rows.h"
#include "client/cpp/command/progress.h"
#include "client/cpp/command/score_options.h"
#include "client/cpp/command/score_output.h"
#include "client/cpp/command/scores.h"
#include "client/cpp/command/selector.h"
#include "client/cpp/io/picture.h"
#include "client/cpp/tensor.h"
#include "core/io/npy.h"

namespace poe::client {
namespace {

constexpr int64_t kTableScores = 20;
// What takes less time than this shows no progress.
constexpr absl::Duration kShort = absl::Seconds(1);

absl::StatusOr<Scores> FetchScores(const ScoreOptions& options,
                                   const v1::ModelSelector& model,
                                   DataSet& data, const CallOptions& call,
                                   Client& client) {
  v1::ScoreRequest request;
  *request.mutable_model() = model;
  *request.mutable_observations() = std::move(data.observations);
  request.set_per_expert(options.per_expert || options.explain);
  if (!request.observations().mask().empty()) {
    v1::MissingValueEstimate& missing = *request.mutable_missing();
    missing.set_chains(options.missing_chains);
    missing.set_temperatures(options.missing_temperatures);
    if (options.seed) missing.set_seed(*options.seed);
  }

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

std::string NounOf(const v1::DataSpec& spec) {
  return spec.sequential() ? "sequence" : "row";
}

// The lowest layer's experts of all classes.
absl::StatusOr<std::vector<Expert>> FetchExperts(const v1::ModelVersion& model,
                                                 const CallOptions& call,
                                                 Client& client) {
  v1::GetModelRequest request;
  request.mutable_model()->set_name(model.name());
  request.mutable_model()->set_version(model.version());
  request.set_include_parameters(true);
  const absl::StatusOr<v1::GetModelResponse> response =
      client.GetModel(request, call);
  if (!response.ok()) return response.status();
  return ReadExperts(response->parameters(), /*class_name=*/"", /*layer=*/0);
}

// How many rows are printed.
int64_t ShownRows(const ScoreOptions& options, const Scores& scores,
                  bool json) {
  const int64_t limit =
      options.limit.value_or(json ? scores.rows : kTableScores);
  return limit < 0 ? scores.rows : std::min(limit, scores.rows);
}

absl::Status Print(const Scores& scores, const std::vector<int32_t>& truth,
                   const std::vector<Explanation>& explanations, int64_t limit,
                   int64_t first_row, const std::string& noun, bool json) {
  std::optional<ErrorCounts> errors;
  if (!truth.empty()) errors = CountErrors(scores, truth);
  if (json) {
    Json document = ScoreJson(scores, truth, first_row, limit, noun);
    if (!explanations.empty()) {
      AddExplanations(explanations, scores.class_names, document);
    }
    if (errors) document["errors"] = ErrorJson(*errors, scores.class_names);
    const absl::Status status = AddNormalizers(
        scores.log_partitions, scores.log_partition_differences, document);
    if (!status.ok()) return status;
    PrintJson(document);
    return absl::OkStatus();
  }
  if (limit > 0) std::cout << ScoreTable(scores, truth, first_row, limit, noun);
  if (limit > 0 && AreEstimated(scores.log_partitions)) {
    std::cout << "\n"
              << NormalizerTable(scores.log_partitions,
                                 scores.log_partition_differences);
  }
  if (limit > 0 && !explanations.empty()) {
    std::cout << "\n"
              << ExplanationTable(
                     absl::MakeConstSpan(explanations).subspan(0, limit),
                     scores.class_names, first_row, noun);
  }
  if (limit > 0 && errors) std::cout << "\n";
  if (errors) std::cout << ErrorTable(*errors, scores.class_names);
  return absl::OkStatus();
}

// What has to be known of the rows once they are scored.
struct RowFacts {
  std::vector<int64_t> lengths;
  // The first rows' values, where they are to be drawn.
  std::vector<float> images;
};

absl::StatusOr<RowFacts> Note(const ScoreOptions& options,
                              const v1::DataSpec& spec, const DataSet& data) {
  RowFacts facts;
  const auto& lengths = data.observations.sequences().lengths();
  facts.lengths.assign(lengths.begin(), lengths.end());
  if (options.png.empty()) return facts;
  if (spec.image_height() == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.png, ": the model's data are no images"));
  }
  absl::StatusOr<std::vector<float>> values =
      TensorFloats(ValuesOf(data.observations));
  if (!values.ok()) return values.status();
  facts.images = *std::move(values);
  return facts;
}

absl::Status WriteFiles(const ScoreOptions& options, const Scores& scores,
                        const std::vector<Explanation>& explanations,
                        const std::vector<float>& images,
                        const v1::DataSpec& spec, int64_t first_row) {
  absl::Status status;
  if (IsTable(options.out)) {
    status =
        WriteExplanations(options.out, explanations, first_row, NounOf(spec));
  } else if (!options.out.empty()) {
    status = WriteNpy(options.out, {scores.rows, scores.classes, scores.layers},
                      scores.log_scores);
  }
  if (!status.ok() || options.png.empty()) return status;
  const absl::StatusOr<Picture> picture = ExplanationPicture(
      absl::MakeConstSpan(explanations).subspan(0, kMostImages), images, spec);
  if (!picture.ok()) return picture.status();
  return picture->WritePng(options.png);
}

absl::StatusOr<std::vector<int32_t>> FindTruth(const Scores& scores,
                                               const DataSet& data) {
  if (data.labels.empty()) return std::vector<int32_t>();
  if (scores.labels.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(FormatVersion(scores.model),
                     " gives no labels to compare with --labels"));
  }
  return MatchClasses(data.labels, scores.class_names);
}

absl::Status Score(const ScoreOptions& options, Context& context) {
  if (IsTable(options.out) && !options.explain) {
    return UsageError(absl::StrCat("--out ", options.out,
                                   ": a .csv file is for --explain; log scores "
                                   "are written to an .npy file"));
  }
  const absl::StatusOr<v1::ModelSelector> model = ParseSelector(options.model);
  if (!model.ok()) return model.status();
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  const CallOptions call = context.call_options();
  const absl::StatusOr<v1::DataSpec> spec =
      FetchDataSpec(*model, call, **client);
  if (!spec.ok()) return spec.status();
  absl::StatusOr<DataSet> data = ReadDataSet(options.data, FormOf(*spec));
  if (!data.ok()) return data.status();
  if (!options.mask.empty()) {
    const absl::Status status =
        AddMask(options.mask, spec->image_height(), spec->image_width(), *data);
    if (!status.ok()) return status;
  }
  const absl::StatusOr<RowFacts> facts = Note(options, *spec, *data);
  if (!facts.ok()) return facts.status();
  absl::StatusOr<Scores> scores =
      FetchScores(options, *model, *data, call, **client);
  if (!scores.ok()) return scores.status();
  const absl::StatusOr<std::vector<int32_t>> truth = FindTruth(*scores, *data);
  if (!truth.ok()) return truth.status();
  std::vector<Expert> experts;
  std::vector<Explanation> explanations;
  if (options.explain) {
    absl::StatusOr<std::vector<Expert>> fetched =
        FetchExperts(scores->model, call, **client);
    if (!fetched.ok()) return fetched.status();
    experts = *std::move(fetched);
    absl::StatusOr<std::vector<Explanation>> explained = Explain(
        *scores, facts->lengths, experts, options.class_name, *options.explain);
    if (!explained.ok()) return explained.status();
    explanations = *std::move(explained);
    if (!options.per_expert) scores->expert_scores.clear();
  }
  const absl::Status status = WriteFiles(options, *scores, explanations,
                                         facts->images, *spec, data->first_row);
  if (!status.ok()) return status;
  return Print(*scores, *truth, explanations,
               ShownRows(options, *scores, context.json), data->first_row,
               NounOf(*spec), context.json);
}

}  // namespace

void AddScoreCommand(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ScoreOptions>();
  CLI::App* command =
      AddCommand(app, context, "score", ScorePage(),
                 [options, &context] { return Score(*options, context); });
  AddScoreOptions(*command, *options);
}

}  // namespace poe::client
