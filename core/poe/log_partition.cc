#include "poe/log_partition.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/exact_gradient.h"
#include "poe/experts/gaussian_tree_partition.h"
#include "poe/experts/hidden_markov.h"
#include "poe/experts/hidden_markov_partition.h"
#include "poe/experts/linear_dynamical_partition.h"
#include "poe/experts/selected_coordinates.h"
#include "poe/latent_partition.h"

namespace poe {

absl::StatusOr<double> ExactLogPartition(const Product<float>& product,
                                         const DataSpec& spec, Index length) {
  if (!spec.input_coordinates.empty())
    return absl::FailedPreconditionError(
        "log Z of a conditional model depends on its inputs");
  if (product.sequential()) {
    const ExpertGroup<float>* first = Unwrap(product.group(0)).group;
    return dynamic_cast<const HiddenMarkov<float>*>(first) != nullptr
               ? HiddenMarkovLogPartition(product, length)
               : LinearDynamicalLogPartition(product, length);
  }
  if (spec.family == Family::kStructuredGaussian)
    return GaussianTreeLogPartition(product);
  const absl::StatusOr<double> over_latents = LatentLogPartition(product);
  if (over_latents.ok()) return over_latents;
  auto listed = ExactGradient<float>::Create(product, spec.num_symbols, {});
  if (!listed.ok())
    return absl::FailedPreconditionError(
        absl::StrCat("the values of a row are too many to be listed, and ",
                     over_latents.status().message()));
  return listed->LogPartition(Workers::Inline());
}

std::vector<LogPartition> KnownLogPartitions(
    const Product<float>& product, const DataSpec& spec,
    const std::vector<Index>& lengths) {
  std::vector<LogPartition> known;
  for (std::size_t i = 0; i < std::min(lengths.size(), kMostLengths); ++i) {
    const absl::StatusOr<double> value =
        ExactLogPartition(product, spec, lengths[i]);
    if (!value.ok() || !std::isfinite(*value)) break;
    known.push_back({LogPartition::Method::kExact, *value, 0, lengths[i]});
  }
  return known;
}

void SortLogPartitions(std::vector<LogPartition>& known) {
  std::sort(known.begin(), known.end(),
            [](const LogPartition& a, const LogPartition& b) {
              return std::pair(a.length, a.method) <
                     std::pair(b.length, b.method);
            });
}

}  // namespace poe
