#include "server/codec/response_codec.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "server/codec/model_codec.h"
#include "server/codec/tensor_codec.h"

namespace poe::server {
namespace {

template <typename Response>
void AddClassNames(const Model& model, Response* response) {
  for (const ClassModel& one : model.classes)
    response->add_class_names(one.name);
}

// Frames x D raw values, symbols as such unless real inputs stand beside them.
// `shape` as EncodeTensor takes it.
void EncodeValues(const DataSpec& spec, const RowMatrix<float>& values,
                  absl::Span<const std::int64_t> shape, v1::Tensor* tensor) {
  const ConstRowMatrixRef<float> matrix(values);
  if (spec.family == Family::kCategorical && !spec.real_inputs)
    EncodeSymbols(matrix, tensor, shape);
  else
    EncodeTensor(matrix, tensor, shape);
}

}  // namespace

void EncodeScores(const Model& model, const Scores& scores,
                  v1::ScoreResponse* response) {
  AddClassNames(model, response);
  const Index classes = model.num_classes();
  const std::int64_t shape[] = {scores.log_scores.rows(), classes,
                                scores.log_scores.cols() / classes};
  const auto encode = [](const RowMatrix<double>& matrix, v1::Tensor* tensor,
                         absl::Span<const std::int64_t> as = {}) {
    EncodeTensor(ConstRowMatrixRef<double>(matrix), tensor, as);
  };
  encode(scores.log_scores, response->mutable_log_scores(), shape);
  if (scores.log_probabilities.size() > 0)
    encode(scores.log_probabilities, response->mutable_log_probabilities());
  EncodeLogPartitions(
      model,
      [&](Index length) {
        return std::binary_search(scores.lengths.begin(), scores.lengths.end(),
                                  length);
      },
      scores.computed_log_partitions, response->mutable_log_partitions(),
      response->mutable_log_partition_differences());
  response->mutable_labels()->Assign(scores.labels.begin(),
                                     scores.labels.end());
  response->mutable_margins()->Assign(scores.margins.begin(),
                                      scores.margins.end());
  if (scores.probabilities.size() > 0)
    encode(scores.probabilities, response->mutable_probabilities());
  if (scores.percentiles.size() > 0)
    encode(scores.percentiles, response->mutable_percentiles());
  response->mutable_out_of_support()->Assign(scores.out_of_support.begin(),
                                             scores.out_of_support.end());
  if (scores.standard_errors.size() > 0)
    encode(scores.standard_errors, response->mutable_standard_errors());
  for (std::size_t c = 0; c < scores.expert_log_scores.size(); ++c) {
    v1::ExpertScores& experts = *response->add_expert_scores();
    encode(scores.expert_log_scores[c], experts.mutable_log_scores());
    const std::optional<UsualVerdicts>& usual = model.classes[c].usual_verdicts;
    if (!usual.has_value()) continue;
    encode(usual->quantiles(), experts.mutable_usual_quantiles());
    EncodeTensor(ConstRowMatrixRef<float>(scores.objections[c]),
                 experts.mutable_objections());
  }
}

void EncodeReconstructions(const Model& model,
                           const Reconstructions& reconstructions,
                           const v1::Observations& asked, std::uint64_t seed,
                           v1::ReconstructResponse* response) {
  AddClassNames(model, response);
  v1::Observations& observations = *response->mutable_observations();
  if (asked.has_sequences()) {
    *observations.mutable_sequences()->mutable_lengths() =
        asked.sequences().lengths();
    EncodeValues(model.data_spec, reconstructions.values, {},
                 observations.mutable_sequences()->mutable_values());
  } else {
    const auto& shape = asked.dense().shape();
    EncodeValues(model.data_spec, reconstructions.values,
                 absl::MakeConstSpan(shape.data(), shape.size()),
                 observations.mutable_dense());
  }
  response->mutable_classes()->Assign(reconstructions.classes.begin(),
                                      reconstructions.classes.end());
  response->set_seed(seed);
}

void EncodeSampledChains(const Model& model, const SampledChains& chains,
                         std::uint64_t seed, v1::SampleResponse* response) {
  v1::Observations& observations = *response->mutable_observations();
  if (model.data_spec.sequential) {
    v1::Sequences& sequences = *observations.mutable_sequences();
    sequences.mutable_lengths()->Assign(chains.lengths.begin(),
                                        chains.lengths.end());
    EncodeValues(model.data_spec, chains.values, {},
                 sequences.mutable_values());
  } else {
    EncodeValues(model.data_spec, chains.values, {},
                 observations.mutable_dense());
  }
  response->set_step(chains.step);
  response->set_inverse_temperature(chains.inverse_temperature);
  response->set_seed(seed);
}

void EncodeProgress(const TrainingProgress& progress,
                    absl::Span<const std::string> class_names,
                    v1::Progress* message) {
  message->set_stage(progress.stage);
  const auto index = static_cast<std::size_t>(progress.class_index);
  if (index < class_names.size()) message->set_class_name(class_names[index]);
  message->set_layer(static_cast<std::int32_t>(progress.layer));
  message->set_epoch(progress.epoch);
  message->set_epochs(progress.epochs);
  message->set_update(progress.update);
  message->set_updates(progress.updates);
  message->set_fraction(progress.fraction);
  message->set_rows_per_second(progress.rows_per_second);
  if (progress.reconstruction_error.has_value())
    message->set_reconstruction_error(*progress.reconstruction_error);
  if (progress.free_energy_gap.has_value())
    message->set_free_energy_gap(*progress.free_energy_gap);
  if (progress.gradient_norm.has_value())
    message->set_gradient_norm(*progress.gradient_norm);
  if (progress.held_out_log_probability.has_value())
    message->set_held_out_log_probability(*progress.held_out_log_probability);
  if (progress.held_out_reconstruction_error.has_value())
    message->set_held_out_reconstruction_error(
        *progress.held_out_reconstruction_error);
  if (progress.best_epoch.has_value())
    message->set_best_epoch(*progress.best_epoch);
  message->mutable_pool_weights()->Assign(progress.pool_weights.begin(),
                                          progress.pool_weights.end());
  if (progress.pool_gain.has_value())
    message->set_pool_gain(*progress.pool_gain);
  message->set_seconds(progress.seconds);
  if (progress.fraction > 0)
    message->set_seconds_left(progress.seconds * (1 - progress.fraction) /
                              progress.fraction);
}

}  // namespace poe::server
