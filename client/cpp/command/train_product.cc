#include "client/cpp/command/train_product.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/coordinates.h"

namespace poe::client {
namespace {

// Where nobody says.
constexpr int kComponents = 5;
constexpr int kDefaultStates = 5;
constexpr int kLatent = 2;
constexpr int kDefaultTrees = 1;

// So wide that the Gaussian beside experts that are fitted alone says nothing.
constexpr double kSilentBase = 1e4;

// An option and the kinds that it means something to.
struct KindOption {
  const char* name;
  bool given;
  std::vector<ExpertKind> kinds;
};

std::vector<KindOption> KindOptions(const TrainOptions& options) {
  using enum ExpertKind;
  return {{"--weight-scale", options.weight_scale.has_value(), {kUnits}},
          {"--circular", options.circular, {kUnigauss}},
          {"--initial-deviation",
           options.initial_deviation.has_value(),
           {kUnigauss, kMixture, kMarkov, kDynamics, kTree}},
          {"--components", options.components > 0, {kMixture}},
          {"--states", options.states > 0, {kMarkov}},
          {"--latent", options.latent > 0, {kDynamics}},
          {"--trees", options.trees > 0, {kTree}},
          {"--uniform", options.uniform, {kTree}},
          {"--fit-apart",
           options.fit_apart,
           {kMixture, kMarkov, kDynamics, kTree}}};
}

std::string Names(const std::vector<ExpertKind>& kinds) {
  return absl::StrJoin(kinds, ", ", [](std::string* text, ExpertKind kind) {
    absl::StrAppend(text, KindName(kind));
  });
}

std::vector<ExpertKind> KindsOf(const std::vector<ExpertChoice>& choices) {
  std::vector<ExpertKind> kinds;
  for (const ExpertChoice& choice : choices) kinds.push_back(choice.kind);
  return kinds;
}

bool Contains(const std::vector<ExpertChoice>& kinds, ExpertKind wanted) {
  return std::any_of(
      kinds.begin(), kinds.end(),
      [wanted](const ExpertChoice& choice) { return choice.kind == wanted; });
}

// An option for which there is no expert of a kind that it is for.
absl::Status CheckForWhom(const TrainOptions& options,
                          const std::vector<ExpertChoice>& kinds) {
  for (const KindOption& option : KindOptions(options)) {
    const auto present = [&kinds](ExpertKind kind) {
      return Contains(kinds, kind);
    };
    if (option.given &&
        std::none_of(option.kinds.begin(), option.kinds.end(), present)) {
      return UsageError(absl::StrCat(option.name, " is for experts of kind ",
                                     Names(option.kinds), "; these are ",
                                     Names(KindsOf(kinds))));
    }
  }
  return absl::OkStatus();
}

template <typename Settings>
void SetDeviation(const TrainOptions& options, Settings& settings) {
  if (options.initial_deviation) {
    settings.set_initial_standard_deviation(*options.initial_deviation);
  }
}

int OrDefault(int given, int otherwise) {
  return given > 0 ? given : otherwise;
}

void SetKind(const TrainOptions& options, ExpertKind kind,
             v1::GroupSettings& group) {
  switch (kind) {
    case ExpertKind::kUnits:
      SetUnits(options, group);
      return;
    case ExpertKind::kUnigauss: {
      v1::UnigaussSettings& unigauss = *group.mutable_unigauss();
      unigauss.set_circular(options.circular);
      SetDeviation(options, unigauss);
      return;
    }
    case ExpertKind::kMixture: {
      v1::GaussianMixtureSettings& mixture = *group.mutable_gaussian_mixture();
      mixture.set_num_components(OrDefault(options.components, kComponents));
      SetDeviation(options, mixture);
      return;
    }
    case ExpertKind::kMarkov: {
      v1::HiddenMarkovSettings& markov = *group.mutable_hidden_markov();
      markov.set_num_states(OrDefault(options.states, kDefaultStates));
      SetDeviation(options, markov);
      return;
    }
    case ExpertKind::kDynamics: {
      v1::LinearDynamicalSettings& system = *group.mutable_linear_dynamical();
      system.set_num_latent(OrDefault(options.latent, kLatent));
      SetDeviation(options, system);
      return;
    }
    case ExpertKind::kTree: {
      v1::GaussianTreeSettings& tree = *group.mutable_gaussian_tree();
      tree.set_num_trees(OrDefault(options.trees, kDefaultTrees));
      tree.set_with_uniform(options.uniform);
      SetDeviation(options, tree);
      return;
    }
  }
}

}  // namespace

absl::Status CheckKindOptions(const TrainOptions& options,
                              const std::vector<ExpertChoice>& kinds) {
  const bool sequences = SeesSequences(kinds.front().kind);
  for (const ExpertChoice& choice : kinds) {
    if (SeesSequences(choice.kind) != sequences) {
      return UsageError(absl::StrCat("--kind ", KindName(kinds.front().kind),
                                     " and --kind ", KindName(choice.kind),
                                     " do not go together: hmm and lds see ",
                                     "sequences, the others single rows"));
    }
    if (options.pool && choice.kind != ExpertKind::kTree) {
      return UsageError(absl::StrCat("--pool is of experts of kind tree, not ",
                                     KindName(choice.kind)));
    }
    if (options.no_together && !CanFitApart(choice.kind)) {
      return UsageError(absl::StrCat("--no-together leaves experts of kind ",
                                     KindName(choice.kind),
                                     " untrained: they are not fitted apart"));
    }
  }
  if (options.no_together && !options.fit_apart) {
    return UsageError("--no-together without --fit-apart trains nothing");
  }
  return CheckForWhom(options, kinds);
}

void SetUnits(const TrainOptions& options, v1::GroupSettings& group) {
  v1::BernoulliUnitsSettings& units = *group.mutable_bernoulli_units();
  if (options.weight_scale) {
    units.set_initial_weight_scale(*options.weight_scale);
  }
}

absl::StatusOr<v1::ProductSettings> MakeProduct(
    const TrainOptions& options, const std::vector<ExpertChoice>& kinds,
    const v1::DataSpec& spec) {
  v1::ProductSettings product;
  for (const ExpertChoice& choice : kinds) {
    v1::GroupSettings& group = *product.add_groups();
    group.set_num_experts(OrDefault(
        choice.count, OrDefault(options.experts, DefaultCount(choice.kind))));
    SetKind(options, choice.kind, group);
    if (choice.columns.empty()) continue;
    const absl::StatusOr<std::vector<int32_t>> columns =
        ParseCoordinates(absl::StrCat("--kind ", KindName(choice.kind)),
                         choice.columns, spec.dimension());
    if (!columns.ok()) return columns.status();
    group.mutable_coordinates()->Add(columns->begin(), columns->end());
  }
  // Units see real values only through a base that has a variance.
  v1::BaseSettings& base = *product.mutable_base();
  base.set_gaussian_factor(
      options.gaussian_factor.value_or(spec.family() == v1::FAMILY_GAUSSIAN &&
                                       Contains(kinds, ExpertKind::kUnits)));
  if ((options.no_together || options.pool) &&
      spec.family() == v1::FAMILY_STRUCTURED_GAUSSIAN) {
    base.set_deviation_multiple(kSilentBase);
    base.set_fixed_variance(true);
  }
  return product;
}

}  // namespace poe::client
