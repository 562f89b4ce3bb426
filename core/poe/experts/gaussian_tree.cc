#include "poe/experts/gaussian_tree.h"

#include <algorithm>
#include <cmath>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/forest.h"
#include "poe/numerics/constants.h"
#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

constexpr Index kLeastTrees = 16;

absl::Status CheckShape(absl::string_view what, Index rows, Index cols,
                        Index expected_rows, Index expected_cols) {
  if (rows == expected_rows && cols == expected_cols) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "Gaussian trees' ", what, " are ", rows, " x ", cols, "; they must be ",
      expected_rows, " x ", expected_cols, ", as many as the weights"));
}

template <typename Scalar>
absl::Status Validate(const typename GaussianTree<Scalar>::Settings& settings) {
  const Index experts = settings.mixing_logit.rows();
  const Index states = settings.mixing_logit.cols();
  const Index trees = settings.weight.rows();
  const Index dimension = settings.weight.cols();
  if (experts == 0 || trees == 0 || dimension == 0 || trees % experts != 0)
    return absl::InvalidArgumentError(absl::StrCat(
        "Gaussian trees' weights are ", trees, " x ", dimension, " and there ",
        "are mixing logits of ", experts, " experts; weights must be M K x D ",
        "for M experts of K trees, each at least 1"));
  const Index per_expert = trees / experts;
  if (states != per_expert && states != per_expert + 1)
    return absl::InvalidArgumentError(absl::StrCat(
        "Gaussian trees' mixing logits are ", experts, " x ", states, "; for ",
        per_expert, " trees per expert they must be ", experts, " x ",
        per_expert, ", or ", experts, " x ", per_expert + 1,
        " with a uniform"));
  absl::Status status = CheckShape("offsets", settings.offset.rows(),
                                   settings.offset.cols(), trees, dimension);
  status.Update(CheckShape("log variances", settings.log_variance.rows(),
                           settings.log_variance.cols(), trees, dimension));
  if (!status.ok()) return status;
  if (settings.parents.size() != static_cast<std::size_t>(trees * dimension))
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", settings.parents.size(), " parents for ",
                     trees, " trees over ", dimension,
                     " coordinates; there must be ", trees * dimension));
  for (Index t = 0; t < trees; ++t) {
    const absl::Status forest =
        ValidateForest(absl::MakeConstSpan(settings.parents)
                           .subspan(t * dimension, dimension));
    if (!forest.ok())
      return absl::InvalidArgumentError(
          absl::StrCat("tree ", t % per_expert, " of expert ", t / per_expert,
                       ": ", forest.message()));
  }
  if (!settings.weight.allFinite() || !settings.offset.allFinite() ||
      !settings.log_variance.allFinite() || !settings.mixing_logit.allFinite())
    return absl::InvalidArgumentError(
        "a parameter of Gaussian trees is not finite");
  if (!(settings.least_log_variance < settings.greatest_log_variance))
    return absl::InvalidArgumentError(
        "the bounds on Gaussian trees' log variances are out of order");
  if (!(settings.power > 0) || !std::isfinite(settings.power))
    return absl::InvalidArgumentError(
        absl::StrCat("the power of Gaussian trees is ", settings.power,
                     "; it must be positive"));
  return absl::OkStatus();
}

}  // namespace

template <typename Scalar>
absl::StatusOr<std::unique_ptr<GaussianTree<Scalar>>>
GaussianTree<Scalar>::Create(Settings settings) {
  const absl::Status status = Validate<Scalar>(settings);
  if (!status.ok()) return status;
  const Index experts = settings.mixing_logit.rows();
  const Index trees = settings.weight.rows(), width = settings.weight.cols();
  auto group = absl::WrapUnique(new GaussianTree());
  group->num_trees_ = trees / experts;
  group->least_log_variance_ = settings.least_log_variance;
  group->greatest_log_variance_ = settings.greatest_log_variance;
  group->power_ = settings.power;
  group->parents_ = std::move(settings.parents);
  group->AddBlock(ParameterKind::kWeights, trees, width);
  group->AddBlock(ParameterKind::kOffset, trees, width);
  group->AddBlock(ParameterKind::kLogVariance, trees, width);
  group->AddBlock(ParameterKind::kMixingLogit, experts,
                  settings.mixing_logit.cols());
  group->FindCouplings();
  group->UpdateParameters(Workers::Inline(), [&](auto) {
    group->mutable_block(0) = settings.weight;
    group->mutable_block(1) = settings.offset;
    group->mutable_block(2) = settings.log_variance;
    group->mutable_block(3) = settings.mixing_logit;
  });
  return group;
}

template <typename Scalar>
void GaussianTree<Scalar>::FindCouplings() {
  const Index width = dimension();
  const auto total = static_cast<Index>(parents_.size());
  std::vector<std::pair<Index, Index>> pairs;
  auto pair_of = [&](Index p) {
    return std::minmax<Index>({p % width, Index{parents_[p]}});
  };
  for (Index p = 0; p < total; ++p)
    if (parents_[p] != kNoParent) pairs.push_back(pair_of(p));
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  for (const auto& [first, second] : pairs)
    couplings_.push_back({first, second});
  column_.assign(total, -1);
  for (Index p = 0; p < total; ++p)
    if (parents_[p] != kNoParent)
      column_[p] = std::lower_bound(pairs.begin(), pairs.end(), pair_of(p)) -
                   pairs.begin();
}

template <typename Scalar>
void GaussianTree<Scalar>::ParametersChanged(const Workers& workers) {
  const auto bound = [](auto block, double greatest) {
    block = block.cwiseMax(static_cast<Scalar>(-greatest))
                .cwiseMin(static_cast<Scalar>(greatest));
    return block;
  };
  auto weight = bound(this->mutable_block(0), kGreatestWeight);
  const auto offset = bound(this->mutable_block(1), kGreatestOffset);
  auto log_variance = this->mutable_block(2);
  log_variance = log_variance.cwiseMax(static_cast<Scalar>(least_log_variance_))
                     .cwiseMin(static_cast<Scalar>(greatest_log_variance_));
  const Index trees = weight.rows(), width = dimension();
  information_ = RowMatrix<double>::Zero(trees, width);
  precision_ = information_;
  coupling_ = information_;
  inverse_variance_.resize(trees, width);
  log_peak_.resize(trees);
  log_constant_.resize(trees);
  workers.ParallelFor(trees, kLeastTrees, [&](Index begin, Index end) {
    for (Index t = begin; t < end; ++t) {
      double log_peak = 0, distance = 0;
      for (Index i = 0; i < width; ++i) {
        const double s = log_variance(t, i), b = offset(t, i);
        const double precision = std::exp(-s);
        inverse_variance_(t, i) = precision;
        log_peak -= (kLog2Pi + s) / 2;
        distance += b * b * precision;
        information_(t, i) += precision * b;
        precision_(t, i) += precision;
        const std::int32_t parent = parents_[t * width + i];
        if (parent == kNoParent) {
          weight(t, i) = 0;
          continue;
        }
        const double w = weight(t, i);
        information_(t, parent) -= w * precision * b;
        precision_(t, parent) += w * w * precision;
        coupling_(t, i) = -w * precision;
      }
      log_peak_(t) = log_peak;
      log_constant_(t) = log_peak - distance / 2;
    }
  });
  log_mixing_ = this->block(3).template cast<double>();
  for (Index m = 0; m < num_experts(); ++m)
    log_mixing_.row(m).array() -=
        LogSumExp(absl::MakeConstSpan(log_mixing_.row(m).data(), num_states()));
}

template <typename Scalar>
double GaussianTree<Scalar>::AddNaturalParameters(
    Index m, Index k, double exponent, Eigen::Ref<Vector<double>> information,
    Eigen::Ref<Vector<double>> precision,
    Eigen::Ref<Vector<double>> coupling) const {
  const double log_mixing = exponent * log_mixing_(m, k);
  if (k == num_trees_) return log_mixing;
  const Index t = m * num_trees_ + k, width = dimension();
  information += exponent * information_.row(t).transpose();
  precision += exponent * precision_.row(t).transpose();
  for (Index i = 0; i < width; ++i)
    if (column_[t * width + i] >= 0)
      coupling(column_[t * width + i]) += exponent * coupling_(t, i);
  return log_mixing + exponent * log_constant_(t);
}

template <typename Scalar>
std::unique_ptr<ExpertGroup<Scalar>> GaussianTree<Scalar>::Clone() const {
  return absl::WrapUnique(new GaussianTree(*this));
}

template <typename Scalar>
void GaussianTree<Scalar>::StepUnits(const Workers&,
                                     Eigen::Ref<Vector<Scalar>> units) const {
  this->BlockOf(units, 1) = (this->block(2).array() / 2).exp().matrix();
}

template class GaussianTree<float>;
template class GaussianTree<double>;

}  // namespace poe
