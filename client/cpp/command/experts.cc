#include "client/cpp/command/experts.h"

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cpp/command/coordinates.h"
#include "client/cpp/command/expert_readers.h"

namespace poe::client {
namespace {

// What a group's latents are to the layer above: bits, or components.
int64_t NumHidden(const v1::ExpertGroup& group) {
  const auto size = [](const v1::Tensor& tensor, int dimensions) {
    int64_t product = 1;
    for (int i = 0; i < dimensions; ++i) {
      product *= i < tensor.shape_size() ? tensor.shape(i) : 0;
    }
    return product;
  };
  switch (group.kind_case()) {
    case v1::ExpertGroup::kBernoulliUnits:
      return size(group.bernoulli_units().bias(), 1);
    case v1::ExpertGroup::kUnigauss:
      return size(group.unigauss().mixing_logit(), 1);
    case v1::ExpertGroup::kGaussianMixture:
      return size(group.gaussian_mixture().mixing_logit(), 2);
    case v1::ExpertGroup::kGaussianTree:
      return size(group.gaussian_tree().weight(), 2);
    default:
      return 0;
  }
}

// Dimension of the data that a layer sees: the model's, or the number of
// latents of the layer below.
int64_t LayerDimension(const v1::Model& model, const v1::ClassModel& c,
                       int layer) {
  if (layer == 0) return model.data_spec().dimension();
  int64_t latents = 0;
  for (const v1::ExpertGroup& group : c.layers(layer - 1).groups()) {
    latents += NumHidden(group);
  }
  return latents;
}

// The coordinates that a group sees.
std::vector<int64_t> Coordinates(const v1::ExpertGroup& group,
                                 int64_t dimension) {
  if (!group.coordinates().empty()) {
    return {group.coordinates().begin(), group.coordinates().end()};
  }
  std::vector<int64_t> all(dimension);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// Takes what an expert says about numbers to the units of the data.
void ToRawUnits(const v1::Preprocessing& preprocessing, Expert& expert) {
  const bool is_place = expert.kind != ExpertKind::kDynamics;
  for (size_t i = 0; i < expert.deviations.size(); ++i) {
    const int index = static_cast<int>(i);
    if (index >= preprocessing.scale_size() ||
        index >= preprocessing.shift_size()) {
      return;
    }
    expert.values[i] *= preprocessing.scale(index);
    if (is_place) expert.values[i] += preprocessing.shift(index);
    expert.deviations[i] *= preprocessing.scale(index);
  }
}

absl::Status AppendGroup(const v1::ExpertGroup& group, const SeenData& seen,
                         std::vector<Expert>& experts) {
  switch (group.kind_case()) {
    case v1::ExpertGroup::kBernoulliUnits:
      return Append(group.bernoulli_units(), seen, experts);
    case v1::ExpertGroup::kUnigauss:
      return Append(group.unigauss(), seen, experts);
    case v1::ExpertGroup::kGaussianMixture:
      return Append(group.gaussian_mixture(), seen, experts);
    case v1::ExpertGroup::kHiddenMarkov:
      return Append(group.hidden_markov(), seen, experts);
    case v1::ExpertGroup::kLinearDynamical:
      return Append(group.linear_dynamical(), seen, experts);
    case v1::ExpertGroup::kGaussianTree:
      return Append(group.gaussian_tree(), seen, experts);
    default:
      return absl::UnimplementedError(absl::StrCat(
          "this kind of expert cannot be shown: case ",
          static_cast<int>(group.kind_case()), " of poe.v1.ExpertGroup"));
  }
}

// Counts experts from `first` on; the states of one follow each other.
void Number(std::vector<Expert>& experts, size_t first) {
  int64_t number = -1;
  for (size_t i = first; i < experts.size(); ++i) {
    if (experts[i].state <= 0) ++number;
    experts[i].number = number;
  }
}

absl::Status AppendLayer(const v1::Model& model, const v1::ClassModel& c,
                         int layer, std::vector<Expert>& experts) {
  SeenData seen;
  seen.dimension = LayerDimension(model, c, layer);
  if (layer == 0) {
    const v1::DataSpec& spec = model.data_spec();
    seen.symbols = spec.num_symbols();
    seen.first_weights = FirstWeights(spec);
    if (spec.real_inputs()) {
      seen.real_inputs.insert(spec.input_coordinates().begin(),
                              spec.input_coordinates().end());
    }
  } else {
    seen.first_weights = Coordinates({}, seen.dimension + 1);
  }
  const size_t first = experts.size();
  for (const v1::ExpertGroup& group : c.layers(layer).groups()) {
    seen.coordinates = Coordinates(group, seen.dimension);
    for (const int64_t coordinate : seen.coordinates) {
      if (coordinate < 0 || coordinate >= seen.dimension) {
        return UnfitParameters();
      }
    }
    const absl::Status status = AppendGroup(group, seen, experts);
    if (!status.ok()) return status;
  }
  Number(experts, first);
  for (size_t i = first; i < experts.size(); ++i) {
    experts[i].class_name = c.name();
    if (layer == 0) ToRawUnits(model.data_spec().preprocessing(), experts[i]);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Expert>> ReadExperts(const v1::Model& model,
                                                const std::string& class_name,
                                                int layer) {
  std::vector<Expert> experts;
  std::vector<std::string> names;
  bool found = false;
  for (const v1::ClassModel& c : model.classes()) {
    names.push_back(c.name());
    if (!class_name.empty() && c.name() != class_name) continue;
    found = true;
    if (layer < 0 || layer >= c.layers_size()) {
      return absl::NotFoundError(absl::StrCat("there is no layer ", layer,
                                              "; class ", c.name(), " has ",
                                              c.layers_size()));
    }
    const absl::Status status = AppendLayer(model, c, layer, experts);
    if (!status.ok()) return status;
  }
  if (!found) {
    return absl::NotFoundError(absl::StrCat("there is no class ", class_name,
                                            "; there are ",
                                            absl::StrJoin(names, ", ")));
  }
  return experts;
}

}  // namespace poe::client
