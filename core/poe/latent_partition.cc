#include "poe/latent_partition.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/bases/bernoulli.h"
#include "poe/bases/gaussian.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/experts/gaussian_mixture.h"
#include "poe/experts/selected_coordinates.h"
#include "poe/experts/unigauss.h"
#include "poe/numerics/constants.h"
#include "poe/numerics/elementwise.h"
#include "poe/numerics/truncated_normal.h"

namespace poe {
namespace {

// log g(x, z) = constant + linear.x - x.diag(precision).x / 2.
struct Term {
  double constant = 0;
  Vector<double> linear, precision;  // D each
};

// The states of one expert.
using Terms = std::vector<Term>;

Term Nothing(Index dimension) {
  return {0, Vector<double>::Zero(dimension), Vector<double>::Zero(dimension)};
}

template <typename Scalar>
void AppendTerms(const BernoulliUnits<Scalar>& group,
                 std::vector<Terms>& experts) {
  for (Index m = 0; m < group.num_experts(); ++m) {
    const Term off = Nothing(group.dimension());
    Term on = off;
    on.constant = group.block(1)(0, m);
    on.linear = group.block(0).col(m).template cast<double>();
    experts.push_back({off, on});
  }
}

// A weighted Gaussian, one variance for each coordinate or for all.
template <typename Mean, typename LogVariance>
Term GaussianTerm(double log_weight, const Mean& mean,
                  const LogVariance& log_variance) {
  Term term = Nothing(mean.size());
  const Vector<double> centre = mean.transpose().template cast<double>();
  for (Index i = 0; i < mean.size(); ++i) {
    const double variance = log_variance(log_variance.size() == 1 ? 0 : i);
    term.precision(i) = std::exp(-variance);
    log_weight -= (variance + kLog2Pi) / 2;
  }
  term.linear = term.precision.cwiseProduct(centre);
  term.constant = log_weight - centre.dot(term.linear) / 2;
  return term;
}

template <typename Scalar>
void AppendTerms(const Unigauss<Scalar>& group, std::vector<Terms>& experts) {
  for (Index m = 0; m < group.num_experts(); ++m) {
    const double logit = group.block(2)(m, 0);
    Term uniform = Nothing(group.dimension());
    uniform.constant = -Softplus(logit) - group.log_volume();
    experts.push_back(
        {uniform, GaussianTerm(-Softplus(-logit), group.block(0).row(m),
                               group.block(1).row(m))});
  }
}

template <typename Scalar>
void AppendTerms(const GaussianMixture<Scalar>& group,
                 std::vector<Terms>& experts) {
  const Index components = group.num_components();
  for (Index m = 0; m < group.num_experts(); ++m) {
    const Vector<double> logits =
        group.block(2).row(m).transpose().template cast<double>();
    const double normalizer =
        LogSumExp(absl::MakeConstSpan(logits.data(), components));
    Terms& terms = experts.emplace_back();
    for (Index k = 0; k < components; ++k)
      terms.push_back(GaussianTerm(logits(k) - normalizer,
                                   group.block(0).row(m * components + k),
                                   group.block(1).row(m * components + k)));
  }
}

template <typename T, typename Scalar>
bool AppendIf(const ExpertGroup<Scalar>& group, std::vector<Terms>& experts) {
  const auto* kind = dynamic_cast<const T*>(&group);
  if (kind == nullptr) return false;
  const std::size_t before = experts.size();
  AppendTerms(*kind, experts);
  for (std::size_t m = before; m < experts.size(); ++m) {
    for (Term& term : experts[m]) {
      term.constant *= group.power();
      term.linear *= group.power();
      term.precision *= group.power();
    }
  }
  return true;
}

template <typename Scalar>
bool AppendKind(const ExpertGroup<Scalar>& group, std::vector<Terms>& experts) {
  return AppendIf<BernoulliUnits<Scalar>>(group, experts) ||
         AppendIf<Unigauss<Scalar>>(group, experts) ||
         AppendIf<GaussianMixture<Scalar>>(group, experts);
}

// Also experts that see some coordinates only.
template <typename Scalar>
bool AppendGroup(const ExpertGroup<Scalar>& group,
                 std::vector<Terms>& experts) {
  const auto* selected =
      dynamic_cast<const SelectedCoordinates<Scalar>*>(&group);
  if (selected == nullptr) return AppendKind(group, experts);
  const std::size_t before = experts.size();
  if (!AppendKind(selected->inner(), experts)) return false;
  for (std::size_t m = before; m < experts.size(); ++m) {
    for (Term& term : experts[m]) {
      Term all = Nothing(group.dimension());
      all.constant = term.constant;
      for (std::size_t i = 0; i < selected->columns().size(); ++i) {
        const Index column = selected->columns()[i];
        all.linear(column) = term.linear(static_cast<Index>(i));
        all.precision(column) = term.precision(static_cast<Index>(i));
      }
      term = std::move(all);
    }
  }
  return true;
}

// log of the integral of the base and what the experts say of the data.
template <typename Scalar>
double LogIntegral(const BernoulliBase<Scalar>& base, const Term& sum) {
  double total = sum.constant;
  for (Index i = 0; i < sum.linear.size(); ++i)
    total += Softplus(base.block(0)(0, i) + sum.linear(i));
  return total;
}

template <typename Scalar>
double LogIntegral(const GaussianBase<Scalar>& base, const Term& sum) {
  double total = sum.constant;
  for (Index i = 0; i < sum.linear.size(); ++i) {
    TruncatedNormal on_box = {sum.linear(i), sum.precision(i), base.lower()(i),
                              base.upper()(i)};
    if (base.has_gaussian_factor()) {
      const double mean = base.block(0)(0, i);
      const double precision = std::exp(-double{base.block(1)(0, i)});
      on_box.information += precision * mean;
      on_box.precision += precision;
      total -= precision * mean * mean / 2;
    }
    total += on_box.LogIntegral();
  }
  return total;
}

// log of a sum of exponentials, one after another.
class LogSum {
 public:
  void Add(double term) {
    if (term <= greatest_) {
      sum_ += std::exp(term - greatest_);
    } else {
      sum_ = sum_ * std::exp(greatest_ - term) + 1;
      greatest_ = term;
    }
  }
  double value() const { return greatest_ + std::log(sum_); }

 private:
  double greatest_ = std::numeric_limits<double>::lowest();
  double sum_ = 0;
};

// Adds all joint states of experts m and on to what those before them say.
template <typename Base>
void AddStates(const Base& base, const std::vector<Terms>& experts,
               std::size_t m, const Term& before, LogSum& sum) {
  if (m == experts.size()) {
    sum.Add(LogIntegral(base, before));
    return;
  }
  Term with = before;
  for (const Term& term : experts[m]) {
    with.constant = before.constant + term.constant;
    with.linear = before.linear + term.linear;
    with.precision = before.precision + term.precision;
    AddStates(base, experts, m + 1, with, sum);
  }
}

template <typename Base>
double SumOver(const Base& base, const std::vector<Terms>& experts) {
  LogSum sum;
  AddStates(base, experts, 0, Nothing(base.dimension()), sum);
  return sum.value();
}

}  // namespace

template <typename Scalar>
absl::StatusOr<double> LatentLogPartition(const Product<Scalar>& product) {
  std::vector<Terms> experts;
  for (std::size_t i = 0; i < product.num_groups(); ++i) {
    if (!AppendGroup(product.group(i), experts))
      return absl::FailedPreconditionError(
          "there are experts whose latent states cannot be summed over");
  }
  double terms = static_cast<double>(product.dimension());
  for (const Terms& states : experts)
    terms *= static_cast<double>(states.size());
  if (terms > kMostLatentTerms)
    return absl::FailedPreconditionError(absl::StrCat(
        "the latent states of the experts have too many combinations to be "
        "summed over: with ",
        product.dimension(), " coordinates each, more than ",
        static_cast<Index>(kMostLatentTerms), " terms"));
  const Base<Scalar>& base = product.base();
  if (const auto* bits = dynamic_cast<const BernoulliBase<Scalar>*>(&base))
    if (bits->num_real_inputs() == 0) return SumOver(*bits, experts);
  if (const auto* box = dynamic_cast<const GaussianBase<Scalar>*>(&base))
    return SumOver(*box, experts);
  return absl::FailedPreconditionError(
      "sums over latent states are for bits and for real values on a box");
}

template absl::StatusOr<double> LatentLogPartition<float>(
    const Product<float>&);
template absl::StatusOr<double> LatentLogPartition<double>(
    const Product<double>&);

}  // namespace poe
