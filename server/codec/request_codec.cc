#include "server/codec/request_codec.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/errors.h"

namespace poe::server {
namespace {

// The number of a field where 0 stands for `fallback`.
absl::StatusOr<int> DecodeCount(std::int32_t value, int fallback,
                                std::int64_t limit, absl::string_view field) {
  fallback = static_cast<int>(std::min<std::int64_t>(fallback, limit));
  if (value == 0) value = fallback;
  if (value < 1 || value > limit)
    return FieldError(field, "OUT_OF_RANGE",
                      absl::StrCat("is ", value, "; must be 1 to ", limit,
                                   ", or 0 for ", fallback),
                      {{"limit", absl::StrCat(limit)}});
  return value;
}

// What a Gibbs step of one row takes however few its parameters are: draws and
// exponentials.
constexpr double kLeastStepWork = 1000;

// Parameters of the products that a request may have to ask: of one class or,
// for -1, of all.
double ParametersOf(const Model& model, Index class_index, Index layer) {
  double parameters = 0;
  for (Index c = 0; c < model.num_classes(); ++c) {
    if (class_index < 0 || class_index == c)
      parameters +=
          static_cast<double>(model.classes[c].layers[layer].num_parameters());
  }
  return parameters;
}

// `rows` are those of all chains together; `field` gives the steps.
absl::Status CheckWork(double rows, int steps, double parameters,
                       const RequestLimits& limits, absl::string_view field) {
  const double of_step = rows * std::max(parameters, kLeastStepWork);
  const auto limit = static_cast<double>(limits.work);
  if (of_step * steps <= limit) return absl::OkStatus();
  const auto most = static_cast<std::int64_t>(limit / of_step);
  return FieldError(
      field, "TOO_MUCH_WORK",
      absl::StrCat("is ", steps, " for ", rows, " rows of all chains and ",
                   parameters, " parameters, more than ", limit,
                   " multiplications in one request; ",
                   most > 0 ? absl::StrCat("must be at most ", most,
                                           ", or rows or chains fewer")
                            : "rows or chains must be fewer"),
      {{"limit", absl::StrCat(most)}});
}

// The layer asked for, or `absent`. Only the lowest takes rows with missing
// values, or holds values where they are.
template <typename Request>
absl::StatusOr<Index> DecodeLayer(const Request& request, const Model& model,
                                  Index absent, bool needs_lowest,
                                  absl::string_view why) {
  if (!request.has_layer()) return needs_lowest ? 0 : absent;
  const Index layer = request.layer(), layers = model.num_layers();
  if (layer < 0 || layer >= layers)
    return FieldError(
        "layer", "OUT_OF_RANGE",
        layers == 1
            ? absl::StrCat("is ", layer, "; this model has one layer, 0")
            : absl::StrCat("is ", layer, "; this model has ", layers,
                           " layers, 0 to ", layers - 1),
        {{"layers", absl::StrCat(layers)}});
  if (layer > 0 && needs_lowest)
    return FieldError("layer", "CONFLICT",
                      absl::StrCat("is ", layer, ", but ", why,
                                   "; that takes layer 0, the lowest"));
  return layer;
}

absl::Status CheckExpertScores(const Model& model, std::int64_t rows,
                               const RequestLimits& limits) {
  std::int64_t experts = 0, row_bytes = 0;
  for (const ClassModel& one : model.classes) {
    const std::int64_t of_class = one.layers[0].num_experts();
    experts += of_class;
    row_bytes += of_class * static_cast<std::int64_t>(sizeof(double));
    if (one.usual_verdicts.has_value())
      row_bytes += of_class * static_cast<std::int64_t>(sizeof(float));
  }
  const std::int64_t most =
      limits.expert_score_bytes / std::max<std::int64_t>(row_bytes, 1);
  if (rows <= most) return absl::OkStatus();
  return FieldError("per_expert", "TOO_MANY_ROWS",
                    absl::StrCat("is set for ", rows, " rows of ", experts,
                                 " experts; at most ", most,
                                 " such rows are scored at a time"),
                    {{"limit", absl::StrCat(most)}});
}

// InvalidArgument for an observation of which nothing is known.
absl::Status CheckObserved(const DataSpec& spec, const RawRows& rows) {
  const Index unobserved = FindUnobserved(spec, rows);
  if (unobserved < 0) return absl::OkStatus();
  return FieldError(
      "observations.mask", "NOTHING_OBSERVED",
      absl::StrCat("leaves nothing observed of ",
                   spec.sequential ? "sequence " : "row ", unobserved,
                   spec.input_coordinates.empty() ? "" : " but its inputs",
                   "; a score needs an observed value"));
}

absl::StatusOr<std::optional<IncompleteScoreOptions>> DecodeMissing(
    const v1::ScoreRequest& request, const DecodedRows& rows,
    const Model& model, const RequestLimits& limits, std::uint64_t fresh_seed) {
  constexpr int kChains = 16, kTemperatures = 100;
  if (!request.has_missing()) {
    if (!rows.has_missing()) return std::nullopt;
    return FieldError("observations.mask", "MISSING_VALUES",
                      "marks missing values; set `missing` to have the scores "
                      "of what was observed estimated");
  }
  const v1::MissingValueEstimate& asked = request.missing();
  const absl::StatusOr<int> chains =
      DecodeCount(asked.chains(), kChains, limits.chains, "missing.chains");
  if (!chains.ok()) return chains.status();
  if (*chains < 2)
    return FieldError("missing.chains", "OUT_OF_RANGE",
                      "is 1; an error takes at least 2");
  const absl::StatusOr<int> temperatures =
      DecodeCount(asked.temperatures(), kTemperatures, limits.steps,
                  "missing.temperatures");
  if (!temperatures.ok()) return temperatures.status();
  if (absl::Status status = CheckObserved(model.data_spec, rows.View());
      !status.ok())
    return status;
  if (absl::Status status =
          CheckWork(static_cast<double>(rows.frames()) * *chains, *temperatures,
                    ParametersOf(model, -1, 0), limits, "missing.temperatures");
      !status.ok())
    return status;
  IncompleteScoreOptions options;
  options.chains = *chains;
  options.inverse_temperatures = EvenInverseTemperatures(*temperatures);
  options.seed = asked.has_seed() ? asked.seed() : fresh_seed;
  return options;
}

// Whether the request starts from rows it brings, and whether they stay.
absl::StatusOr<std::pair<bool, bool>> DecodeStart(
    const v1::SampleRequest& request, const Model& model) {
  const bool given = request.has_start_from();
  switch (request.start()) {
    case v1::SampleRequest::START_UNSPECIFIED:
    case v1::SampleRequest::START_RANDOM:
      if (given)
        return FieldError("start_from", "CONFLICT",
                          "is given; it is for START_DATA and START_GIVEN");
      if (!model.data_spec.input_coordinates.empty())
        return FieldError("start_from", "REQUIRED",
                          "is missing; this model is conditional, its chains "
                          "need inputs");
      return std::pair(false, false);
    case v1::SampleRequest::START_DATA:
    case v1::SampleRequest::START_GIVEN:
      if (!given)
        return FieldError(
            "start_from", "REQUIRED",
            absl::StrCat("is missing; ",
                         v1::SampleRequest::Start_Name(request.start()),
                         " needs an observation for each chain"));
      return std::pair(true, request.start() == v1::SampleRequest::START_GIVEN);
    default:
      return FieldError("start", "INVALID_VALUE",
                        absl::StrCat("is ", static_cast<int>(request.start()),
                                     "; must be START_RANDOM, START_DATA or "
                                     "START_GIVEN"));
  }
}

absl::Status CheckSteps(const v1::SampleRequest& request, int steps) {
  if (request.annealing_steps() < 0 || request.annealing_steps() > steps)
    return FieldError("annealing_steps", "OUT_OF_RANGE",
                      absl::StrCat("is ", request.annealing_steps(),
                                   "; must be 0 to steps, which is ", steps));
  if (request.thinning() < 0)
    return FieldError(
        "thinning", "OUT_OF_RANGE",
        absl::StrCat("is ", request.thinning(), "; must be at least 0"));
  return absl::OkStatus();
}

// Of each chain, for sequences that start at random; 1 for all else.
absl::StatusOr<Index> DecodeLength(const v1::SampleRequest& request,
                                   const Model& model, bool given, int chains,
                                   const RequestLimits& limits) {
  const std::int64_t length = request.length();
  if (!model.data_spec.sequential || given) {
    if (length == 0) return Index{1};
    return FieldError("length", "NOT_ALLOWED",
                      given ? "is given; chains have the lengths of start_from"
                            : "is given; it is for models of sequences");
  }
  if (length == 0)
    return FieldError("length", "REQUIRED",
                      "is missing; this model draws sequences, say of how many "
                      "rows");
  const std::int64_t most = limits.rows / chains;
  if (length < 1 || length > most)
    return FieldError(
        "length", "OUT_OF_RANGE",
        absl::StrCat("is ", length, "; must be 1 to ", most, " for ", chains,
                     " chains, whose rows are "
                     "at most ",
                     limits.rows, " together"),
        {{"limit", absl::StrCat(most)}});
  return length;
}

}  // namespace

absl::StatusOr<Index> FindClass(const Model& model, absl::string_view name,
                                absl::string_view field) {
  constexpr std::size_t kMost = 20;
  std::vector<std::string> names;
  for (Index c = 0; c < model.num_classes(); ++c) {
    if (model.classes[c].name == name) return c;
    if (names.size() < kMost) names.push_back(Quoted(model.classes[c].name));
  }
  std::string list = absl::StrJoin(names, ", ");
  if (model.classes.size() > kMost)
    absl::StrAppend(&list, " and ", model.classes.size() - kMost, " more");
  return FieldError(field, "UNKNOWN_CLASS",
                    absl::StrCat("is ", name.empty() ? "empty" : Quoted(name),
                                 "; this model's classes are ", list));
}

absl::StatusOr<DecodedScore> DecodeScore(const v1::ScoreRequest& request,
                                         const Model& model,
                                         const RequestLimits& limits,
                                         std::uint64_t fresh_seed) {
  absl::StatusOr<DecodedRows> rows =
      DecodeObservations(request.observations(), model.data_spec, {limits.rows},
                         /*weights_allowed=*/false);
  if (!rows.ok()) return rows.status();
  const auto missing = DecodeMissing(request, *rows, model, limits, fresh_seed);
  if (!missing.ok()) return missing.status();
  if (request.per_expert()) {
    absl::Status status = CheckExpertScores(model, rows->rows, limits);
    if (!status.ok()) return status;
  }
  return DecodedScore{*std::move(rows), {request.per_expert(), *missing}};
}

absl::StatusOr<DecodedReconstruct> DecodeReconstruct(
    const v1::ReconstructRequest& request, const Model& model,
    const RequestLimits& limits, std::uint64_t fresh_seed) {
  constexpr int kSteps = 1, kStepsWithMask = 10;
  absl::StatusOr<DecodedRows> rows =
      DecodeObservations(request.observations(), model.data_spec, {limits.rows},
                         /*weights_allowed=*/false);
  if (!rows.ok()) return rows.status();
  ReconstructOptions options;
  if (!request.class_name().empty()) {
    const absl::StatusOr<Index> found = FindClass(model, request.class_name());
    if (!found.ok()) return found.status();
    options.class_index = *found;
  }
  const absl::StatusOr<int> steps = DecodeCount(
      request.steps(),
      request.observations().mask().empty() ? kSteps : kStepsWithMask,
      limits.steps, "steps");
  if (!steps.ok()) return steps.status();
  options.steps = *steps;
  const absl::StatusOr<int> chains =
      DecodeCount(request.chains(), 1, limits.chains, "chains");
  if (!chains.ok()) return chains.status();
  options.chains = *chains;
  switch (request.output()) {
    case v1::ReconstructRequest::OUTPUT_UNSPECIFIED:
    case v1::ReconstructRequest::OUTPUT_MEAN:
      options.output = Reconstruction::kMean;
      break;
    case v1::ReconstructRequest::OUTPUT_SAMPLE:
      options.output = Reconstruction::kSample;
      break;
    default:
      return FieldError("output", "INVALID_VALUE",
                        absl::StrCat("is ", static_cast<int>(request.output()),
                                     "; must be OUTPUT_MEAN or "
                                     "OUTPUT_SAMPLE"));
  }
  if (options.output == Reconstruction::kSample && options.chains > 1)
    return FieldError("chains", "CONFLICT",
                      absl::StrCat("is ", options.chains,
                                   "; draws are not averaged, leave it out or "
                                   "ask for OUTPUT_MEAN"));
  const absl::StatusOr<Index> layer =
      DecodeLayer(request, model, 0, rows->has_missing(),
                  "observations.mask marks missing values");
  if (!layer.ok()) return layer.status();
  options.layer = *layer;
  if (absl::Status status = CheckWork(
          static_cast<double>(rows->frames()) * options.chains, options.steps,
          ParametersOf(model, options.class_index, options.layer), limits,
          "steps");
      !status.ok())
    return status;
  options.seed = request.has_seed() ? request.seed() : fresh_seed;
  return DecodedReconstruct{*std::move(rows), options};
}

absl::StatusOr<DecodedSample> DecodeSample(const v1::SampleRequest& request,
                                           const Model& model,
                                           const RequestLimits& limits,
                                           std::uint64_t fresh_seed) {
  constexpr int kChains = 1, kSteps = 1000;
  DecodedSample decoded;
  SampleOptions& options = decoded.options;
  if (model.num_classes() > 1 || !request.class_name().empty()) {
    const absl::StatusOr<Index> found = FindClass(model, request.class_name());
    if (!found.ok()) return found.status();
    options.class_index = *found;
  }
  const absl::StatusOr<int> steps =
      DecodeCount(request.steps(), kSteps, limits.steps, "steps");
  if (!steps.ok()) return steps.status();
  absl::Status status = CheckSteps(request, *steps);
  if (!status.ok()) return status;
  options.steps = *steps;
  options.annealing_steps = request.annealing_steps();
  options.thinning = request.thinning();
  options.mean = request.mean();
  options.seed = request.has_seed() ? request.seed() : fresh_seed;

  const absl::StatusOr<std::pair<bool, bool>> start =
      DecodeStart(request, model);
  if (!start.ok()) return start.status();
  decoded.clamp = start->second;
  if (start->first) {
    absl::StatusOr<DecodedRows> rows = DecodeObservations(
        request.start_from(), model.data_spec,
        model.data_spec.sequential
            ? RowLimits{limits.rows, limits.chains}
            : RowLimits{std::min(limits.rows, limits.chains)},
        /*weights_allowed=*/false, "start_from");
    if (!rows.ok()) return rows.status();
    decoded.start = *std::move(rows);
  }
  const bool missing = decoded.start && decoded.start->has_missing();
  const absl::StatusOr<Index> layer = DecodeLayer(
      request, model, model.num_layers() - 1, decoded.clamp || missing,
      decoded.clamp ? "START_GIVEN holds observed values"
                    : "start_from.mask marks missing values");
  if (!layer.ok()) return layer.status();
  options.layer = *layer;
  const absl::StatusOr<int> chains = DecodeCount(
      request.chains(),
      decoded.start ? static_cast<int>(decoded.start->rows) : kChains,
      limits.chains, "chains");
  if (!chains.ok()) return chains.status();
  options.chains = *chains;
  if (decoded.start && decoded.start->rows != options.chains)
    return FieldError("start_from", "WRONG_SIZE",
                      absl::StrCat("has ", decoded.start->rows,
                                   " observations; must have one for each of ",
                                   options.chains, " chains"));
  const absl::StatusOr<Index> length =
      DecodeLength(request, model, start->first, options.chains, limits);
  if (!length.ok()) return length.status();
  options.length = *length;
  const Index frames =
      decoded.start ? decoded.start->frames() : options.chains * options.length;
  if (absl::Status status =
          CheckWork(static_cast<double>(frames), options.steps,
                    ParametersOf(model, options.class_index, options.layer),
                    limits, "steps");
      !status.ok())
    return status;
  return decoded;
}

}  // namespace poe::server
