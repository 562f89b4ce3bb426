#include "poe/experts/latent_states.h"

#include <algorithm>
#include <cmath>

namespace poe {

Index DrawState(absl::Span<const double> log_joint, double uniform) {
  const auto greatest = std::max_element(log_joint.begin(), log_joint.end());
  double total = 0;
  for (double value : log_joint) total += std::exp(value - *greatest);
  const double threshold = uniform * total;
  double sum = 0;
  for (std::size_t k = 0; k < log_joint.size(); ++k) {
    sum += std::exp(log_joint[k] - *greatest);
    if (threshold < sum) return static_cast<Index>(k);
  }
  return greatest - log_joint.begin();
}

void NormalizeStates(absl::Span<double> log_joint) {
  const double greatest = *std::max_element(log_joint.begin(), log_joint.end());
  double total = 0;
  for (double& value : log_joint) {
    value = std::exp(value - greatest);
    total += value;
  }
  for (double& value : log_joint) value /= total;
}

}  // namespace poe
