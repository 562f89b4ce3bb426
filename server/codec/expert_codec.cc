#include "server/codec/expert_codec.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/experts/gaussian_mixture.h"
#include "poe/experts/gaussian_tree.h"
#include "poe/experts/hidden_markov.h"
#include "poe/experts/linear_dynamical.h"
#include "poe/experts/unigauss.h"
#include "poe/initialization.h"
#include "server/codec/tensor_codec.h"
#include "server/errors.h"

namespace poe::server {
namespace {

using Group = ExpertGroup<float>;
using StatusOrGroup = absl::StatusOr<std::unique_ptr<Group>>;
using Shape = std::vector<std::int64_t>;

constexpr absl::string_view kInvalid = "INVALID_PARAMETERS";
// Log variances beyond these leave the range of float once exponentiated.
constexpr float kGreatestStoredLogVariance = 80;

// A block of parameters as a tensor of this shape.
void EncodeBlock(const Group& group, std::size_t block, const Shape& shape,
                 v1::Tensor* tensor) {
  EncodeTensor(ConstRowMatrixRef<float>(group.block(block)), tensor, shape);
}

// Reads the tensors of one message; the first error stays.
class Reader {
 public:
  explicit Reader(absl::string_view field) : field_(field) {}

  const absl::Status& status() const { return status_; }

  // Lengths of a tensor's dimensions, of which there must be `dimensions`,
  // each at least 1; ones after an error.
  Shape ShapeOf(const v1::Tensor& tensor, absl::string_view name,
                int dimensions) {
    Shape shape(tensor.shape().begin(), tensor.shape().end());
    if (static_cast<int>(shape.size()) == dimensions &&
        *std::min_element(shape.begin(), shape.end()) >= 1)
      return shape;
    status_.Update(
        FieldError(absl::StrCat(field_, ".", name, ".shape"), "INVALID_SHAPE",
                   absl::StrCat("is ", ShapeText(shape), "; must have ",
                                dimensions, " dimensions, each at least 1")));
    return Shape(dimensions, 1);
  }

  // A tensor of exactly this shape, as a matrix with `columns` columns.
  RowMatrix<float> Read(const v1::Tensor& tensor, absl::string_view name,
                        const Shape& shape, Index columns) {
    if (!status_.ok()) return {};
    const auto values =
        DecodeParameters(tensor, absl::StrCat(field_, ".", name), shape);
    if (!values.ok()) {
      status_ = values.status();
      return {};
    }
    return Eigen::Map<const RowMatrix<float>>(
        values->data(), static_cast<Index>(values->size()) / columns, columns);
  }

  // The same, and widens the bounds of `settings` so that loading changes no
  // value.
  template <typename Settings>
  RowMatrix<float> ReadLogVariance(const v1::Tensor& tensor,
                                   absl::string_view name, const Shape& shape,
                                   Index columns, Settings& settings) {
    RowMatrix<float> values = Read(tensor, name, shape, columns);
    for (Index i = 0; status_.ok() && i < values.size(); ++i) {
      const double value = values.data()[i];
      if (!(std::abs(value) <= kGreatestStoredLogVariance))
        status_ =
            FieldError(absl::StrCat(field_, ".", name, PlaceText(shape, i)),
                       "INVALID_VALUE",
                       absl::StrCat("is ", value, "; must be in [-",
                                    kGreatestStoredLogVariance, ", ",
                                    kGreatestStoredLogVariance, "]"));
      settings.least_log_variance =
          std::min(settings.least_log_variance, value);
      settings.greatest_log_variance =
          std::max(settings.greatest_log_variance, value);
    }
    return values;
  }

  // Widens the bounds of `settings` for logarithms of standard deviations,
  // which are kept in half of them.
  template <typename Settings>
  void WidenForDeviations(const RowMatrix<float>& logarithms,
                          Settings& settings) const {
    if (!status_.ok() || !logarithms.allFinite()) return;
    const float most = logarithms.cwiseAbs().maxCoeff();
    const double reach = 2 * std::min(most, kGreatestStoredLogVariance / 2);
    settings.least_log_variance =
        std::min(settings.least_log_variance, -reach);
    settings.greatest_log_variance =
        std::max(settings.greatest_log_variance, reach);
  }

  // The group that T::Create makes of the settings, unless there was an error.
  template <typename T>
  StatusOrGroup Create(typename T::Settings settings) {
    if (!status_.ok()) return status_;
    auto group = T::Create(std::move(settings));
    if (!group.ok()) return AsFieldError(field_, kInvalid, group.status());
    return *std::move(group);
  }

 private:
  std::string field_;
  absl::Status status_;
};

// --- Decoding, a function for each kind ---

StatusOrGroup Decode(const v1::BernoulliUnits& message, const DataSpec& spec,
                     float power, absl::string_view field) {
  Reader reader(field);
  const std::int64_t experts =
      reader.ShapeOf(message.weights(), "weights", 2)[1];
  const RowMatrix<float> weights = reader.Read(
      message.weights(), "weights", {spec.width(), experts}, experts);
  const RowMatrix<float> bias =
      reader.Read(message.bias(), "bias", {experts}, 1);
  if (!reader.status().ok()) return reader.status();
  auto group = BernoulliUnits<float>::Create(weights, bias, power);
  if (!group.ok()) return AsFieldError(field, kInvalid, group.status());
  return *std::move(group);
}

StatusOrGroup Decode(const v1::Unigauss& message, const DataSpec& spec,
                     float power, absl::string_view field) {
  if (spec.family != Family::kGaussian)
    return FieldError(field, "CONFLICT",
                      "is given; unigauss experts need FAMILY_GAUSSIAN");
  Reader reader(field);
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
  Reader reader(field);
  GaussianMixture<float>::Settings settings;
  settings.power = power;
  const Shape shape = reader.ShapeOf(message.mixing_logit(), "mixing_logit", 2);
  const Shape components = {shape[0], shape[1], spec.dimension};
  settings.mean =
      reader.Read(message.mean(), "mean", components, spec.dimension);
  settings.log_variance =
      reader.ReadLogVariance(message.log_variance(), "log_variance", components,
                             spec.dimension, settings);
  settings.mixing_logit =
      reader.Read(message.mixing_logit(), "mixing_logit", shape, shape[1]);
  return reader.Create<GaussianMixture<float>>(std::move(settings));
}

StatusOrGroup Decode(const v1::HiddenMarkov& message, const DataSpec& spec,
                     float power, absl::string_view field) {
  Reader reader(field);
  HiddenMarkov<float>::Settings settings;
  settings.power = power;
  const Shape shape =
      reader.ShapeOf(message.initial_logit(), "initial_logit", 2);
  const std::int64_t experts = shape[0], states = shape[1];
  settings.initial_logit =
      reader.Read(message.initial_logit(), "initial_logit", shape, states);
  settings.transition_logit =
      reader.Read(message.transition_logit(), "transition_logit",
                  {experts, states, states}, states);
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
    const Shape emission = {experts, states, spec.dimension};
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
  Reader reader(field);
  LinearDynamical<float>::Settings settings;
  settings.power = power;
  const Shape shape = reader.ShapeOf(message.initial_mean(), "initial_mean", 2);
  const std::int64_t experts = shape[0], latents = shape[1];
  const std::int64_t triangle =
      latents < 65536 ? latents * (latents + 1) / 2 : 0;
  const Index dimension = spec.dimension;
  settings.initial_mean =
      reader.Read(message.initial_mean(), "initial_mean", shape, latents);
  settings.initial_log_cholesky =
      reader.Read(message.initial_log_cholesky(), "initial_log_cholesky",
                  {experts, triangle}, triangle);
  settings.transition = reader.Read(message.transition(), "transition",
                                    {experts, latents, latents}, latents);
  settings.transition_log_cholesky =
      reader.Read(message.transition_log_cholesky(), "transition_log_cholesky",
                  {experts, triangle}, triangle);
  settings.emission = reader.Read(message.emission(), "emission",
                                  {experts, dimension, latents}, latents);
  settings.emission_offset =
      reader.Read(message.emission_offset(), "emission_offset",
                  {experts, dimension}, dimension);
  settings.emission_log_variance = reader.ReadLogVariance(
      message.emission_log_variance(), "emission_log_variance",
      {experts, dimension}, dimension, settings);
  reader.WidenForDeviations(settings.initial_log_cholesky, settings);
  reader.WidenForDeviations(settings.transition_log_cholesky, settings);
  return reader.Create<LinearDynamical<float>>(std::move(settings));
}

StatusOrGroup Decode(const v1::GaussianTree& message, const DataSpec& spec,
                     float power, absl::string_view field) {
  Reader reader(field);
  GaussianTree<float>::Settings settings;
  settings.power = power;
  const Shape mixing =
      reader.ShapeOf(message.mixing_logit(), "mixing_logit", 2);
  const std::int64_t trees = message.num_trees();
  if (trees < 1 || (mixing[1] != trees && mixing[1] != trees + 1))
    return FieldError(
        absl::StrCat(field, ".num_trees"), "OUT_OF_RANGE",
        absl::StrCat("is ", trees,
                     "; must be at least 1, and the number of "
                     "mixing logits of an expert, or one less with a uniform; "
                     "there are ",
                     mixing[1]));
  const Shape shape = {mixing[0], trees, spec.dimension};
  settings.parents.assign(message.parent().begin(), message.parent().end());
  settings.weight =
      reader.Read(message.weight(), "weight", shape, spec.dimension);
  settings.offset =
      reader.Read(message.offset(), "offset", shape, spec.dimension);
  settings.log_variance = reader.ReadLogVariance(
      message.log_variance(), "log_variance", shape, spec.dimension, settings);
  settings.mixing_logit =
      reader.Read(message.mixing_logit(), "mixing_logit", mixing, mixing[1]);
  return reader.Create<GaussianTree<float>>(std::move(settings));
}

// --- Encoding, a function for each kind ---

void Encode(const BernoulliUnits<float>& group, v1::ExpertGroup* message) {
  v1::BernoulliUnits& units = *message->mutable_bernoulli_units();
  const Index experts = group.num_experts();
  EncodeBlock(group, 0, {group.dimension(), experts}, units.mutable_weights());
  EncodeBlock(group, 1, {experts}, units.mutable_bias());
}

void Encode(const Unigauss<float>& group, v1::ExpertGroup* message) {
  v1::Unigauss& unigauss = *message->mutable_unigauss();
  const Index experts = group.num_experts();
  EncodeBlock(group, 0, {experts, group.dimension()}, unigauss.mutable_mean());
  EncodeBlock(group, 1, {experts, group.blocks()[1].cols},
              unigauss.mutable_log_variance());
  EncodeBlock(group, 2, {experts}, unigauss.mutable_mixing_logit());
}

void Encode(const GaussianMixture<float>& group, v1::ExpertGroup* message) {
  v1::GaussianMixture& mixture = *message->mutable_gaussian_mixture();
  const Shape shape = {group.num_experts(), group.num_components(),
                       group.dimension()};
  EncodeBlock(group, 0, shape, mixture.mutable_mean());
  EncodeBlock(group, 1, shape, mixture.mutable_log_variance());
  EncodeBlock(group, 2, {shape[0], shape[1]}, mixture.mutable_mixing_logit());
}

void Encode(const HiddenMarkov<float>& group, v1::ExpertGroup* message) {
  v1::HiddenMarkov& markov = *message->mutable_hidden_markov();
  const Index experts = group.num_experts(), states = group.num_states();
  EncodeBlock(group, 0, {experts, states}, markov.mutable_initial_logit());
  EncodeBlock(group, 1, {experts, states, states},
              markov.mutable_transition_logit());
  if (group.has_symbols()) {
    EncodeBlock(group, 2,
                {experts, states, group.dimension() / group.num_symbols(),
                 group.num_symbols()},
                markov.mutable_categorical()->mutable_logit());
    return;
  }
  const Shape emission = {experts, states, group.dimension()};
  EncodeBlock(group, 2, emission, markov.mutable_gaussian()->mutable_mean());
  EncodeBlock(group, 3, emission,
              markov.mutable_gaussian()->mutable_log_variance());
}

void Encode(const LinearDynamical<float>& group, v1::ExpertGroup* message) {
  v1::LinearDynamical& system = *message->mutable_linear_dynamical();
  const Index experts = group.num_experts(), latents = group.num_latents();
  const Index dimension = group.dimension();
  const Shape triangle = {experts, latents * (latents + 1) / 2};
  EncodeBlock(group, 0, {experts, latents}, system.mutable_initial_mean());
  EncodeBlock(group, 1, triangle, system.mutable_initial_log_cholesky());
  EncodeBlock(group, 2, {experts, latents, latents},
              system.mutable_transition());
  EncodeBlock(group, 3, triangle, system.mutable_transition_log_cholesky());
  EncodeBlock(group, 4, {experts, dimension, latents},
              system.mutable_emission());
  EncodeBlock(group, 5, {experts, dimension}, system.mutable_emission_offset());
  EncodeBlock(group, 6, {experts, dimension},
              system.mutable_emission_log_variance());
}

void Encode(const GaussianTree<float>& group, v1::ExpertGroup* message) {
  v1::GaussianTree& tree = *message->mutable_gaussian_tree();
  const Shape shape = {group.num_experts(), group.num_trees(),
                       group.dimension()};
  tree.set_num_trees(static_cast<std::int32_t>(group.num_trees()));
  tree.mutable_parent()->Assign(group.parents().begin(), group.parents().end());
  EncodeBlock(group, 0, shape, tree.mutable_weight());
  EncodeBlock(group, 1, shape, tree.mutable_offset());
  EncodeBlock(group, 2, shape, tree.mutable_log_variance());
  EncodeBlock(group, 3, {shape[0], group.num_states()},
              tree.mutable_mixing_logit());
}

// Encodes the group if it is of kind T.
template <typename T>
bool EncodeIf(const Group& group, v1::ExpertGroup* message) {
  const auto* kind = dynamic_cast<const T*>(&group);
  if (kind != nullptr) Encode(*kind, message);
  return kind != nullptr;
}

}  // namespace

void EncodeGroup(const ExpertGroup<float>& group, v1::ExpertGroup* message) {
  if (group.power() != 1) message->set_power(group.power());
  EncodeIf<BernoulliUnits<float>>(group, message) ||
      EncodeIf<Unigauss<float>>(group, message) ||
      EncodeIf<GaussianMixture<float>>(group, message) ||
      EncodeIf<HiddenMarkov<float>>(group, message) ||
      EncodeIf<LinearDynamical<float>>(group, message) ||
      EncodeIf<GaussianTree<float>>(group, message);
}

absl::StatusOr<std::unique_ptr<ExpertGroup<float>>> DecodeGroup(
    const v1::ExpertGroup& message, const DataSpec& spec,
    absl::string_view field) {
  if (!message.coordinates().empty())
    return NotBuiltYet(absl::StrCat(field, ".coordinates"),
                       "is given; in this version experts see all coordinates");
  const auto power =
      message.has_power() ? static_cast<float>(message.power()) : 1.0f;
  if (!(power > 0) || !std::isfinite(power))
    return FieldError(
        absl::StrCat(field, ".power"), "OUT_OF_RANGE",
        absl::StrCat("is ", message.power(), "; must be positive"));
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

}  // namespace poe::server
