#include "client/cpp/command/expert_readers.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/cpp/tensor.h"

namespace poe::client {
namespace {

constexpr double kUnseen = std::numeric_limits<double>::quiet_NaN();

int64_t FirstLength(const v1::Tensor& tensor) {
  return tensor.shape().empty() ? 0 : tensor.shape(0);
}

int64_t LastLength(const v1::Tensor& tensor) {
  return tensor.shape().empty() ? 0 : tensor.shape(tensor.shape_size() - 1);
}

// The place among all weights of those that a group has, in its order.
std::vector<int64_t> WeightPlaces(const SeenData& seen) {
  std::vector<int64_t> places;
  for (const bool real_inputs : {false, true}) {
    for (const int64_t coordinate : seen.coordinates) {
      if (seen.real_inputs.contains(coordinate) != real_inputs) continue;
      for (int64_t place = seen.first_weights[coordinate];
           place < seen.first_weights[coordinate + 1]; ++place) {
        places.push_back(place);
      }
    }
  }
  return places;
}

}  // namespace

absl::Status UnfitParameters() {
  return absl::InternalError("the model's parameters do not fit together");
}

bool ReadParameters(const v1::Tensor& tensor, size_t size,
                    std::vector<double>& values) {
  absl::StatusOr<std::vector<double>> read = TensorDoubles(tensor);
  if (!read.ok() || read->size() != size) return false;
  values = *std::move(read);
  return true;
}

void SetGaussian(absl::Span<const double> mean,
                 absl::Span<const double> log_variance, const SeenData& seen,
                 Expert& expert) {
  expert.values.assign(seen.dimension, kUnseen);
  expert.deviations.assign(seen.dimension, kUnseen);
  for (size_t i = 0; i < seen.coordinates.size(); ++i) {
    expert.values[seen.coordinates[i]] = mean[i];
    expert.deviations[seen.coordinates[i]] =
        std::exp(log_variance[log_variance.size() == 1 ? 0 : i] / 2);
  }
}

std::vector<double> Shares(absl::Span<const double> logits) {
  const double greatest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> shares;
  double sum = 0;
  for (const double logit : logits) {
    shares.push_back(std::exp(logit - greatest));
    sum += shares.back();
  }
  for (double& share : shares) share /= sum;
  return shares;
}

absl::Status Append(const v1::BernoulliUnits& group, const SeenData& seen,
                    std::vector<Expert>& experts) {
  const size_t count = FirstLength(group.bias());
  const std::vector<int64_t> places = WeightPlaces(seen);
  std::vector<double> weights, bias;
  if (!ReadParameters(group.bias(), count, bias) ||
      !ReadParameters(group.weights(), places.size() * count, weights)) {
    return UnfitParameters();
  }
  for (size_t m = 0; m < count; ++m) {
    Expert& expert = experts.emplace_back();
    expert.kind = ExpertKind::kUnits;
    expert.strength = bias[m];
    expert.values.assign(seen.first_weights.back(), 0);
    for (size_t row = 0; row < places.size(); ++row) {
      expert.values[places[row]] = weights[row * count + m];
    }
  }
  return absl::OkStatus();
}

absl::Status Append(const v1::Unigauss& group, const SeenData& seen,
                    std::vector<Expert>& experts) {
  const size_t count = FirstLength(group.mixing_logit());
  const size_t width = seen.coordinates.size();
  const size_t variances = LastLength(group.log_variance());
  std::vector<double> mean, log_variance, logit;
  if ((variances != 1 && variances != width) ||
      !ReadParameters(group.mixing_logit(), count, logit) ||
      !ReadParameters(group.mean(), count * width, mean) ||
      !ReadParameters(group.log_variance(), count * variances, log_variance)) {
    return UnfitParameters();
  }
  for (size_t m = 0; m < count; ++m) {
    Expert& expert = experts.emplace_back();
    expert.kind = ExpertKind::kUnigauss;
    expert.strength = 1 / (1 + std::exp(-logit[m]));
    SetGaussian(
        absl::MakeConstSpan(mean).subspan(m * width, width),
        absl::MakeConstSpan(log_variance).subspan(m * variances, variances),
        seen, expert);
  }
  return absl::OkStatus();
}

absl::Status Append(const v1::GaussianMixture& group, const SeenData& seen,
                    std::vector<Expert>& experts) {
  const size_t count = FirstLength(group.mixing_logit());
  const size_t components = LastLength(group.mixing_logit());
  const size_t width = seen.coordinates.size();
  std::vector<double> mean, log_variance, logit;
  if (!ReadParameters(group.mixing_logit(), count * components, logit) ||
      !ReadParameters(group.mean(), count * components * width, mean) ||
      !ReadParameters(group.log_variance(), count * components * width,
                      log_variance)) {
    return UnfitParameters();
  }
  for (size_t row = 0; row < count * components; ++row) {
    const size_t m = row / components;
    const size_t k = row % components;
    Expert& expert = experts.emplace_back();
    expert.kind = ExpertKind::kMixture;
    expert.state = static_cast<int64_t>(k);
    expert.strength = Shares(
        absl::MakeConstSpan(logit).subspan(m * components, components))[k];
    SetGaussian(absl::MakeConstSpan(mean).subspan(row * width, width),
                absl::MakeConstSpan(log_variance).subspan(row * width, width),
                seen, expert);
  }
  return absl::OkStatus();
}

absl::Status Append(const v1::GaussianTree& group, const SeenData& seen,
                    std::vector<Expert>& experts) {
  const size_t count = FirstLength(group.mixing_logit());
  const size_t states = LastLength(group.mixing_logit());
  const size_t trees = group.num_trees();
  const size_t width = seen.coordinates.size();
  const size_t size = count * trees * width;
  std::vector<double> weight, logit;
  if (trees == 0 || (states != trees && states != trees + 1) ||
      static_cast<size_t>(group.parent_size()) != size ||
      !ReadParameters(group.mixing_logit(), count * states, logit) ||
      !ReadParameters(group.weight(), size, weight)) {
    return UnfitParameters();
  }
  for (size_t row = 0; row < count * trees; ++row) {
    const size_t m = row / trees;
    const size_t k = row % trees;
    Expert& expert = experts.emplace_back();
    expert.kind = ExpertKind::kTree;
    expert.state = static_cast<int64_t>(k);
    expert.strength =
        Shares(absl::MakeConstSpan(logit).subspan(m * states, states))[k];
    for (size_t i = 0; i < width; ++i) {
      const int32_t parent = group.parent(static_cast<int>(row * width + i));
      if (parent < 0) continue;
      if (static_cast<size_t>(parent) >= width) return UnfitParameters();
      expert.edges.push_back({seen.coordinates[parent], seen.coordinates[i],
                              weight[row * width + i]});
    }
  }
  return absl::OkStatus();
}

}  // namespace poe::client
