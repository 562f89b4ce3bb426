#include "tests/server/codec/kind_models.h"

#include <cstdlib>
#include <memory>
#include <utility>

#include "poe/bases/bernoulli.h"
#include "poe/bases/categorical.h"
#include "poe/bases/gaussian.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/experts/gaussian_mixture.h"
#include "poe/experts/gaussian_tree.h"
#include "poe/experts/hidden_markov.h"
#include "poe/experts/linear_dynamical.h"
#include "poe/experts/selected_coordinates.h"
#include "poe/experts/unigauss.h"
#include "poe/initialization.h"
#include "tests/server/codec/test_models.h"

namespace poe::server {
namespace {

using GroupPointer = std::unique_ptr<ExpertGroup<float>>;

constexpr Index kExperts = 2, kStates = 3, kLatents = 2;

class Maker {
 public:
  explicit Maker(DataSpec spec) : spec_(std::move(spec)) {}

  RowMatrix<float> Draw(Index rows, Index columns) {
    return DrawMatrix(rows, columns, generator_);
  }

  // Wide: two values at -35 and 35, and bounds that let them be.
  template <typename Settings>
  RowMatrix<float> LogVariance(Index rows, Index columns, bool wide,
                               Settings& settings) {
    RowMatrix<float> values = Draw(rows, columns);
    if (wide) {
      values(0, 0) = 35;
      values(rows - 1, columns - 1) = -35;
      settings.least_log_variance = -40;
      settings.greatest_log_variance = 40;
      settings.power = 0.3f;
    }
    return values;
  }

  GroupPointer Units(bool wide) {
    return *BernoulliUnits<float>::Create(Draw(spec_.width(), kExperts),
                                          Draw(kExperts, 1), wide ? 0.3f : 1);
  }

  GroupPointer UnigaussGroup(bool circular, bool wide) {
    Unigauss<float>::Settings settings;
    settings.mean = Draw(kExperts, spec_.dimension);
    settings.log_variance =
        LogVariance(kExperts, circular ? 1 : spec_.dimension, wide, settings);
    settings.mixing_logit = Draw(kExperts, 1);
    settings.log_volume = BoxOf(spec_).log_volume;
    return *Unigauss<float>::Create(std::move(settings));
  }

  GroupPointer Mixture(bool wide) {
    GaussianMixture<float>::Settings settings;
    settings.mean = Draw(kExperts * kStates, spec_.dimension);
    settings.log_variance =
        LogVariance(kExperts * kStates, spec_.dimension, wide, settings);
    settings.mixing_logit = Draw(kExperts, kStates);
    return *GaussianMixture<float>::Create(std::move(settings));
  }

  GroupPointer Markov(bool wide) {
    HiddenMarkov<float>::Settings settings;
    settings.initial_logit = Draw(kExperts, kStates);
    settings.transition_logit = Draw(kExperts * kStates, kStates);
    if (spec_.family == Family::kCategorical) {
      settings.num_symbols = spec_.num_symbols;
      settings.emission_logit = Draw(kExperts * kStates, spec_.width());
      if (wide) settings.emission_logit(1, 0) = -1e30f;
      if (wide) settings.power = 0.3f;
    } else {
      settings.mean = Draw(kExperts * kStates, spec_.dimension);
      settings.log_variance =
          LogVariance(kExperts * kStates, spec_.dimension, wide, settings);
    }
    return *HiddenMarkov<float>::Create(std::move(settings));
  }

  GroupPointer System(bool wide) {
    LinearDynamical<float>::Settings settings;
    settings.initial_mean = Draw(kExperts, kLatents);
    settings.initial_log_cholesky = Draw(kExperts, TriangleSize(kLatents));
    settings.transition = Draw(kExperts * kLatents, kLatents);
    settings.transition_log_cholesky = Draw(kExperts, TriangleSize(kLatents));
    settings.emission = Draw(kExperts * spec_.dimension, kLatents);
    settings.emission_offset = Draw(kExperts, spec_.dimension);
    settings.emission_log_variance =
        LogVariance(kExperts, spec_.dimension, wide, settings);
    if (wide) {
      settings.initial_log_cholesky(0, 0) = -20;
      settings.initial_log_cholesky(0, 1) = 300;
      settings.transition_log_cholesky(1, 2) = -20;
      settings.transition_log_cholesky(1, 0) = 20;
    }
    return *LinearDynamical<float>::Create(std::move(settings));
  }

  GroupPointer Tree(Index trees, bool uniform, bool wide) {
    GaussianTree<float>::Settings settings;
    const Index rows = kExperts * trees;
    for (Index t = 0; t < rows; ++t)
      for (Index i = 0; i < spec_.dimension; ++i)
        settings.parents.push_back(
            static_cast<std::int32_t>(t % 2 == 0 ? i - 1 : (i == 1 ? -1 : 1)));
    settings.weight = Draw(rows, spec_.dimension);
    settings.offset = Draw(rows, spec_.dimension);
    settings.log_variance = LogVariance(rows, spec_.dimension, wide, settings);
    settings.mixing_logit = Draw(kExperts, trees + (uniform ? 1 : 0));
    return *GaussianTree<float>::Create(std::move(settings));
  }

  std::unique_ptr<Base<float>> MakeBase() {
    const Index inputs = spec_.num_real_inputs();
    const Index outputs = spec_.dimension - inputs;
    switch (spec_.family) {
      case Family::kBernoulli:
        return *BernoulliBase<float>::Create(Draw(outputs, 1), inputs);
      case Family::kCategorical:
        return *CategoricalBase<float>::Create(Draw(outputs, spec_.num_symbols),
                                               inputs);
      case Family::kGaussian: {
        GaussianBase<float>::Settings settings;
        settings.lower = BoxOf(spec_).lower;
        settings.upper = BoxOf(spec_).upper;
        return *GaussianBase<float>::Create(std::move(settings));
      }
      case Family::kStructuredGaussian:
        return *StructuredGaussianBase<float>::Create(Draw(spec_.dimension, 1),
                                                      Draw(spec_.dimension, 1));
    }
    std::abort();
  }

  KindModel Finish(std::string name, std::vector<GroupPointer> groups) {
    KindModel kind{std::move(name), {}};
    kind.model.data_spec = spec_;
    ClassModel& one = kind.model.classes.emplace_back();
    one.name = "data";
    one.layers.push_back(
        *Product<float>::Create(MakeBase(), std::move(groups)));
    for (const Index length : {2, 3})
      if (spec_.sequential)
        one.log_partitions.push_back({LogPartition::Method::kAisForward,
                                      0.1 * static_cast<double>(length), 1e-3,
                                      length});
    if (!spec_.sequential)
      one.log_partitions.push_back({LogPartition::Method::kExact, -1.0 / 3});
    return kind;
  }

 private:
  DataSpec spec_;
  std::mt19937 generator_{9};
};

DataSpec Spec(Family family, bool sequential = false) {
  DataSpec spec;
  spec.family = family;
  spec.dimension = 3;
  spec.sequential = sequential;
  if (family == Family::kCategorical) spec.num_symbols = 4;
  if (family == Family::kGaussian)
    spec.box = Box{{-4.5, -5, -6}, {4.5, 5.3, 6}};
  return spec;
}

// The first and the last coordinate are real inputs.
DataSpec SpecWithRealInputs(Family family) {
  DataSpec spec = Spec(family);
  spec.input_coordinates = {0, 2};
  spec.real_inputs = true;
  spec.preprocessing.kind = Preprocessing::Kind::kStandardize;
  spec.preprocessing.shift = {0.5, 0, -3};
  spec.preprocessing.scale = {2, 1, 0.25};
  return spec;
}

}  // namespace

std::vector<KindModel> ModelsOfAllKinds() {
  std::vector<KindModel> kinds;
  // `make` turns a Maker and whether parameters go far into a group.
  const auto add = [&](std::string name, const DataSpec& spec, auto make) {
    Maker maker(spec);
    std::vector<GroupPointer> groups;
    for (const bool wide : {false, true}) groups.push_back(make(maker, wide));
    kinds.push_back(maker.Finish(std::move(name), std::move(groups)));
  };
  const auto units = [](Maker& m, bool wide) { return m.Units(wide); };
  add("UnitsOnBits", Spec(Family::kBernoulli), units);
  add("UnitsOnSymbols", Spec(Family::kCategorical), units);
  add("UnitsOnBitsAndRealInputs", SpecWithRealInputs(Family::kBernoulli),
      units);
  add("UnitsOnSymbolsAndRealInputs", SpecWithRealInputs(Family::kCategorical),
      units);
  add("UnitsOnRealValues", Spec(Family::kStructuredGaussian), units);
  for (const bool circular : {false, true})
    add(circular ? "CircularUnigauss" : "UnigaussExperts",
        Spec(Family::kGaussian),
        [=](Maker& m, bool wide) { return m.UnigaussGroup(circular, wide); });
  const auto mixture = [](Maker& m, bool wide) { return m.Mixture(wide); };
  add("MixtureOnABox", Spec(Family::kGaussian), mixture);
  add("MixtureWithoutABox", Spec(Family::kStructuredGaussian), mixture);
  const auto markov = [](Maker& m, bool wide) { return m.Markov(wide); };
  add("MarkovWithGaussians", Spec(Family::kStructuredGaussian, true), markov);
  add("MarkovWithSymbols", Spec(Family::kCategorical, true), markov);
  // Groups that see the first and the last of three coordinates.
  const auto add_selected = [&](std::string name, const DataSpec& spec,
                                auto make) {
    const std::vector<Index> coordinates = {0, 2};
    Maker selected(SelectCoordinates(spec, coordinates));
    add(std::move(name), spec, [&](Maker&, bool wide) -> GroupPointer {
      return *SelectedCoordinates<float>::Create(
          make(selected, wide), ColumnsOf(spec, coordinates), spec.width());
    });
  };
  add_selected("MixtureOfSomeCoordinates", Spec(Family::kGaussian), mixture);
  add_selected("UnitsOnSomeSymbols", Spec(Family::kCategorical), units);
  add_selected("MarkovWithSomeSymbols", Spec(Family::kCategorical, true),
               markov);
  add("System", Spec(Family::kGaussian, true),
      [](Maker& m, bool wide) { return m.System(wide); });
  add("SingleTree", Spec(Family::kStructuredGaussian),
      [](Maker& m, bool wide) { return m.Tree(1, false, wide); });
  add("TreesWithUniform", Spec(Family::kStructuredGaussian),
      [](Maker& m, bool wide) { return m.Tree(2, true, wide); });
  add("UnitsAndUnigauss", Spec(Family::kGaussian), [](Maker& m, bool wide) {
    return wide ? m.UnigaussGroup(false, true) : m.Units(false);
  });
  add("MixtureAndTrees", Spec(Family::kStructuredGaussian),
      [](Maker& m, bool wide) {
        return wide ? m.Tree(2, true, true) : m.Mixture(false);
      });
  add("MarkovAndSystem", Spec(Family::kGaussian, true),
      [](Maker& m, bool wide) {
        return wide ? m.System(true) : m.Markov(true);
      });
  return kinds;
}

Model ModelOfKind(const std::string& name) {
  for (KindModel& kind : ModelsOfAllKinds())
    if (kind.name == name) return std::move(kind.model);
  std::abort();
}

}  // namespace poe::server
