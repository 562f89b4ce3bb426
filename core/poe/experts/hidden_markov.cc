#include "poe/experts/hidden_markov.h"

#include <cmath>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace poe {
namespace {

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
  group->UpdateParameters(Workers::Inline(), [&](auto) {
    for (std::size_t i = 0; i < values.size(); ++i)
      group->mutable_block(i) = *values[i];
  });
  return group;
}

template <typename Scalar>
void HiddenMarkov<Scalar>::ParametersChanged(const Workers& workers) {
  const Index states = num_states();
  log_initial_ = LogSoftmax(this->block(0).template cast<double>(), states);
  log_transition_ = LogSoftmax(this->block(1).template cast<double>(), states);
  if (has_symbols()) {
    symbols_.Set(this->block(2), num_symbols_);
    return;
  }
  BoundLogVariances<Scalar>(least_log_variance_, greatest_log_variance_,
                            workers, this->mutable_block(3));
  gaussians_.Update(this->block(2), this->block(3),
                    Vector<double>::Zero(this->blocks()[2].rows), workers);
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
void HiddenMarkov<Scalar>::StepUnits(const Workers& workers,
                                     Eigen::Ref<Vector<Scalar>> units) const {
  if (!has_symbols())
    MeanUnits<Scalar>(this->block(3), workers, this->BlockOf(units, 2));
}

template class HiddenMarkov<float>;
template class HiddenMarkov<double>;

}  // namespace poe
