#include "poe/experts/hidden_markov_partition.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/bases/categorical.h"
#include "poe/bases/gaussian.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/hidden_markov.h"
#include "poe/numerics/constants.h"
#include "poe/numerics/elementwise.h"
#include "poe/numerics/truncated_normal.h"

namespace poe {
namespace {

// One expert of any group: its chain at the group's power, and its emissions
// in double, K x D.
struct Expert {
  MarkovChain chain;
  double exponent;
  RowMatrix<double> logits;           // symbols: log softmax
  RowMatrix<double> mean, precision;  // Gaussians
  Vector<double> log_peak;            // Gaussians: log density at the mean
};

template <typename Scalar>
Expert MakeExpert(const HiddenMarkov<Scalar>& group, Index m) {
  const double exponent = group.power();
  const Index states = group.num_states();
  Expert expert = {group.Chain(m, exponent), exponent, {}, {}, {}, {}};
  auto rows = [&](std::size_t block) -> RowMatrix<double> {
    return group.block(block)
        .middleRows(m * states, states)
        .template cast<double>();
  };
  if (group.has_symbols()) {
    expert.logits = LogSoftmax(rows(2), group.num_symbols());
    return expert;
  }
  expert.mean = rows(2);
  const RowMatrix<double> log_variance = rows(3);
  expert.precision = (-log_variance).array().exp();
  expert.log_peak =
      -(log_variance.array() + kLog2Pi).rowwise().sum().matrix() / 2;
  return expert;
}

// Calls body(joint, states) for every combination of one state of each expert,
// the first expert's changing fastest.
template <typename Body>
void ForEachJointState(const std::vector<Expert>& experts, Body body) {
  std::vector<Index> states(experts.size(), 0);
  for (Index joint = 0;; ++joint) {
    body(joint, states);
    std::size_t m = 0;
    while (m < experts.size() && ++states[m] == experts[m].chain.num_states())
      states[m++] = 0;
    if (m == experts.size()) return;
  }
}

// What the base says of coordinate i: -precision (x - mean)^2 / 2 on an
// interval, or on the whole line.
struct RealCoordinate {
  double mean = 0, precision = 0;
  bool bounded = false;
  double lower = 0, upper = 0;
};

template <typename Scalar>
std::vector<RealCoordinate> RealCoordinates(const Base<Scalar>& base) {
  std::vector<RealCoordinate> coordinates(base.dimension());
  const auto* box = dynamic_cast<const GaussianBase<Scalar>*>(&base);
  for (Index i = 0; i < base.dimension(); ++i) {
    RealCoordinate& coordinate = coordinates[i];
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
  return coordinates;
}

// The log integral over x_i of the base's factor and of the Gaussians that
// `states` name, without their peaks.
double LogIntegral(const RealCoordinate& base,
                   const std::vector<Expert>& experts,
                   const std::vector<Index>& states, Index i) {
  double precision = base.precision;
  double shift = 0;  // of the centre, from the base's mean
  for (std::size_t m = 0; m < experts.size(); ++m) {
    const double own = experts[m].exponent * experts[m].precision(states[m], i);
    precision += own;
    shift += own * (experts[m].mean(states[m], i) - base.mean);
  }
  const double centre = base.mean + shift / precision;
  auto loss = [&](double own, double mean) {
    return own * (mean - centre) * (mean - centre) / 2;
  };
  double result = -loss(base.precision, base.mean);
  for (std::size_t m = 0; m < experts.size(); ++m)
    result -= loss(experts[m].exponent * experts[m].precision(states[m], i),
                   experts[m].mean(states[m], i));
  return result + (base.bounded
                       ? TruncatedNormal{0, precision, base.lower - centre,
                                         base.upper - centre}
                             .LogIntegral()
                       : (kLog2Pi - std::log(precision)) / 2);
}

// The normalizer of a frame for each joint state.
template <typename Scalar>
Vector<double> RealNormalizers(const Base<Scalar>& base,
                               const std::vector<Expert>& experts,
                               Index joint_states) {
  const std::vector<RealCoordinate> coordinates = RealCoordinates(base);
  Vector<double> normalizers(joint_states);
  ForEachJointState(experts, [&](Index joint, const auto& states) {
    double sum = 0;
    for (std::size_t m = 0; m < experts.size(); ++m)
      sum += experts[m].exponent * experts[m].log_peak(states[m]);
    for (Index i = 0; i < base.dimension(); ++i)
      sum += LogIntegral(coordinates[i], experts, states, i);
    normalizers(joint) = sum;
  });
  return normalizers;
}

template <typename Scalar>
Vector<double> SymbolNormalizers(const CategoricalBase<Scalar>& base,
                                 const std::vector<Expert>& experts,
                                 Index joint_states) {
  const RowMatrix<double> own = base.block(0).template cast<double>();
  const Index symbols = base.num_symbols();
  Vector<double> normalizers(joint_states);
  RowMatrix<double> logits;
  ForEachJointState(experts, [&](Index joint, const auto& states) {
    logits = own;
    for (std::size_t m = 0; m < experts.size(); ++m)
      logits += experts[m].exponent * experts[m].logits.row(states[m]);
    double sum = 0;
    for (Index first = 0; first < logits.cols(); first += symbols)
      sum += LogSumExp(absl::MakeConstSpan(logits.data() + first, symbols));
    normalizers(joint) = sum;
  });
  return normalizers;
}

// weights <- log sum over joint states before of exp(weights) and the
// probability of the transitions, one expert after the other.
void StepJointly(const std::vector<Expert>& experts, Vector<double>& weights) {
  Index stride = 1;  // between an expert's states in succession
  for (const Expert& expert : experts) {
    const Index states = expert.chain.num_states(), period = stride * states;
    for (Index block = 0; block < weights.size(); block += period)
      expert.chain.Step(Eigen::Map<RowMatrix<double>>(weights.data() + block,
                                                      states, stride));
    stride = period;
  }
}

template <typename Scalar>
absl::StatusOr<std::vector<Expert>> Experts(const Product<Scalar>& product) {
  std::vector<Expert> experts;
  Index joint_states = 1;
  for (std::size_t i = 0; i < product.num_groups(); ++i) {
    const auto* group =
        dynamic_cast<const HiddenMarkov<Scalar>*>(&product.group(i));
    if (group == nullptr)
      return absl::FailedPreconditionError(
          absl::StrCat("expert group ", i,
                       " is not of hidden Markov models; log Z is exact only "
                       "where all are"));
    for (Index m = 0; m < group->num_experts(); ++m) {
      if (group->num_states() > kMostJointStates / joint_states)
        return absl::FailedPreconditionError(absl::StrCat(
            "the hidden Markov models have more than ", kMostJointStates,
            " joint states, too many for an exact log Z"));
      joint_states *= group->num_states();
      experts.push_back(MakeExpert(*group, m));
    }
  }
  return experts;
}

}  // namespace

template <typename Scalar>
absl::StatusOr<double> HiddenMarkovLogPartition(const Product<Scalar>& product,
                                                Index length) {
  if (length < 1)
    return absl::InvalidArgumentError(absl::StrCat(
        "sequences have ", length, " frames; there must be at least 1"));
  const auto found = Experts(product);
  if (!found.ok()) return found.status();
  const std::vector<Expert>& experts = *found;
  Index joint_states = 1;
  for (const Expert& expert : experts)
    joint_states *= expert.chain.num_states();
  const auto* symbols =
      dynamic_cast<const CategoricalBase<Scalar>*>(&product.base());
  const Vector<double> normalizers =
      symbols != nullptr
          ? SymbolNormalizers(*symbols, experts, joint_states)
          : RealNormalizers(product.base(), experts, joint_states);
  Vector<double> weights(joint_states);
  ForEachJointState(experts, [&](Index joint, const auto& states) {
    double sum = 0;
    for (std::size_t m = 0; m < experts.size(); ++m)
      sum += experts[m].chain.log_initial()(states[m]);
    weights(joint) = sum;
  });
  double log_partition = 0;
  for (Index t = 0; t < length; ++t) {
    if (t > 0) StepJointly(experts, weights);
    weights += normalizers;
    const double greatest = weights.maxCoeff();
    weights.array() -= greatest;
    log_partition += greatest;
  }
  return log_partition +
         LogSumExp(absl::MakeConstSpan(weights.data(), joint_states));
}

template absl::StatusOr<double> HiddenMarkovLogPartition<float>(
    const Product<float>&, Index);
template absl::StatusOr<double> HiddenMarkovLogPartition<double>(
    const Product<double>&, Index);

}  // namespace poe
