#include "server/codec/expert_codec.h"

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/experts/forest.h"
#include "poe/experts/gaussian_mixture.h"
#include "poe/experts/gaussian_tree.h"
#include "poe/experts/hidden_markov.h"
#include "poe/experts/linear_dynamical.h"
#include "poe/experts/selected_coordinates.h"
#include "poe/experts/unigauss.h"
#include "poe/initialization.h"
#include "server/codec/parameter_reader.h"
#include "server/errors.h"

namespace poe::server {
namespace {

StatusOrGroup Decode(const v1::BernoulliUnits& message, const DataSpec& spec,
                     float power, absl::string_view field) {
  ParameterReader reader(field);
  const std::int64_t experts =
      reader.ShapeOf(message.weights(), "weights", 2)[1];
  const RowMatrix<float> weights = reader.Read(
      message.weights(), "weights", {spec.width(), experts}, experts);
  const RowMatrix<float> bias =
      reader.Read(message.bias(), "bias", {experts}, 1);
  if (!reader.status().ok()) return reader.status();
  auto group = BernoulliUnits<float>::Create(weights, bias, power);
  if (!group.ok())
    return AsFieldError(field, kInvalidParameters, group.status());
  return *std::move(group);
}

StatusOrGroup Decode(const v1::Unigauss& message, const DataSpec& spec,
                     float power, absl::string_view field) {
  if (spec.family != Family::kGaussian)
    return FieldError(field, "CONFLICT",
                      "is given; unigauss experts need FAMILY_GAUSSIAN");
  ParameterReader reader(field);
  Unigauss<float>::Settings settings;
  settings.power = power;
  settings.log_volume = BoxOf(spec).log_volume;
  const std::int64_t experts = reader.ShapeOf(message.mean(), "mean", 2)[0];
  const v1::Tensor& variance = message.log_variance();
  const Index columns =
      variance.shape_size() == 2 && variance.shape(1) == 1 ? 1 : spec.dimension;
  settings.mean = reader.Read(message.mean(), "mean", {experts, spec.dimension},
                              spec.dimension);
  settings.log_variance = reader.ReadLogVariance(
      variance, "log_variance", {experts, columns}, columns, settings);
  settings.mixing_logit =
      reader.Read(message.mixing_logit(), "mixing_logit", {experts}, 1);
  return reader.Create<Unigauss<float>>(std::move(settings));
}

StatusOrGroup Decode(const v1::GaussianMixture& message, const DataSpec& spec,
                     float power, absl::string_view field) {
  ParameterReader reader(field);
  GaussianMixture<float>::Settings settings;
  settings.power = power;
  const ParameterShape shape =
      reader.ShapeOf(message.mixing_logit(), "mixing_logit", 2);
  settings.mixing_logit =
      reader.Read(message.mixing_logit(), "mixing_logit", shape, shape[1]);
  const ParameterShape components = {shape[0], shape[1], spec.dimension};
  settings.mean =
      reader.Read(message.mean(), "mean", components, spec.dimension);
  settings.log_variance =
      reader.ReadLogVariance(message.log_variance(), "log_variance", components,
                             spec.dimension, settings);
  return reader.Create<GaussianMixture<float>>(std::move(settings));
}

StatusOrGroup Decode(const v1::HiddenMarkov& message, const DataSpec& spec,
                     float power, absl::string_view field) {
  ParameterReader reader(field);
  HiddenMarkov<float>::Settings settings;
  settings.power = power;
  const ParameterShape shape =
      reader.ShapeOf(message.initial_logit(), "initial_logit", 2);
  const std::int64_t experts = shape[0], states = shape[1];
  settings.initial_logit =
      reader.Read(message.initial_logit(), "initial_logit", shape, states);
  settings.transition_logit =
      reader.Read(message.transition_logit(), "transition_logit",
                  {experts, states, states}, states);
  if (spec.real_inputs)
    return FieldError(field, "CONFLICT",
                      "is given; hidden Markov models cannot see real inputs "
                      "beside symbols (data_spec.real_inputs)");
  const bool symbols = spec.family == Family::kCategorical;
  if (message.has_categorical() != symbols || message.has_gaussian() == symbols)
    return FieldError(absl::StrCat(field, ".emission"), "CONFLICT",
                      symbols ? "must be categorical for FAMILY_CATEGORICAL"
                              : "must be gaussian for real-valued data");
  if (symbols) {
    settings.num_symbols = spec.num_symbols;
    settings.emission_logit = reader.Read(
        message.categorical().logit(), "categorical.logit",
        {experts, states, spec.dimension, spec.num_symbols}, spec.width());
  } else {
    const ParameterShape emission = {experts, states, spec.dimension};
    settings.mean = reader.Read(message.gaussian().mean(), "gaussian.mean",
                                emission, spec.dimension);
    settings.log_variance = reader.ReadLogVariance(
        message.gaussian().log_variance(), "gaussian.log_variance", emission,
        spec.dimension, settings);
  }
  return reader.Create<HiddenMarkov<float>>(std::move(settings));
}

StatusOrGroup Decode(const v1::LinearDynamical& message, const DataSpec& spec,
                     float power, absl::string_view field) {
  ParameterReader reader(field);
  LinearDynamical<float>::Settings settings;
  settings.power = power;
  const ParameterShape shape =
      reader.ShapeOf(message.initial_mean(), "initial_mean", 2);
  const std::int64_t experts = shape[0], latents = shape[1];
  const Index dimension = spec.dimension;
  settings.initial_mean =
      reader.Read(message.initial_mean(), "initial_mean", shape, latents);
  if (!reader.status().ok()) return reader.status();
  settings.initial_log_cholesky = reader.ReadLogCholesky(
      message.initial_log_cholesky(), "initial_log_cholesky", experts, latents,
      settings);
  settings.transition = reader.Read(message.transition(), "transition",
                                    {experts, latents, latents}, latents);
  settings.transition_log_cholesky = reader.ReadLogCholesky(
      message.transition_log_cholesky(), "transition_log_cholesky", experts,
      latents, settings);
  settings.emission = reader.Read(message.emission(), "emission",
                                  {experts, dimension, latents}, latents);
  settings.emission_offset =
      reader.Read(message.emission_offset(), "emission_offset",
                  {experts, dimension}, dimension);
  settings.emission_log_variance = reader.ReadLogVariance(
      message.emission_log_variance(), "emission_log_variance",
      {experts, dimension}, dimension, settings);
  return reader.Create<LinearDynamical<float>>(std::move(settings));
}

// That `parents` are as many forests as `weight` has rows.
absl::Status CheckForests(absl::Span<const std::int32_t> parents,
                          const RowMatrix<float>& weight,
                          absl::string_view field) {
  if (static_cast<Index>(parents.size()) != weight.size())
    return FieldError(
        field, "WRONG_SIZE",
        absl::StrCat("has ", parents.size(), " elements; must have ",
                     weight.size(), ", like the weights"));
  for (Index t = 0; t < weight.rows(); ++t) {
    const absl::Status forest =
        ValidateForest(parents.subspan(t * weight.cols(), weight.cols()));
    if (!forest.ok())
      return FieldError(field, kInvalidParameters,
                        absl::StrCat("of tree ", t, ": ", forest.message()));
  }
  return absl::OkStatus();
}

StatusOrGroup Decode(const v1::GaussianTree& message, const DataSpec& spec,
                     float power, absl::string_view field) {
  ParameterReader reader(field);
  GaussianTree<float>::Settings settings;
  settings.power = power;
  const ParameterShape mixing =
      reader.ShapeOf(message.mixing_logit(), "mixing_logit", 2);
  settings.mixing_logit =
      reader.Read(message.mixing_logit(), "mixing_logit", mixing, mixing[1]);
  const std::int64_t trees = message.num_trees();
  if (!reader.status().ok()) return reader.status();
  if (trees < 1 || (mixing[1] != trees && mixing[1] != trees + 1))
    return FieldError(
        absl::StrCat(field, ".num_trees"), "OUT_OF_RANGE",
        absl::StrCat("is ", trees,
                     "; must be at least 1, and the number of "
                     "mixing logits of an expert, or one less with a uniform; "
                     "there are ",
                     mixing[1]));
  const ParameterShape shape = {mixing[0], trees, spec.dimension};
  settings.parents.assign(message.parent().begin(), message.parent().end());
  settings.weight =
      reader.Read(message.weight(), "weight", shape, spec.dimension);
  settings.offset =
      reader.Read(message.offset(), "offset", shape, spec.dimension);
  settings.log_variance = reader.ReadLogVariance(
      message.log_variance(), "log_variance", shape, spec.dimension, settings);
  if (!reader.status().ok()) return reader.status();
  const absl::Status forests = CheckForests(settings.parents, settings.weight,
                                            absl::StrCat(field, ".parent"));
  if (!forests.ok()) return forests;
  return reader.Create<GaussianTree<float>>(std::move(settings));
}

StatusOrGroup DecodeKind(const v1::ExpertGroup& message, const DataSpec& spec,
                         float power, absl::string_view field) {
  switch (message.kind_case()) {
    case v1::ExpertGroup::kBernoulliUnits:
      return Decode(message.bernoulli_units(), spec, power,
                    absl::StrCat(field, ".bernoulli_units"));
    case v1::ExpertGroup::kUnigauss:
      return Decode(message.unigauss(), spec, power,
                    absl::StrCat(field, ".unigauss"));
    case v1::ExpertGroup::kGaussianMixture:
      return Decode(message.gaussian_mixture(), spec, power,
                    absl::StrCat(field, ".gaussian_mixture"));
    case v1::ExpertGroup::kHiddenMarkov:
      return Decode(message.hidden_markov(), spec, power,
                    absl::StrCat(field, ".hidden_markov"));
    case v1::ExpertGroup::kLinearDynamical:
      return Decode(message.linear_dynamical(), spec, power,
                    absl::StrCat(field, ".linear_dynamical"));
    case v1::ExpertGroup::kGaussianTree:
      return Decode(message.gaussian_tree(), spec, power,
                    absl::StrCat(field, ".gaussian_tree"));
    default:
      return FieldError(field, "REQUIRED", "names no kind of expert");
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<ExpertGroup<float>>> DecodeGroup(
    const v1::ExpertGroup& message, const DataSpec& spec,
    absl::string_view field) {
  const auto power =
      message.has_power() ? static_cast<float>(message.power()) : 1.0f;
  if (!(power > 0) || !std::isfinite(power))
    return FieldError(
        absl::StrCat(field, ".power"), "OUT_OF_RANGE",
        absl::StrCat("is ", message.power(), "; must be positive"));
  const std::vector<Index> coordinates(message.coordinates().begin(),
                                       message.coordinates().end());
  if (absl::Status status = ValidateCoordinates(spec, coordinates);
      !status.ok())
    return AsFieldError(field, kInvalidParameters, status);
  auto group = DecodeKind(
      message,
      coordinates.empty() ? spec : SelectCoordinates(spec, coordinates), power,
      field);
  if (!group.ok()) return group;
  if (!(*group)->Supports(spec.family))
    return FieldError(field, "CONFLICT",
                      "has experts that cannot see data of data_spec.family");
  if ((*group)->sequential() != spec.sequential)
    return FieldError(field, "CONFLICT",
                      absl::StrCat("has experts for ",
                                   spec.sequential ? "dense rows" : "sequences",
                                   ", but data_spec.sequential is ",
                                   spec.sequential ? "true" : "false"));
  if (coordinates.empty()) return group;
  return SelectedCoordinates<float>::Create(
      *std::move(group), ColumnsOf(spec, coordinates), spec.width());
}

}  // namespace poe::server
