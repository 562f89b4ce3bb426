#include "server/codec/product_codec.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "poe/bases/bernoulli.h"
#include "poe/bases/categorical.h"
#include "poe/bases/gaussian.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/experts/unigauss.h"
#include "poe/initialization.h"
#include "server/codec/tensor_codec.h"
#include "server/errors.h"

namespace poe::server {
namespace {

constexpr absl::string_view kInvalid = "INVALID_PARAMETERS";
// Log variances beyond these leave the range of float once exponentiated.
constexpr float kGreatestStoredLogVariance = 80;

template <typename T>
using StatusOrUnique = absl::StatusOr<std::unique_ptr<T>>;

Vector<float> ToVector(const std::vector<float>& values) {
  return Eigen::Map<const Vector<float>>(values.data(),
                                         static_cast<Index>(values.size()));
}

RowMatrix<float> ToMatrix(const std::vector<float>& values, Index rows,
                          Index columns) {
  return Eigen::Map<const RowMatrix<float>>(values.data(), rows, columns);
}

// One block as a vector or, with two dimensions, as a matrix.
template <typename Parameterized>
void EncodeVector(const Parameterized& from, std::size_t block,
                  v1::Tensor* tensor) {
  const auto matrix = from.block(block);
  const std::int64_t shape[] = {matrix.size()};
  EncodeTensor(ConstRowMatrixRef<float>(matrix), tensor, shape);
}

template <typename Parameterized>
void EncodeMatrix(const Parameterized& from, std::size_t block,
                  v1::Tensor* tensor) {
  EncodeTensor(ConstRowMatrixRef<float>(from.block(block)), tensor);
}

bool IsEmpty(const v1::Tensor& tensor) {
  return tensor.data().empty() && tensor.values().empty() &&
         (tensor.shape().empty() ||
          std::find(tensor.shape().begin(), tensor.shape().end(), 0) !=
              tensor.shape().end());
}

// M, from the dimension of a tensor that holds it; the rest of the shapes is
// checked against it.
absl::StatusOr<std::int64_t> NumExperts(const v1::Tensor& tensor, int dimension,
                                        absl::string_view field) {
  if (tensor.shape_size() == 2 && tensor.shape(dimension) >= 1)
    return tensor.shape(dimension);
  return FieldError(
      absl::StrCat(field, ".shape"), "INVALID_SHAPE",
      absl::StrCat(
          "is ",
          ShapeText(
              absl::MakeConstSpan(tensor.shape().data(), tensor.shape_size())),
          "; must have two dimensions, of which one is the number of experts"));
}

// --- Bases ---

StatusOrUnique<Base<float>> DecodeBernoulliBase(
    const v1::BernoulliBase& message, const DataSpec& spec,
    absl::string_view field) {
  const auto bias = DecodeParameters(
      message.bias(), absl::StrCat(field, ".bias"), {spec.dimension});
  if (!bias.ok()) return bias.status();
  auto base = BernoulliBase<float>::Create(ToVector(*bias));
  if (!base.ok()) return AsFieldError(field, kInvalid, base.status());
  return *std::move(base);
}

StatusOrUnique<Base<float>> DecodeGaussianBase(const v1::GaussianBase& message,
                                               const DataSpec& spec,
                                               absl::string_view field) {
  const PreprocessedBox box = BoxOf(spec);
  GaussianBase<float>::Settings settings;
  settings.lower = box.lower;
  settings.upper = box.upper;
  if (!IsEmpty(message.mean()) || !IsEmpty(message.log_variance())) {
    const auto mean = DecodeParameters(
        message.mean(), absl::StrCat(field, ".mean"), {spec.dimension});
    if (!mean.ok()) return mean.status();
    const auto log_variance = DecodeParameters(
        message.log_variance(), absl::StrCat(field, ".log_variance"),
        {spec.dimension});
    if (!log_variance.ok()) return log_variance.status();
    settings.mean = ToVector(*mean);
    settings.log_variance = ToVector(*log_variance);
  }
  auto base = GaussianBase<float>::Create(std::move(settings));
  if (!base.ok()) return AsFieldError(field, kInvalid, base.status());
  return *std::move(base);
}

StatusOrUnique<Base<float>> DecodeCategoricalBase(
    const v1::CategoricalBase& message, const DataSpec& spec,
    absl::string_view field) {
  const auto logits =
      DecodeParameters(message.logits(), absl::StrCat(field, ".logits"),
                       {spec.dimension, spec.num_symbols});
  if (!logits.ok()) return logits.status();
  auto base = CategoricalBase<float>::Create(
      ToMatrix(*logits, spec.dimension, spec.num_symbols));
  if (!base.ok()) return AsFieldError(field, kInvalid, base.status());
  return *std::move(base);
}

StatusOrUnique<Base<float>> DecodeStructuredBase(
    const v1::StructuredGaussianBase& message, const DataSpec& spec,
    absl::string_view field) {
  const auto mean = DecodeParameters(
      message.mean(), absl::StrCat(field, ".mean"), {spec.dimension});
  if (!mean.ok()) return mean.status();
  const auto log_precision =
      DecodeParameters(message.log_precision(),
                       absl::StrCat(field, ".log_precision"), {spec.dimension});
  if (!log_precision.ok()) return log_precision.status();
  auto base = StructuredGaussianBase<float>::Create(ToVector(*mean),
                                                    -ToVector(*log_precision));
  if (!base.ok()) return AsFieldError(field, kInvalid, base.status());
  return *std::move(base);
}

StatusOrUnique<Base<float>> DecodeBase(const v1::Base& message,
                                       const DataSpec& spec,
                                       absl::string_view field) {
  switch (message.kind_case()) {
    case v1::Base::kBernoulli:
      if (spec.family == Family::kBernoulli)
        return DecodeBernoulliBase(message.bernoulli(), spec,
                                   absl::StrCat(field, ".bernoulli"));
      break;
    case v1::Base::kGaussian:
      if (spec.family == Family::kGaussian)
        return DecodeGaussianBase(message.gaussian(), spec,
                                  absl::StrCat(field, ".gaussian"));
      break;
    case v1::Base::kCategorical:
      if (spec.family == Family::kCategorical)
        return DecodeCategoricalBase(message.categorical(), spec,
                                     absl::StrCat(field, ".categorical"));
      break;
    case v1::Base::kStructuredGaussian:
      if (spec.family == Family::kStructuredGaussian)
        return DecodeStructuredBase(
            message.structured_gaussian(), spec,
            absl::StrCat(field, ".structured_gaussian"));
      break;
    default:
      return FieldError(field, "REQUIRED", "names no kind of base");
  }
  return FieldError(field, "CONFLICT",
                    "is not of the family of data_spec.family");
}

void EncodeBase(const Base<float>& base, v1::Base* message) {
  switch (base.family()) {
    case Family::kBernoulli:
      EncodeVector(base, 0, message->mutable_bernoulli()->mutable_bias());
      return;
    case Family::kCategorical: {
      const Index symbols =
          dynamic_cast<const CategoricalBase<float>&>(base).num_symbols();
      const std::int64_t shape[] = {base.dimension() / symbols, symbols};
      EncodeTensor(ConstRowMatrixRef<float>(base.block(0)),
                   message->mutable_categorical()->mutable_logits(), shape);
      return;
    }
    case Family::kGaussian: {
      v1::GaussianBase& gaussian = *message->mutable_gaussian();
      if (base.blocks().empty()) return;
      EncodeVector(base, 0, gaussian.mutable_mean());
      EncodeVector(base, 1, gaussian.mutable_log_variance());
      return;
    }
    case Family::kStructuredGaussian: {
      v1::StructuredGaussianBase& structured =
          *message->mutable_structured_gaussian();
      EncodeVector(base, 0, structured.mutable_mean());
      const RowMatrix<float> log_precision = -base.block(1);
      const std::int64_t shape[] = {log_precision.size()};
      EncodeTensor(ConstRowMatrixRef<float>(log_precision),
                   structured.mutable_log_precision(), shape);
      return;
    }
  }
}

// --- Kinds of experts ---

StatusOrUnique<ExpertGroup<float>> DecodeUnits(
    const v1::BernoulliUnits& message, const DataSpec& spec, float power,
    absl::string_view field) {
  const std::string weights_field = absl::StrCat(field, ".weights");
  const auto experts = NumExperts(message.weights(), 1, weights_field);
  if (!experts.ok()) return experts.status();
  const auto weights = DecodeParameters(message.weights(), weights_field,
                                        {spec.width(), *experts});
  if (!weights.ok()) return weights.status();
  const auto bias = DecodeParameters(message.bias(),
                                     absl::StrCat(field, ".bias"), {*experts});
  if (!bias.ok()) return bias.status();
  auto group = BernoulliUnits<float>::Create(
      ToMatrix(*weights, spec.width(), *experts), ToVector(*bias), power);
  if (!group.ok()) return AsFieldError(field, kInvalid, group.status());
  return *std::move(group);
}

// Bounds that hold every stored value, so that loading changes none.
absl::Status SetLogVariance(const std::vector<float>& values, Index experts,
                            Index columns, absl::string_view field,
                            Unigauss<float>::Settings& settings) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    if (!(std::abs(value) <= kGreatestStoredLogVariance))
      return FieldError(
          absl::StrCat(field, PlaceText({experts, columns},
                                        static_cast<std::int64_t>(i))),
          "INVALID_VALUE",
          absl::StrCat("is ", value, "; must be in [-",
                       kGreatestStoredLogVariance, ", ",
                       kGreatestStoredLogVariance, "]"));
    settings.least_log_variance = std::min(settings.least_log_variance, value);
    settings.greatest_log_variance =
        std::max(settings.greatest_log_variance, value);
  }
  settings.log_variance = ToMatrix(values, experts, columns);
  return absl::OkStatus();
}

StatusOrUnique<ExpertGroup<float>> DecodeUnigauss(const v1::Unigauss& message,
                                                  const DataSpec& spec,
                                                  float power,
                                                  absl::string_view field) {
  if (spec.family != Family::kGaussian)
    return FieldError(field, "CONFLICT",
                      "is given; unigauss experts need FAMILY_GAUSSIAN");
  const std::string mean_field = absl::StrCat(field, ".mean");
  const auto experts = NumExperts(message.mean(), 0, mean_field);
  if (!experts.ok()) return experts.status();
  const auto mean =
      DecodeParameters(message.mean(), mean_field, {*experts, spec.dimension});
  if (!mean.ok()) return mean.status();
  const v1::Tensor& variance = message.log_variance();
  const Index columns =
      variance.shape_size() == 2 && variance.shape(1) == 1 ? 1 : spec.dimension;
  const std::string variance_field = absl::StrCat(field, ".log_variance");
  const auto log_variance =
      DecodeParameters(variance, variance_field, {*experts, columns});
  if (!log_variance.ok()) return log_variance.status();
  const auto mixing_logit = DecodeParameters(
      message.mixing_logit(), absl::StrCat(field, ".mixing_logit"), {*experts});
  if (!mixing_logit.ok()) return mixing_logit.status();

  Unigauss<float>::Settings settings;
  settings.mean = ToMatrix(*mean, *experts, spec.dimension);
  settings.mixing_logit = ToVector(*mixing_logit);
  settings.log_volume = BoxOf(spec).log_volume;
  settings.power = power;
  absl::Status status = SetLogVariance(*log_variance, *experts, columns,
                                       variance_field, settings);
  if (!status.ok()) return status;
  auto group = Unigauss<float>::Create(std::move(settings));
  if (!group.ok()) return AsFieldError(field, kInvalid, group.status());
  return *std::move(group);
}

StatusOrUnique<ExpertGroup<float>> DecodeGroup(const v1::ExpertGroup& message,
                                               const DataSpec& spec,
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
  auto refuse = [&field](absl::string_view kind) {
    return NotBuiltYet(absl::StrCat(field, ".", kind),
                       "is given; this version knows bernoulli_units and "
                       "unigauss");
  };
  switch (message.kind_case()) {
    case v1::ExpertGroup::kBernoulliUnits:
      return DecodeUnits(message.bernoulli_units(), spec, power,
                         absl::StrCat(field, ".bernoulli_units"));
    case v1::ExpertGroup::kUnigauss:
      return DecodeUnigauss(message.unigauss(), spec, power,
                            absl::StrCat(field, ".unigauss"));
    case v1::ExpertGroup::kGaussianMixture:
      return refuse("gaussian_mixture");
    case v1::ExpertGroup::kHiddenMarkov:
      return refuse("hidden_markov");
    case v1::ExpertGroup::kLinearDynamical:
      return refuse("linear_dynamical");
    case v1::ExpertGroup::kGaussianTree:
      return refuse("gaussian_tree");
    default:
      return FieldError(field, "REQUIRED", "names no kind of expert");
  }
}

void EncodeGroup(const ExpertGroup<float>& group, v1::ExpertGroup* message) {
  if (group.power() != 1) message->set_power(group.power());
  if (dynamic_cast<const BernoulliUnits<float>*>(&group) != nullptr) {
    v1::BernoulliUnits& units = *message->mutable_bernoulli_units();
    EncodeMatrix(group, 0, units.mutable_weights());
    EncodeVector(group, 1, units.mutable_bias());
  } else if (dynamic_cast<const Unigauss<float>*>(&group) != nullptr) {
    v1::Unigauss& unigauss = *message->mutable_unigauss();
    EncodeMatrix(group, 0, unigauss.mutable_mean());
    EncodeMatrix(group, 1, unigauss.mutable_log_variance());
    EncodeVector(group, 2, unigauss.mutable_mixing_logit());
  }
}

}  // namespace

v1::Product EncodeProduct(const Product<float>& product) {
  v1::Product message;
  EncodeBase(product.base(), message.mutable_base());
  for (std::size_t i = 0; i < product.num_groups(); ++i)
    EncodeGroup(product.group(i), message.add_groups());
  return message;
}

absl::StatusOr<Product<float>> DecodeProduct(const v1::Product& message,
                                             const DataSpec& spec,
                                             absl::string_view field) {
  auto base = DecodeBase(message.base(), spec, absl::StrCat(field, ".base"));
  if (!base.ok()) return base.status();
  std::vector<std::unique_ptr<ExpertGroup<float>>> groups;
  for (int g = 0; g < message.groups_size(); ++g) {
    auto group = DecodeGroup(message.groups(g), spec,
                             absl::StrCat(field, ".groups[", g, "]"));
    if (!group.ok()) return group.status();
    groups.push_back(*std::move(group));
  }
  auto product = Product<float>::Create(*std::move(base), std::move(groups));
  if (!product.ok()) return AsFieldError(field, kInvalid, product.status());
  return product;
}

}  // namespace poe::server
