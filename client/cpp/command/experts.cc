#include "client/cpp/command/experts.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cpp/tensor.h"

namespace poe::client {
namespace {

constexpr double kUnseen = std::numeric_limits<double>::quiet_NaN();

absl::Status Unfit() {
  return absl::InternalError("the model's parameters do not fit together");
}

// Dimension of the data that a layer sees: the model's, or the number of
// experts of the layer below.
int64_t LayerDimension(const v1::Model& model, const v1::ClassModel& c,
                       int layer) {
  if (layer == 0) return model.data_spec().dimension();
  int64_t experts = 0;
  for (const v1::ExpertGroup& group : c.layers(layer - 1).groups()) {
    const v1::Tensor& each = group.has_unigauss()
                                 ? group.unigauss().mixing_logit()
                                 : group.bernoulli_units().bias();
    if (!each.shape().empty()) experts += each.shape(0);
  }
  return experts;
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

absl::Status AppendUnits(const v1::BernoulliUnits& units,
                         const std::vector<int64_t>& coordinates,
                         int64_t dimension, std::vector<Expert>& experts) {
  const absl::StatusOr<std::vector<double>> weights =
      TensorDoubles(units.weights());
  const absl::StatusOr<std::vector<double>> bias = TensorDoubles(units.bias());
  if (!weights.ok() || !bias.ok() ||
      weights->size() != coordinates.size() * bias->size()) {
    return Unfit();
  }
  for (size_t m = 0; m < bias->size(); ++m) {
    Expert& expert = experts.emplace_back();
    expert.strength = (*bias)[m];
    expert.values.assign(dimension, 0);
    for (size_t i = 0; i < coordinates.size(); ++i) {
      expert.values[coordinates[i]] = (*weights)[i * bias->size() + m];
    }
  }
  return absl::OkStatus();
}

absl::Status AppendUnigauss(const v1::Unigauss& unigauss,
                            const std::vector<int64_t>& coordinates,
                            int64_t dimension, std::vector<Expert>& experts) {
  const absl::StatusOr<std::vector<double>> mean =
      TensorDoubles(unigauss.mean());
  const absl::StatusOr<std::vector<double>> log_variance =
      TensorDoubles(unigauss.log_variance());
  const absl::StatusOr<std::vector<double>> logit =
      TensorDoubles(unigauss.mixing_logit());
  if (!mean.ok() || !log_variance.ok() || !logit.ok() || logit->empty() ||
      mean->size() != coordinates.size() * logit->size() ||
      log_variance->size() % logit->size() != 0) {
    return Unfit();
  }
  const size_t widths = log_variance->size() / logit->size();
  if (widths != 1 && widths != coordinates.size()) return Unfit();
  for (size_t m = 0; m < logit->size(); ++m) {
    Expert& expert = experts.emplace_back();
    expert.kind = Expert::Kind::kUnigauss;
    expert.strength = 1 / (1 + std::exp(-(*logit)[m]));
    expert.values.assign(dimension, kUnseen);
    expert.deviations.assign(dimension, kUnseen);
    for (size_t i = 0; i < coordinates.size(); ++i) {
      const size_t width = widths == 1 ? m : m * widths + i;
      expert.values[coordinates[i]] = (*mean)[m * coordinates.size() + i];
      expert.deviations[coordinates[i]] = std::exp((*log_variance)[width] / 2);
    }
  }
  return absl::OkStatus();
}

// Takes a Gaussian from preprocessed units to those of the data.
void ToRawUnits(const v1::Preprocessing& preprocessing, Expert& expert) {
  for (size_t i = 0; i < expert.deviations.size(); ++i) {
    const int index = static_cast<int>(i);
    if (index >= preprocessing.scale_size() ||
        index >= preprocessing.shift_size()) {
      return;
    }
    expert.values[i] = expert.values[i] * preprocessing.scale(index) +
                       preprocessing.shift(index);
    expert.deviations[i] *= preprocessing.scale(index);
  }
}

absl::Status AppendLayer(const v1::Model& model, const v1::ClassModel& c,
                         int layer, std::vector<Expert>& experts) {
  const int64_t dimension = LayerDimension(model, c, layer);
  const size_t first = experts.size();
  for (const v1::ExpertGroup& group : c.layers(layer).groups()) {
    const std::vector<int64_t> coordinates = Coordinates(group, dimension);
    for (const int64_t coordinate : coordinates) {
      if (coordinate < 0 || coordinate >= dimension) return Unfit();
    }
    absl::Status status = absl::UnimplementedError(absl::StrCat(
        "this kind of expert cannot be shown: case ",
        static_cast<int>(group.kind_case()), " of poe.v1.ExpertGroup"));
    if (group.has_bernoulli_units()) {
      status =
          AppendUnits(group.bernoulli_units(), coordinates, dimension, experts);
    } else if (group.has_unigauss()) {
      status =
          AppendUnigauss(group.unigauss(), coordinates, dimension, experts);
    }
    if (!status.ok()) return status;
  }
  for (size_t i = first; i < experts.size(); ++i) {
    experts[i].class_name = c.name();
    experts[i].number = static_cast<int64_t>(i - first);
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
