#include "poe/experts/hidden_markov.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace poe {
namespace {

constexpr Index kLeastFrames = 16;
constexpr Index kLeastSequences = 4;
// Sums over sequences are taken in so many parts, whatever the threads.
constexpr Index kParts = 64;

struct ForwardMessages : Posterior {
  double exponent = 1;              // power x inverse temperature
  std::vector<MarkovChain> chains;  // M
  RowMatrix<double> log_emission;   // PaddedRows(frames) x (M K)
  RowMatrix<double> log_forward;    // likewise
  RowMatrix<double> log_scores;     // N x M
  auto States(const RowMatrix<double>& of, Index frame, Index frames,
              Index m) const {
    const Index states = chains[0].num_states();
    return of.block(frame, m * states, frames, states);
  }
};

const ForwardMessages& Of(const Posterior& posterior) {
  return static_cast<const ForwardMessages&>(posterior);
}

// to.row(row) += scale * from, with the same bits wherever the row lies: Eigen
// would treat its beginning differently by its address.
template <typename Scalar>
void AddScaled(Scalar scale, const Scalar* from, RowMatrix<Scalar>& to,
               Index row) {
  Scalar* target = to.row(row).data();
  for (Index i = 0; i < to.cols(); ++i) target[i] += scale * from[i];
}

std::string Shape(Index rows, Index cols) {
  return absl::StrCat(rows, " x ", cols);
}

template <typename Settings>
absl::Status ValidateEmissions(const Settings& settings, Index states) {
  const bool symbols = settings.emission_logit.size() != 0;
  if (symbols == (settings.mean.size() != 0))
    return absl::InvalidArgumentError(
        "hidden Markov experts need either means and log variances or "
        "emission logits");
  if (symbols) {
    if (settings.emission_logit.rows() != states)
      return absl::InvalidArgumentError(absl::StrCat(
          "emission logits have ", settings.emission_logit.rows(),
          " rows; there must be one for each of ", states, " states"));
    if (settings.num_symbols < 2 ||
        settings.emission_logit.cols() % settings.num_symbols != 0)
      return absl::InvalidArgumentError(absl::StrCat(
          "there are ", settings.num_symbols, " symbols and ",
          settings.emission_logit.cols(), " columns of emission logits; ",
          "there must be at least 2 symbols, and a column for each symbol of "
          "each coordinate"));
    return absl::OkStatus();
  }
  if (settings.num_symbols != 0)
    return absl::InvalidArgumentError(
        "Gaussian emissions have no symbols; num_symbols must be 0");
  if (settings.mean.rows() != states)
    return absl::InvalidArgumentError(absl::StrCat(
        "hidden Markov means have ", settings.mean.rows(),
        " rows; there must be one for each of ", states, " states"));
  if (settings.log_variance.rows() != settings.mean.rows() ||
      settings.log_variance.cols() != settings.mean.cols())
    return absl::InvalidArgumentError(absl::StrCat(
        "hidden Markov log variances are ",
        Shape(settings.log_variance.rows(), settings.log_variance.cols()),
        "; they must be ", Shape(settings.mean.rows(), settings.mean.cols()),
        " as the means"));
  return absl::OkStatus();
}

}  // namespace

template <typename Scalar>
absl::StatusOr<std::unique_ptr<HiddenMarkov<Scalar>>>
HiddenMarkov<Scalar>::Create(Settings settings) {
  const Index experts = settings.initial_logit.rows();
  const Index states = settings.initial_logit.cols();
  if (experts == 0 || states == 0)
    return absl::InvalidArgumentError(
        absl::StrCat("initial logits are ", Shape(experts, states),
                     "; there must be at least one expert and one state"));
  if (settings.transition_logit.rows() != experts * states ||
      settings.transition_logit.cols() != states)
    return absl::InvalidArgumentError(
        absl::StrCat("transition logits are ",
                     Shape(settings.transition_logit.rows(),
                           settings.transition_logit.cols()),
                     "; they must be ", Shape(experts * states, states)));
  if (auto status = ValidateEmissions(settings, experts * states); !status.ok())
    return status;
  if (!settings.initial_logit.allFinite() ||
      !settings.transition_logit.allFinite() || !settings.mean.allFinite() ||
      !settings.log_variance.allFinite() ||
      !settings.emission_logit.allFinite())
    return absl::InvalidArgumentError(
        "a parameter of hidden Markov experts is not finite");
  if (!(settings.least_log_variance >= -kGreatestLogVariance &&
        settings.least_log_variance < settings.greatest_log_variance &&
        settings.greatest_log_variance <= kGreatestLogVariance))
    return absl::InvalidArgumentError(absl::StrCat(
        "the bounds on hidden Markov log variances are ",
        settings.least_log_variance, " and ", settings.greatest_log_variance,
        "; they must be in order, within +-", kGreatestLogVariance));
  if (!(settings.power > 0) || !std::isfinite(settings.power))
    return absl::InvalidArgumentError(
        absl::StrCat("the power of hidden Markov experts is ", settings.power,
                     "; it must be positive"));
  auto group = absl::WrapUnique(new HiddenMarkov());
  group->num_symbols_ = settings.num_symbols;
  group->least_log_variance_ = settings.least_log_variance;
  group->greatest_log_variance_ = settings.greatest_log_variance;
  group->power_ = settings.power;
  std::vector<const RowMatrix<Scalar>*> values;
  auto add = [&](ParameterKind kind, const RowMatrix<Scalar>& value) {
    group->AddBlock(kind, value.rows(), value.cols());
    values.push_back(&value);
  };
  add(ParameterKind::kInitialLogit, settings.initial_logit);
  add(ParameterKind::kTransitionLogit, settings.transition_logit);
  if (group->has_symbols()) {
    add(ParameterKind::kEmissionLogit, settings.emission_logit);
  } else {
    add(ParameterKind::kMean, settings.mean);
    add(ParameterKind::kLogVariance, settings.log_variance);
  }
  group->UpdateParameters([&](auto) {
    for (std::size_t i = 0; i < values.size(); ++i)
      group->mutable_block(i) = *values[i];
  });
  return group;
}

template <typename Scalar>
void HiddenMarkov<Scalar>::ParametersChanged() {
  const Index states = num_states();
  log_initial_ = LogSoftmax(this->block(0).template cast<double>(), states);
  log_transition_ = LogSoftmax(this->block(1).template cast<double>(), states);
  if (has_symbols()) {
    symbols_.Set(this->block(2), num_symbols_);
    return;
  }
  auto log_variance = this->mutable_block(3);
  log_variance = log_variance.cwiseMax(static_cast<Scalar>(least_log_variance_))
                     .cwiseMin(static_cast<Scalar>(greatest_log_variance_));
  gaussians_.Update(this->block(2), this->block(3),
                    Vector<double>::Zero(this->blocks()[2].rows));
}

template <typename Scalar>
MarkovChain HiddenMarkov<Scalar>::Chain(Index m, double exponent) const {
  return {log_initial_.row(m).transpose(),
          log_transition_.middleRows(m * num_states(), num_states()), exponent};
}

template <typename Scalar>
bool HiddenMarkov<Scalar>::Supports(Family family) const {
  if (has_symbols()) return family == Family::kCategorical;
  return family == Family::kGaussian || family == Family::kStructuredGaussian;
}

template <typename Scalar>
std::unique_ptr<ExpertGroup<Scalar>> HiddenMarkov<Scalar>::Clone() const {
  return absl::WrapUnique(new HiddenMarkov(*this));
}

template <typename Scalar>
std::unique_ptr<Posterior> HiddenMarkov<Scalar>::NewPosterior() const {
  return std::make_unique<ForwardMessages>();
}

template <typename Scalar>
void HiddenMarkov<Scalar>::Infer(const Observations<Scalar>& x, Scalar beta,
                                 const Workers& workers,
                                 Posterior& posterior) const {
  auto& messages = static_cast<ForwardMessages&>(posterior);
  const Index rows = x.values.rows(), experts = num_experts();
  messages.exponent = static_cast<double>(power_) * beta;
  messages.chains.clear();
  for (Index m = 0; m < experts; ++m)
    messages.chains.push_back(Chain(m, messages.exponent));
  messages.log_emission.resize(rows, experts * num_states());
  messages.log_forward.resize(rows, experts * num_states());
  messages.log_scores.resize(x.size, experts);
  workers.ParallelFor(rows, kLeastFrames, [&](Index begin, Index end) {
    auto part = messages.log_emission.middleRows(begin, end - begin);
    const auto frames = x.values.middleRows(begin, end - begin);
    if (has_symbols()) {
      symbols_.LogDensities(frames, part);
    } else {
      RowMatrix<double> features(frames.rows(), 2 * frames.cols());
      gaussians_.ComputeFeatures(frames, features);
      gaussians_.LogDensities(features, part);
    }
    part *= messages.exponent;
  });
  const std::vector<Index> starts = x.FrameStarts();
  workers.ParallelFor(x.size, kLeastSequences, [&](Index begin, Index end) {
    for (Index n = begin; n < end; ++n) {
      for (Index m = 0; m < experts; ++m) {
        const Index states = num_states();
        messages.log_scores(n, m) = messages.chains[m].Forward(
            messages.States(messages.log_emission, starts[n], x.length(n), m),
            messages.log_forward.block(starts[n], m * states, x.length(n),
                                       states));
      }
    }
  });
}

template <typename Scalar>
void HiddenMarkov<Scalar>::AddLogScores(const Posterior& posterior,
                                        absl::Span<double> log_scores) const {
  const RowMatrix<double>& each = Of(posterior).log_scores;
  for (Index n = 0; n < each.rows(); ++n)
    for (Index m = 0; m < each.cols(); ++m) log_scores[n] += each(n, m);
}

template <typename Scalar>
void HiddenMarkov<Scalar>::ExpertLogScores(
    const Posterior& posterior, RowMatrixRef<double> log_scores) const {
  const RowMatrix<double>& each = Of(posterior).log_scores;
  log_scores.topRows(each.rows()) = each;
}

template <typename Scalar>
void HiddenMarkov<Scalar>::AddSampledMessages(
    const Observations<Scalar>& x, const Posterior& posterior,
    const Draws& draws, const Workers& workers,
    Messages<Scalar>& messages) const {
  const ForwardMessages& forward = Of(posterior);
  const Index experts = num_experts(), states = num_states();
  const Scalar exponent = static_cast<Scalar>(forward.exponent);
  const RowMatrix<Scalar>& linear =
      has_symbols() ? symbols_.logits() : gaussians_.messages();
  const std::vector<Index> starts = x.FrameStarts();
  workers.ParallelFor(x.size, kLeastSequences, [&](Index begin, Index end) {
    std::vector<double> uniforms, own;
    std::vector<Index> path;
    for (Index n = begin; n < end; ++n) {
      const Index length = x.length(n);
      uniforms.resize(length * experts);
      own.resize(length);
      path.resize(length);
      FillUniform(draws, x.row_ids[n], absl::MakeSpan(uniforms));
      for (Index m = 0; m < experts; ++m) {
        for (Index t = 0; t < length; ++t) own[t] = uniforms[t * experts + m];
        forward.chains[m].SamplePath(
            forward.States(forward.log_forward, starts[n], length, m), own,
            absl::MakeSpan(path));
        for (Index t = 0; t < length; ++t) {
          const Index frame = starts[n] + t, k = m * states + path[t];
          const Scalar* said = linear.row(k).data();
          AddScaled(exponent, said, messages.linear, frame);
          if (!has_symbols())
            AddScaled(exponent, said + dimension(), messages.precision, frame);
        }
      }
    }
  });
}

template <typename Scalar>
typename HiddenMarkov<Scalar>::ExpectedCounts HiddenMarkov<Scalar>::Count(
    const Observations<Scalar>& x, const Posterior& posterior,
    absl::Span<const double> weights, const Workers& workers) const {
  const ForwardMessages& forward = Of(posterior);
  const Index experts = num_experts(), states = num_states();
  const Index parts = std::min(x.size, kParts);
  const std::vector<Index> starts = x.FrameStarts();
  ExpectedCounts counts;
  counts.initial = RowMatrix<double>::Zero(experts, states);
  counts.transitions = RowMatrix<double>::Zero(experts * states, states);
  counts.occupancy = RowMatrix<double>::Zero(x.values.rows(), experts * states);
  std::vector<RowMatrix<double>> transitions(parts, counts.transitions);
  workers.ParallelFor(parts, 1, [&](Index begin, Index end) {
    for (Index part = begin; part < end; ++part) {
      for (Index n = x.size * part / parts; n < x.size * (part + 1) / parts;
           ++n) {
        for (Index m = 0; m < experts; ++m)
          forward.chains[m].Smooth(
              forward.States(forward.log_emission, starts[n], x.length(n), m),
              forward.States(forward.log_forward, starts[n], x.length(n), m),
              weights[n],
              counts.occupancy.block(starts[n], m * states, x.length(n),
                                     states),
              transitions[part].middleRows(m * states, states));
      }
    }
  });
  for (const RowMatrix<double>& part : transitions) counts.transitions += part;
  for (Index n = 0; n < x.size; ++n)
    for (Index m = 0; m < experts; ++m)
      counts.initial.row(m) +=
          counts.occupancy.row(starts[n]).segment(m * states, states);
  return counts;
}

template <typename Scalar>
void HiddenMarkov<Scalar>::AddGradient(
    const Observations<Scalar>& x, const Posterior& posterior,
    absl::Span<const Scalar> weights, const Workers& workers,
    Eigen::Ref<Vector<Scalar>> gradient) const {
  std::vector<double> scaled(weights.begin(), weights.end());
  for (double& weight : scaled) weight *= Of(posterior).exponent;
  const ExpectedCounts counts = Count(x, posterior, scaled, workers);
  // Of logits: what was counted less what their softmax shares out.
  auto add = [&](std::size_t block, const RowMatrix<double>& count,
                 const RowMatrix<double>& log_softmax) {
    auto logit_gradient = this->BlockOf(gradient, block);
    for (Index j = 0; j < count.rows(); ++j) {
      const double total = count.row(j).sum();
      for (Index k = 0; k < count.cols(); ++k)
        logit_gradient(j, k) += static_cast<Scalar>(
            count(j, k) - std::exp(log_softmax(j, k)) * total);
    }
  };
  add(0, counts.initial, log_initial_);
  add(1, counts.transitions, log_transition_);
  if (has_symbols()) {
    symbols_.AddGradient(x.values, counts.occupancy, workers,
                         this->BlockOf(gradient, 2));
    return;
  }
  RowMatrix<double> features(x.values.rows(), 2 * dimension());
  gaussians_.ComputeFeatures(x.values, features);
  gaussians_.AddGradient(features, counts.occupancy, workers,
                         this->BlockOf(gradient, 2),
                         this->BlockOf(gradient, 3));
}

template <typename Scalar>
void HiddenMarkov<Scalar>::StepUnits(Eigen::Ref<Vector<Scalar>> units) const {
  units.setOnes();
  if (!has_symbols())
    this->BlockOf(units, 2) = (this->block(3) / 2).array().exp();
}

template class HiddenMarkov<float>;
template class HiddenMarkov<double>;

}  // namespace poe
