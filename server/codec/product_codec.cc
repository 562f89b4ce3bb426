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
#include "poe/initialization.h"
#include "server/codec/expert_codec.h"
#include "server/codec/parameter_reader.h"
#include "server/codec/tensor_codec.h"
#include "server/errors.h"

namespace poe::server {
namespace {

template <typename T>
using StatusOrUnique = absl::StatusOr<std::unique_ptr<T>>;

absl::StatusOr<Vector<float>> DecodeVector(const v1::Tensor& tensor,
                                           absl::string_view field,
                                           Index size) {
  absl::StatusOr<RowMatrix<float>> column =
      DecodeParameters(tensor, field, {size}, 1);
  if (!column.ok()) return column.status();
  return column->col(0);
}

// One block as a vector.
template <typename Parameterized>
void EncodeVector(const Parameterized& from, std::size_t block,
                  v1::Tensor* tensor) {
  const auto matrix = from.block(block);
  const std::int64_t shape[] = {matrix.size()};
  EncodeTensor(ConstRowMatrixRef<float>(matrix), tensor, shape);
}

bool IsEmpty(const v1::Tensor& tensor) {
  return tensor.data().empty() && tensor.values().empty() &&
         (tensor.shape().empty() ||
          std::find(tensor.shape().begin(), tensor.shape().end(), 0) !=
              tensor.shape().end());
}

StatusOrUnique<Base<float>> DecodeBernoulliBase(
    const v1::BernoulliBase& message, const DataSpec& spec,
    absl::string_view field) {
  const Index inputs = spec.num_real_inputs();
  const auto bias = DecodeVector(message.bias(), absl::StrCat(field, ".bias"),
                                 spec.dimension - inputs);
  if (!bias.ok()) return bias.status();
  auto base = BernoulliBase<float>::Create(*bias, inputs);
  if (!base.ok()) return AsFieldError(field, kInvalidParameters, base.status());
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
    const auto mean = DecodeVector(message.mean(), absl::StrCat(field, ".mean"),
                                   spec.dimension);
    if (!mean.ok()) return mean.status();
    const auto log_variance =
        DecodeVector(message.log_variance(),
                     absl::StrCat(field, ".log_variance"), spec.dimension);
    if (!log_variance.ok()) return log_variance.status();
    settings.mean = *mean;
    settings.log_variance = *log_variance;
  }
  auto base = GaussianBase<float>::Create(std::move(settings));
  if (!base.ok()) return AsFieldError(field, kInvalidParameters, base.status());
  return *std::move(base);
}

StatusOrUnique<Base<float>> DecodeCategoricalBase(
    const v1::CategoricalBase& message, const DataSpec& spec,
    absl::string_view field) {
  const Index inputs = spec.num_real_inputs();
  const Index outputs = spec.dimension - inputs;
  const auto logits =
      DecodeParameters(message.logits(), absl::StrCat(field, ".logits"),
                       {outputs, spec.num_symbols}, spec.num_symbols);
  if (!logits.ok()) return logits.status();
  auto base = CategoricalBase<float>::Create(*logits, inputs);
  if (!base.ok()) return AsFieldError(field, kInvalidParameters, base.status());
  return *std::move(base);
}

StatusOrUnique<Base<float>> DecodeStructuredBase(
    const v1::StructuredGaussianBase& message, const DataSpec& spec,
    absl::string_view field) {
  const auto mean = DecodeVector(message.mean(), absl::StrCat(field, ".mean"),
                                 spec.dimension);
  if (!mean.ok()) return mean.status();
  const auto log_precision =
      DecodeVector(message.log_precision(),
                   absl::StrCat(field, ".log_precision"), spec.dimension);
  if (!log_precision.ok()) return log_precision.status();
  auto base = StructuredGaussianBase<float>::Create(*mean, -*log_precision);
  if (!base.ok()) return AsFieldError(field, kInvalidParameters, base.status());
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
      const std::int64_t shape[] = {base.parameters().size() / symbols,
                                    symbols};
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

}  // namespace

v1::Product EncodeProduct(const Product<float>& product) {
  v1::Product message;
  EncodeBase(product.base(), message.mutable_base());
  const auto* symbols =
      dynamic_cast<const CategoricalBase<float>*>(&product.base());
  for (std::size_t i = 0; i < product.num_groups(); ++i)
    EncodeGroup(product.group(i),
                symbols == nullptr ? 1 : symbols->num_symbols(),
                message.add_groups());
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
  if (!product.ok())
    return AsFieldError(field, kInvalidParameters, product.status());
  return product;
}

}  // namespace poe::server
