#include "poe/experts/hidden_markov_product.h"

#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/bases/categorical.h"
#include "poe/bases/gaussian.h"
#include "poe/experts/hidden_markov.h"
#include "poe/experts/selected_coordinates.h"
#include "poe/numerics/constants.h"
#include "poe/numerics/elementwise.h"
#include "poe/numerics/truncated_normal.h"

namespace poe {

template <typename Scalar>
absl::StatusOr<HiddenMarkovProduct<Scalar>> HiddenMarkovProduct<Scalar>::View(
    const Product<Scalar>& product, Index most) {
  const Base<Scalar>& base = product.base();
  const Index dimension = product.dimension();
  if (base.num_real_inputs() > 0)
    return absl::FailedPreconditionError(
        "the normalizer depends on the product's real inputs");
  HiddenMarkovProduct view;
  for (std::size_t i = 0; i < product.num_groups(); ++i) {
    const SightedGroup<Scalar> sighted = Unwrap(product.group(i));
    const auto* group =
        dynamic_cast<const HiddenMarkov<Scalar>*>(sighted.group);
    if (group == nullptr)
      return absl::FailedPreconditionError(
          absl::StrCat("expert group ", i,
                       " is not of hidden Markov models; log Z is exact only "
                       "where all are"));
    const double exponent = group->power();
    const Index states = group->num_states();
    for (Index m = 0; m < group->num_experts(); ++m) {
      if (states > most / view.joint_states_)
        return absl::FailedPreconditionError(
            absl::StrCat("the hidden Markov models have more than ", most,
                         " joint states, too many for an exact log Z"));
      view.joint_states_ *= states;
      Expert expert = {group->Chain(m, exponent), exponent, {}, {}, {}, {}};
      const auto rows = [&](std::size_t block) -> RowMatrix<double> {
        return group->block(block)
            .middleRows(m * states, states)
            .template cast<double>();
      };
      if (group->has_symbols()) {
        expert.logits = Spread(LogSoftmax(rows(2), group->num_symbols()),
                               sighted.columns, dimension);
      } else {
        const RowMatrix<double> log_variance = rows(3);
        const RowMatrix<double> precision = (-log_variance).array().exp();
        expert.mean = Spread(rows(2), sighted.columns, dimension);
        expert.precision = Spread(precision, sighted.columns, dimension);
        expert.log_peak =
            -(log_variance.array() + kLog2Pi).rowwise().sum().matrix() / 2;
      }
      view.experts_.push_back(std::move(expert));
    }
  }
  if (const auto* symbols =
          dynamic_cast<const CategoricalBase<Scalar>*>(&base)) {
    view.num_symbols_ = symbols->num_symbols();
    view.base_logits_ = base.block(0).template cast<double>();
    return view;
  }
  view.coordinates_.resize(dimension);
  const auto* box = dynamic_cast<const GaussianBase<Scalar>*>(&base);
  for (Index i = 0; i < dimension; ++i) {
    RealCoordinate& coordinate = view.coordinates_[i];
    if (!base.blocks().empty()) {
      coordinate.mean = base.block(0)(0, i);
      coordinate.precision =
          std::exp(-static_cast<double>(base.block(1)(0, i)));
    }
    if (box == nullptr) continue;
    coordinate.bounded = true;
    coordinate.lower = box->lower()(i);
    coordinate.upper = box->upper()(i);
  }
  return view;
}

template <typename Scalar>
template <typename Body>
void HiddenMarkovProduct<Scalar>::ForEachJointState(Body body) const {
  std::vector<Index> states(experts_.size(), 0);
  for (Index joint = 0;; ++joint) {
    body(joint, states);
    std::size_t m = 0;
    while (m < experts_.size() && ++states[m] == experts_[m].chain.num_states())
      states[m++] = 0;
    if (m == experts_.size()) return;
  }
}

template <typename Scalar>
double HiddenMarkovProduct<Scalar>::LogDensity(const std::vector<Index>& states,
                                               Index i, double value) const {
  const RealCoordinate& base = coordinates_[i];
  double result = -base.precision * (value - base.mean) * (value - base.mean);
  for (std::size_t m = 0; m < experts_.size(); ++m) {
    const double distance = value - experts_[m].mean(states[m], i);
    result -= experts_[m].exponent * experts_[m].precision(states[m], i) *
              distance * distance;
  }
  return result / 2;
}

template <typename Scalar>
double HiddenMarkovProduct<Scalar>::LogIntegral(
    const std::vector<Index>& states, Index i) const {
  const RealCoordinate& base = coordinates_[i];
  double precision = base.precision;
  double shift = 0;  // of the centre, from the base's mean
  for (std::size_t m = 0; m < experts_.size(); ++m) {
    const double own =
        experts_[m].exponent * experts_[m].precision(states[m], i);
    precision += own;
    shift += own * (experts_[m].mean(states[m], i) - base.mean);
  }
  // Nobody need speak of it on a box.
  const double centre = precision > 0 ? base.mean + shift / precision : 0;
  return LogDensity(states, i, centre) +
         (base.bounded ? TruncatedNormal{0, precision, base.lower - centre,
                                         base.upper - centre}
                             .LogIntegral()
                       : (kLog2Pi - std::log(precision)) / 2);
}

template <typename Scalar>
Vector<double> HiddenMarkovProduct<Scalar>::LogFrameIntegrals(
    absl::Span<const Scalar> values,
    absl::Span<const std::uint8_t> clamped) const {
  const auto is_clamped = [&](Index i) {
    return !clamped.empty() && clamped[i] != 0;
  };
  Vector<double> integrals(joint_states_);
  RowMatrix<double> logits;
  ForEachJointState([&](Index joint, const std::vector<Index>& states) {
    double sum = 0;
    if (num_symbols_ > 0) {
      logits = base_logits_;
      for (std::size_t m = 0; m < experts_.size(); ++m)
        logits += experts_[m].exponent * experts_[m].logits.row(states[m]);
      for (Index first = 0; first < logits.cols(); first += num_symbols_) {
        if (!is_clamped(first)) {
          sum += LogSumExp(
              absl::MakeConstSpan(logits.data() + first, num_symbols_));
          continue;
        }
        for (Index i = first; i < first + num_symbols_; ++i)
          sum += static_cast<double>(values[i]) * logits(0, i);
      }
    } else {
      for (std::size_t m = 0; m < experts_.size(); ++m)
        sum += experts_[m].exponent * experts_[m].log_peak(states[m]);
      for (Index i = 0; i < static_cast<Index>(coordinates_.size()); ++i)
        sum += is_clamped(i)
                   ? LogDensity(states, i, static_cast<double>(values[i]))
                   : LogIntegral(states, i);
    }
    integrals(joint) = sum;
  });
  return integrals;
}

template <typename Scalar>
void HiddenMarkovProduct<Scalar>::Step(Vector<double>& weights) const {
  Index stride = 1;  // between an expert's states in succession
  for (const Expert& expert : experts_) {
    const Index states = expert.chain.num_states(), period = stride * states;
    for (Index block = 0; block < weights.size(); block += period)
      expert.chain.Step(Eigen::Map<RowMatrix<double>>(weights.data() + block,
                                                      states, stride));
    stride = period;
  }
}

template <typename Scalar>
std::vector<double> HiddenMarkovProduct<Scalar>::LogSumsOverPaths(
    absl::Span<const Index> lengths,
    absl::FunctionRef<const Vector<double>&(Index t)> frame) const {
  Vector<double> weights(joint_states_);
  ForEachJointState([&](Index joint, const std::vector<Index>& states) {
    double sum = 0;
    for (std::size_t m = 0; m < experts_.size(); ++m)
      sum += experts_[m].chain.log_initial()(states[m]);
    weights(joint) = sum;
  });
  std::vector<double> log_sums;
  double greatest_so_far = 0;
  Index t = 0;
  for (Index length : lengths) {
    for (; t < length; ++t) {
      if (t > 0) Step(weights);
      weights += frame(t);
      const double greatest = weights.maxCoeff();
      weights.array() -= greatest;
      greatest_so_far += greatest;
    }
    log_sums.push_back(greatest_so_far + LogSumExp(absl::MakeConstSpan(
                                             weights.data(), joint_states_)));
  }
  return log_sums;
}

template class HiddenMarkovProduct<float>;
template class HiddenMarkovProduct<double>;

}  // namespace poe
