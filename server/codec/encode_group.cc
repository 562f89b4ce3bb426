#include <cstdint>
#include <vector>

#include "poe/experts/bernoulli_units.h"
#include "poe/experts/gaussian_mixture.h"
#include "poe/experts/gaussian_tree.h"
#include "poe/experts/hidden_markov.h"
#include "poe/experts/linear_dynamical.h"
#include "poe/experts/selected_coordinates.h"
#include "poe/experts/unigauss.h"
#include "server/codec/expert_codec.h"
#include "server/codec/tensor_codec.h"

namespace poe::server {
namespace {

using Group = ExpertGroup<float>;
using Shape = std::vector<std::int64_t>;

// A block of parameters as a tensor of this shape.
void EncodeBlock(const Group& group, std::size_t block, const Shape& shape,
                 v1::Tensor* tensor) {
  EncodeTensor(ConstRowMatrixRef<float>(group.block(block)), tensor, shape);
}

void Encode(const BernoulliUnits<float>& group, v1::ExpertGroup* message) {
  v1::BernoulliUnits& units = *message->mutable_bernoulli_units();
  const Index experts = group.num_experts();
  EncodeBlock(group, 0, {group.dimension(), experts}, units.mutable_weights());
  EncodeBlock(group, 1, {experts}, units.mutable_bias());
}

void Encode(const Unigauss<float>& group, v1::ExpertGroup* message) {
  v1::Unigauss& unigauss = *message->mutable_unigauss();
  const Index experts = group.num_experts();
  EncodeBlock(group, 0, {experts, group.dimension()}, unigauss.mutable_mean());
  EncodeBlock(group, 1, {experts, group.blocks()[1].cols},
              unigauss.mutable_log_variance());
  EncodeBlock(group, 2, {experts}, unigauss.mutable_mixing_logit());
}

void Encode(const GaussianMixture<float>& group, v1::ExpertGroup* message) {
  v1::GaussianMixture& mixture = *message->mutable_gaussian_mixture();
  const Shape shape = {group.num_experts(), group.num_components(),
                       group.dimension()};
  EncodeBlock(group, 0, shape, mixture.mutable_mean());
  EncodeBlock(group, 1, shape, mixture.mutable_log_variance());
  EncodeBlock(group, 2, {shape[0], shape[1]}, mixture.mutable_mixing_logit());
}

void Encode(const HiddenMarkov<float>& group, v1::ExpertGroup* message) {
  v1::HiddenMarkov& markov = *message->mutable_hidden_markov();
  const Index experts = group.num_experts(), states = group.num_states();
  EncodeBlock(group, 0, {experts, states}, markov.mutable_initial_logit());
  EncodeBlock(group, 1, {experts, states, states},
              markov.mutable_transition_logit());
  if (group.has_symbols()) {
    EncodeBlock(group, 2,
                {experts, states, group.dimension() / group.num_symbols(),
                 group.num_symbols()},
                markov.mutable_categorical()->mutable_logit());
    return;
  }
  const Shape emission = {experts, states, group.dimension()};
  EncodeBlock(group, 2, emission, markov.mutable_gaussian()->mutable_mean());
  EncodeBlock(group, 3, emission,
              markov.mutable_gaussian()->mutable_log_variance());
}

void Encode(const LinearDynamical<float>& group, v1::ExpertGroup* message) {
  v1::LinearDynamical& system = *message->mutable_linear_dynamical();
  const Index experts = group.num_experts(), latents = group.num_latents();
  const Index dimension = group.dimension();
  const Shape triangle = {experts, latents * (latents + 1) / 2};
  EncodeBlock(group, 0, {experts, latents}, system.mutable_initial_mean());
  EncodeBlock(group, 1, triangle, system.mutable_initial_log_cholesky());
  EncodeBlock(group, 2, {experts, latents, latents},
              system.mutable_transition());
  EncodeBlock(group, 3, triangle, system.mutable_transition_log_cholesky());
  EncodeBlock(group, 4, {experts, dimension, latents},
              system.mutable_emission());
  EncodeBlock(group, 5, {experts, dimension}, system.mutable_emission_offset());
  EncodeBlock(group, 6, {experts, dimension},
              system.mutable_emission_log_variance());
}

void Encode(const GaussianTree<float>& group, v1::ExpertGroup* message) {
  v1::GaussianTree& tree = *message->mutable_gaussian_tree();
  const Shape shape = {group.num_experts(), group.num_trees(),
                       group.dimension()};
  tree.set_num_trees(static_cast<std::int32_t>(group.num_trees()));
  tree.mutable_parent()->Assign(group.parents().begin(), group.parents().end());
  EncodeBlock(group, 0, shape, tree.mutable_weight());
  EncodeBlock(group, 1, shape, tree.mutable_offset());
  EncodeBlock(group, 2, shape, tree.mutable_log_variance());
  EncodeBlock(group, 3, {shape[0], group.num_states()},
              tree.mutable_mixing_logit());
}

// Encodes the group if it is of kind T.
template <typename T>
bool EncodeIf(const Group& group, v1::ExpertGroup* message) {
  const auto* kind = dynamic_cast<const T*>(&group);
  if (kind != nullptr) Encode(*kind, message);
  return kind != nullptr;
}

}  // namespace

void EncodeGroup(const ExpertGroup<float>& group, Index columns,
                 v1::ExpertGroup* message) {
  if (const auto* selected =
          dynamic_cast<const SelectedCoordinates<float>*>(&group)) {
    EncodeGroup(selected->inner(), columns, message);
    for (std::size_t i = 0; i < selected->columns().size(); i += columns)
      message->add_coordinates(
          static_cast<std::int32_t>(selected->columns()[i] / columns));
    return;
  }
  if (group.power() != 1) message->set_power(group.power());
  EncodeIf<BernoulliUnits<float>>(group, message) ||
      EncodeIf<Unigauss<float>>(group, message) ||
      EncodeIf<GaussianMixture<float>>(group, message) ||
      EncodeIf<HiddenMarkov<float>>(group, message) ||
      EncodeIf<LinearDynamical<float>>(group, message) ||
      EncodeIf<GaussianTree<float>>(group, message);
}

}  // namespace poe::server
