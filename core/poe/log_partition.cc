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
#include "poe/experts/linear_dynamical.h"
#include "poe/experts/linear_dynamical_partition.h"
#include "poe/experts/selected_coordinates.h"
#include "poe/latent_partition.h"

namespace poe {
namespace {

bool IsHiddenMarkov(const Product<float>& product) {
  return dynamic_cast<const HiddenMarkov<float>*>(
             Unwrap(product.group(0)).group) != nullptr;
}

// For each frame, in a pass over joint states or through the joint filter.
double ProductsOfFrame(const Product<float>& product) {
  double joint_states = 1, states = 0, latents = 0;
  for (std::size_t i = 0; i < product.num_groups(); ++i) {
    const ExpertGroup<float>* group = Unwrap(product.group(i)).group;
    const auto experts = static_cast<double>(group->num_experts());
    if (const auto* markov = dynamic_cast<const HiddenMarkov<float>*>(group)) {
      const auto own = static_cast<double>(markov->num_states());
      joint_states *= std::pow(own, experts);
      states += own * experts;
    } else if (const auto* systems =
                   dynamic_cast<const LinearDynamical<float>*>(group)) {
      latents += static_cast<double>(systems->num_latents()) * experts;
    }
  }
  const auto sources = static_cast<double>(product.num_experts() + 1);
  return joint_states * states +
         latents * (latents * latents +
                    sources * static_cast<double>(product.dimension()));
}

}  // namespace

absl::StatusOr<double> ExactLogPartition(const Product<float>& product,
                                         const DataSpec& spec, Index length) {
  if (!spec.input_coordinates.empty())
    return absl::FailedPreconditionError(
        "log Z of a conditional model depends on its inputs");
  if (product.sequential())
    return IsHiddenMarkov(product)
               ? HiddenMarkovLogPartition(product, length)
               : LinearDynamicalLogPartition(product, length);
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

std::vector<LogPartition> LogPartitionsOfOtherLengths(
    const ClassModel& one, const DataSpec& spec,
    const std::vector<Index>& lengths) {
  const bool has_exact =
      std::any_of(one.log_partitions.begin(), one.log_partitions.end(),
                  [](const LogPartition& known) {
                    return known.method == LogPartition::Method::kExact;
                  });
  if (!has_exact || !spec.sequential) return {};
  const Product<float>& product = one.layers[0];
  const double of_frame = ProductsOfFrame(product);
  std::vector<Index> others;
  for (Index length : lengths)
    if (one.FindLogPartition(length) == nullptr &&
        of_frame * static_cast<double>(length) <= kMostPassProducts)
      others.push_back(length);
  if (others.empty()) return {};
  const auto values =
      IsHiddenMarkov(product)
          ? HiddenMarkovLogPartitions<float>(product, others)
          : LinearDynamicalLogPartitions<float>(product, others);
  // One that has an exact log Z at a length has it at all: what fails here has
  // none to show.
  if (!values.ok()) return {};
  std::vector<LogPartition> found;
  for (std::size_t i = 0; i < others.size(); ++i)
    if (std::isfinite((*values)[i]))
      found.push_back(
          {LogPartition::Method::kExact, (*values)[i], 0, others[i]});
  return found;
}

void SortLogPartitions(std::vector<LogPartition>& known) {
  std::sort(known.begin(), known.end(),
            [](const LogPartition& a, const LogPartition& b) {
              return std::pair(a.length, a.method) <
                     std::pair(b.length, b.method);
            });
}

}  // namespace poe
