#include "poe/group_settings.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"

namespace poe {
namespace {

// States of one latent, so that counts of pairs stay small.
constexpr Index kMostStates = 4096;

absl::Status Refuse(const std::string& text) {
  return absl::InvalidArgumentError(text);
}

absl::Status CheckCount(absl::string_view name, Index count) {
  if (count >= 1 && count <= kMostStates) return absl::OkStatus();
  return Refuse(
      absl::StrCat(name, " is ", count, "; it must be 1 to ", kMostStates));
}

absl::Status CheckFamily(absl::string_view experts, bool fits,
                         absl::string_view wanted) {
  if (fits) return absl::OkStatus();
  return Refuse(absl::StrCat(experts, " need ", wanted));
}

absl::Status CheckSequential(absl::string_view experts, bool wanted,
                             const DataSpec& spec) {
  if (spec.sequential == wanted) return absl::OkStatus();
  return Refuse(absl::StrCat(experts, " see ",
                             wanted ? "sequences, but the data are dense rows"
                                    : "dense rows, but the data are sequences",
                             " (data_spec.sequential)"));
}

absl::Status CheckDeviations(absl::string_view experts,
                             const StandardDeviations& given) {
  const double greatest = std::exp(kGreatestLogVariance / 2);
  for (const std::optional<double>& deviation :
       {given.initial_standard_deviation, given.least_standard_deviation,
        given.greatest_standard_deviation})
    if (deviation.has_value() &&
        !(*deviation >= 1 / greatest && *deviation <= greatest))
      return Refuse(absl::StrCat("a standard deviation of ", experts, " is ",
                                 *deviation, "; it must be positive, ",
                                 1 / greatest, " to ", greatest));
  if (given.least_standard_deviation.has_value() &&
      given.greatest_standard_deviation.has_value() &&
      *given.least_standard_deviation >= *given.greatest_standard_deviation)
    return Refuse("the bounds on standard deviations are out of order");
  return absl::OkStatus();
}

bool IsReal(const DataSpec& spec) {
  return spec.family == Family::kGaussian ||
         spec.family == Family::kStructuredGaussian;
}

constexpr absl::string_view kRealData =
    "real-valued data (FAMILY_GAUSSIAN or FAMILY_STRUCTURED_GAUSSIAN)";

// One overload for each kind: what is wrong, and how many parameters there are
// in an expert over `width` columns.
struct Checker {
  const DataSpec& spec;

  absl::Status operator()(const BernoulliUnitsSettings& units) const {
    if (!(units.initial_weight_scale >= 0) ||
        !std::isfinite(units.initial_weight_scale))
      return Refuse("initial_weight_scale must be at least 0");
    if (!std::isfinite(units.initial_bias))
      return Refuse("initial_bias must be finite");
    return CheckSequential("Bernoulli units", false, spec);
  }
  absl::Status operator()(const UnigaussSettings& unigauss) const {
    absl::Status status =
        CheckFamily("unigauss experts", spec.family == Family::kGaussian,
                    "real-valued data (FAMILY_GAUSSIAN)");
    status.Update(CheckSequential("unigauss experts", false, spec));
    status.Update(CheckDeviations("unigauss experts", unigauss));
    if (status.ok() && unigauss.initial_log_volume_odds.has_value() &&
        !std::isfinite(*unigauss.initial_log_volume_odds))
      return Refuse("initial_log_volume_odds must be finite");
    return status;
  }
  absl::Status operator()(const GaussianMixtureSettings& mixture) const {
    absl::Status status =
        CheckFamily("Gaussian mixtures", IsReal(spec), kRealData);
    status.Update(CheckSequential("Gaussian mixtures", false, spec));
    status.Update(CheckCount("num_components", mixture.num_components));
    status.Update(CheckDeviations("Gaussian mixtures", mixture));
    return status;
  }
  absl::Status operator()(const HiddenMarkovSettings& markov) const {
    absl::Status status =
        CheckFamily("hidden Markov models",
                    IsReal(spec) || spec.family == Family::kCategorical,
                    "real-valued data or symbols (FAMILY_GAUSSIAN, "
                    "FAMILY_STRUCTURED_GAUSSIAN or FAMILY_CATEGORICAL)");
    if (status.ok() && spec.real_inputs)
      status = Refuse(
          "hidden Markov models of symbols read every coordinate as a symbol; "
          "beside real inputs (data_spec.real_inputs) use Bernoulli units");
    status.Update(CheckSequential("hidden Markov models", true, spec));
    status.Update(CheckCount("num_states", markov.num_states));
    status.Update(CheckDeviations("hidden Markov models", markov));
    return status;
  }
  absl::Status operator()(const LinearDynamicalSettings& system) const {
    absl::Status status =
        CheckFamily("linear dynamical systems", IsReal(spec), kRealData);
    status.Update(CheckSequential("linear dynamical systems", true, spec));
    status.Update(CheckCount("num_latent", system.num_latent));
    status.Update(CheckDeviations("linear dynamical systems", system));
    return status;
  }
  absl::Status operator()(const GaussianTreeSettings& tree) const {
    absl::Status status = CheckFamily(
        "Gaussian trees", spec.family == Family::kStructuredGaussian,
        "real-valued data without a box (FAMILY_STRUCTURED_GAUSSIAN)");
    status.Update(CheckSequential("Gaussian trees", false, spec));
    status.Update(CheckCount("num_trees", tree.num_trees));
    status.Update(CheckDeviations("Gaussian trees", tree));
    return status;
  }
};

struct Counter {
  double width;

  double operator()(const BernoulliUnitsSettings&) const { return width + 1; }
  double operator()(const UnigaussSettings& unigauss) const {
    return width + (unigauss.circular ? 1 : width) + 1;
  }
  double operator()(const GaussianMixtureSettings& mixture) const {
    return static_cast<double>(mixture.num_components) * (2 * width + 1);
  }
  double operator()(const HiddenMarkovSettings& markov) const {
    const auto states = static_cast<double>(markov.num_states);
    return states * (1 + states + 2 * width);
  }
  double operator()(const LinearDynamicalSettings& system) const {
    const auto latent = static_cast<double>(system.num_latent);
    return latent * (2 + 2 * latent + width) + 2 * width;
  }
  double operator()(const GaussianTreeSettings& tree) const {
    return static_cast<double>(tree.num_trees) * (3 * width + 1) +
           (tree.with_uniform ? 1 : 0);
  }
};

// Hidden probabilities of one expert.
struct HiddenCounter {
  Index operator()(const BernoulliUnitsSettings&) const { return 1; }
  Index operator()(const UnigaussSettings&) const { return 1; }
  Index operator()(const GaussianMixtureSettings& mixture) const {
    return mixture.num_components;
  }
  Index operator()(const HiddenMarkovSettings&) const { return 0; }
  Index operator()(const LinearDynamicalSettings&) const { return 0; }
  Index operator()(const GaussianTreeSettings& tree) const {
    return tree.num_trees > 1 || tree.with_uniform ? tree.num_trees : 0;
  }
};

}  // namespace

absl::Status ValidateGroup(const GroupSettings& group, const DataSpec& spec) {
  if (group.num_experts < 1)
    return Refuse(absl::StrCat("num_experts is ", group.num_experts,
                               "; it must be at least 1"));
  if (!(group.power > 0) || !std::isfinite(group.power))
    return Refuse(
        absl::StrCat("power is ", group.power, "; it must be positive"));
  absl::Status status = std::visit(Checker{spec}, group.kind);
  status.Update(ValidateCoordinates(spec, group.coordinates));
  return status;
}

absl::Status Validate(const FitApartSettings& settings) {
  if (!(settings.row_share > 0 && settings.row_share <= 1))
    return Refuse(absl::StrCat("initialize.row_share is ", settings.row_share,
                               "; it must be in (0, 1]"));
  if (!(settings.coordinate_share > 0 && settings.coordinate_share <= 1))
    return Refuse(absl::StrCat("initialize.coordinate_share is ",
                               settings.coordinate_share,
                               "; it must be in (0, 1]"));
  if (!(settings.power > 0) || !std::isfinite(settings.power))
    return Refuse(absl::StrCat("initialize.power is ", settings.power,
                               "; it must be positive"));
  if (settings.max_iterations < 1)
    return Refuse(absl::StrCat("initialize.max_iterations is ",
                               settings.max_iterations,
                               "; it must be at least 1"));
  return absl::OkStatus();
}

absl::Status CheckEnoughFrames(const GroupSettings& group, Index frames) {
  Index states = 1;
  if (const auto* mixture = std::get_if<GaussianMixtureSettings>(&group.kind))
    states = mixture->num_components;
  if (const auto* markov = std::get_if<HiddenMarkovSettings>(&group.kind))
    states = markov->num_states;
  if (const auto* system = std::get_if<LinearDynamicalSettings>(&group.kind))
    states = system->num_latent;
  if (const auto* trees = std::get_if<GaussianTreeSettings>(&group.kind))
    states = trees->num_trees;
  if (states <= frames) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("there are ", frames, " frames to learn ", states,
                   " states from; give more data, or ask for fewer states"));
}

Index NumHidden(const GroupSettings& group) {
  return group.num_experts * std::visit(HiddenCounter{}, group.kind);
}

Index NumHidden(const ProductSettings& product) {
  Index total = 0;
  for (const GroupSettings& group : product.groups) {
    if (NumHidden(group) == 0) return 0;
    total += NumHidden(group);
  }
  return total;
}

double NumParameters(const GroupSettings& group, const DataSpec& spec) {
  double width = static_cast<double>(spec.width());
  if (!group.coordinates.empty())
    width *= static_cast<double>(group.coordinates.size()) /
             static_cast<double>(spec.dimension);
  return static_cast<double>(group.num_experts) *
         std::visit(Counter{width}, group.kind);
}

}  // namespace poe
