#include "poe/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace poe {
namespace {

constexpr double kAdamEpsilon = 1e-8;

bool IsShare(double value) { return value >= 0 && value <= 1; }
bool IsDecay(double value) { return value >= 0 && value < 1; }

double RateAt(const OptimizerSettings& settings, std::int64_t update,
              std::int64_t total) {
  const double position =
      total > 1 ? static_cast<double>(update) / static_cast<double>(total - 1)
                : 0;
  double share = 1;
  switch (settings.schedule) {
    case OptimizerSettings::Schedule::kConstant:
      break;
    case OptimizerSettings::Schedule::kLinear:
      share = 1 - position;
      break;
    case OptimizerSettings::Schedule::kCosine:
      share = (1 + std::cos(std::numbers::pi * position)) / 2;
      break;
  }
  const double last = settings.final_rate_share;
  if (settings.schedule == OptimizerSettings::Schedule::kConstant)
    return settings.rate;
  return settings.rate * (last + (1 - last) * share);
}

// Some parameters of one block, and where they are to go.
template <typename Scalar>
struct Slopes {
  Index size;
  const Scalar* units;
  const Scalar* gradient;
  Scalar decay;
  Scalar step;

  Scalar At(Index i, Scalar parameter) const {
    return units[i] * (gradient[i] - decay * parameter);
  }
};

// These take what they need by value, so that compilers see that no step
// changes it, and make vectors of the loops.
template <typename Scalar>
void StepByMomentum(const Slopes<Scalar> slopes, Scalar momentum,
                    Scalar* velocity, Scalar* parameters) {
  for (Index i = 0; i < slopes.size; ++i) {
    velocity[i] =
        momentum * velocity[i] + slopes.step * slopes.At(i, parameters[i]);
    parameters[i] += slopes.units[i] * velocity[i];
  }
}

// Adam. Shares are what a new slope and its square weigh in their means.
template <typename Scalar>
void StepByMoments(const Slopes<Scalar> slopes, Scalar first_share,
                   Scalar second_share, Scalar first_bias, Scalar second_bias,
                   Scalar* first_moment, Scalar* second_moment,
                   Scalar* parameters) {
  for (Index i = 0; i < slopes.size; ++i) {
    const Scalar slope = slopes.At(i, parameters[i]);
    first_moment[i] += first_share * (slope - first_moment[i]);
    second_moment[i] += second_share * (slope * slope - second_moment[i]);
  }
  for (Index i = 0; i < slopes.size; ++i)
    parameters[i] += slopes.units[i] * slopes.step *
                     (first_moment[i] / first_bias) /
                     (std::sqrt(second_moment[i] / second_bias) +
                      static_cast<Scalar>(kAdamEpsilon));
}

}  // namespace

absl::Status Validate(const OptimizerSettings& settings) {
  auto refuse = [](absl::string_view field, double value,
                   absl::string_view rule) {
    return absl::InvalidArgumentError(absl::StrCat(
        "optimizer.", field, " is ", value, "; it must be ", rule));
  };
  if (!(settings.rate > 0) || !std::isfinite(settings.rate))
    return refuse("rate", settings.rate, "positive");
  if (!IsShare(settings.final_rate_share))
    return refuse("final_rate_share", settings.final_rate_share, "in [0, 1]");
  if (!IsDecay(settings.momentum))
    return refuse("momentum", settings.momentum, "in [0, 1)");
  if (!IsDecay(settings.early_momentum))
    return refuse("early_momentum", settings.early_momentum, "in [0, 1)");
  if (settings.early_epochs < 0)
    return refuse("early_epochs", settings.early_epochs, "at least 0");
  if (!IsDecay(settings.second_decay))
    return refuse("second_decay", settings.second_decay, "in [0, 1)");
  if (!(settings.weight_decay >= 0) || !std::isfinite(settings.weight_decay))
    return refuse("weight_decay", settings.weight_decay, "at least 0");
  if (!IsShare(settings.average_share))
    return refuse("average_share", settings.average_share, "in [0, 1]");
  for (const auto& [name, multiplier] : settings.rate_multipliers) {
    std::vector<absl::string_view> known;
    for (int kind = 0; kind < kNumParameterKinds; ++kind)
      known.push_back(ParameterKindName(static_cast<ParameterKind>(kind)));
    if (std::find(known.begin(), known.end(), name) == known.end())
      return absl::InvalidArgumentError(absl::StrCat(
          "optimizer.rate_multipliers names \"", name,
          "\"; kinds of parameters are ", absl::StrJoin(known, ", ")));
    if (!(multiplier >= 0) || !std::isfinite(multiplier))
      return refuse(absl::StrCat("rate_multipliers[", name, "]"), multiplier,
                    "at least 0");
  }
  return absl::OkStatus();
}

template <typename Scalar>
Optimizer<Scalar>::Optimizer(const OptimizerSettings& settings,
                             std::int64_t total_updates)
    : settings_(settings), total_updates_(total_updates) {}

template <typename Scalar>
void Optimizer<Scalar>::Step(std::int64_t update, int epoch,
                             const Vector<Scalar>& gradient,
                             const Workers& workers,
                             Parameterized<Scalar>& target) {
  const Index size = gradient.size();
  if (size == 0) return;
  const bool adam = settings_.kind == OptimizerSettings::Kind::kAdam;
  if (velocity_.size() == 0) {
    velocity_ = Vector<Scalar>::Zero(size);
    if (adam) second_moment_ = Vector<Scalar>::Zero(size);
    units_ = Vector<Scalar>::Ones(size);
  }
  target.StepUnits(workers, units_);
  const double rate = RateAt(settings_, update, total_updates_);
  const double first_decay = epoch < settings_.early_epochs
                                 ? settings_.early_momentum
                                 : settings_.momentum;
  const auto count = static_cast<double>(update + 1);
  // Decays may change on the way, so their product is kept.
  first_decays_ *= first_decay;
  const double first_bias = 1 - first_decays_;
  const double second_bias = 1 - std::pow(settings_.second_decay, count);

  target.UpdateParameters(workers, [&](Eigen::Ref<Vector<Scalar>> parameters) {
    const auto move = [&](const ParameterBlock& block, Index begin, Index end) {
      const auto multiplier = settings_.rate_multipliers.find(
          std::string(ParameterKindName(block.kind)));
      const Slopes<Scalar> slopes = {
          end - begin, units_.data() + begin, gradient.data() + begin,
          static_cast<Scalar>(block.kind == ParameterKind::kWeights
                                  ? settings_.weight_decay
                                  : 0),
          static_cast<Scalar>(rate *
                              (multiplier == settings_.rate_multipliers.end()
                                   ? 1
                                   : multiplier->second))};
      if (adam)
        StepByMoments<Scalar>(
            slopes, 1 - first_decay, 1 - settings_.second_decay, first_bias,
            second_bias, velocity_.data() + begin,
            second_moment_.data() + begin, parameters.data() + begin);
      else
        StepByMomentum<Scalar>(slopes, first_decay, velocity_.data() + begin,
                               parameters.data() + begin);
    };
    ShareParameters(target.blocks(), workers, move);
  });

  const auto first_averaged = static_cast<std::int64_t>(std::ceil(
      static_cast<double>(total_updates_) * (1 - settings_.average_share)));
  if (settings_.average_share > 0 && update >= first_averaged) {
    if (averaged_ == 0) average_ = Vector<Scalar>::Zero(size);
    ++averaged_;
    ShareParameters(
        target.blocks(), workers,
        [&](const ParameterBlock&, Index begin, Index end) {
          auto part = average_.segment(begin, end - begin);
          part += (target.parameters().segment(begin, end - begin) - part) /
                  static_cast<Scalar>(averaged_);
        });
  }
}

template <typename Scalar>
void Optimizer<Scalar>::Save(ArchiveWriter& writer) const {
  writer.PutMatrix(velocity_);
  writer.PutMatrix(second_moment_);
  writer.PutMatrix(average_);
  writer.Put(first_decays_);
  writer.Put(averaged_);
}

template <typename Scalar>
void Optimizer<Scalar>::Load(ArchiveReader& reader) {
  reader.GetMatrix(velocity_);
  reader.GetMatrix(second_moment_);
  reader.GetMatrix(average_);
  units_ = Vector<Scalar>::Ones(velocity_.size());
  first_decays_ = reader.Get<double>();
  averaged_ = reader.Get<std::int64_t>();
}

template <typename Scalar>
void Optimizer<Scalar>::Finish(const Workers& workers,
                               Parameterized<Scalar>& target) const {
  if (averaged_ == 0) return;
  target.UpdateParameters(workers, [&](Eigen::Ref<Vector<Scalar>> parameters) {
    parameters = average_;
  });
}

template class Optimizer<float>;
template class Optimizer<double>;

}  // namespace poe
