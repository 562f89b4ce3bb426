#include "poe/layer_training.h"

#include <algorithm>
#include <utility>

#include "poe/fit_apart.h"
#include "poe/initialization.h"

namespace poe {
namespace {

constexpr Index kMostInitialRows = 10000;

}  // namespace

Observations<float> InitialRows(const RowSelection& training,
                                const Workers& workers) {
  return training.Take(0, std::min(training.size(), kMostInitialRows), workers);
}

absl::Status TrainLayers(const TrainingSettings& settings, const DataSpec& spec,
                         const TrainingRows& rows, const Split& split,
                         Index class_index, const Workers& workers,
                         ProgressCallback progress, InterruptCheck check,
                         std::vector<Product<float>>& layers,
                         std::optional<std::int64_t>& kept_update) {
  const auto number = static_cast<std::uint64_t>(class_index);
  const std::uint64_t seed = DeriveSeed(settings.seed, number);
  const std::size_t count = 1 + settings.next_layers.size();
  layers.reserve(count);  // selections refer to the layers below
  auto announce = [&](std::size_t layer, TrainingProgress now) {
    now.class_index = class_index;
    now.layer = static_cast<Index>(layer);
    now.fraction = (static_cast<double>(layer) + now.fraction) /
                   static_cast<double>(count);
    progress(now);
  };
  for (std::size_t l = 0; l < count; ++l) {
    const Layers below(layers.data(), l);
    const RowSelection training(spec, rows, split.training[class_index], below);
    const RowSelection held_out(spec, rows, split.held_out[class_index], below);
    const std::uint64_t layer_seed = l == 0 ? seed : DeriveSeed(seed, l);
    absl::Status status;
    if (l > 0) {
      absl::StatusOr<Product<float>> product =
          InitializeProduct(settings.next_layers[l - 1].product,
                            HiddenSpec(layers[l - 1].num_hidden()),
                            InitialRows(training, workers), layer_seed, check);
      if (!product.ok()) return product.status();
      layers.push_back(*std::move(product));
    } else if (settings.fit_apart.has_value()) {
      TrainingProgress now;
      now.stage = "initialize";
      announce(l, now);
      status = FitApart(*settings.fit_apart, settings.ProductOf(class_index),
                        spec, InitialRows(training, workers), seed, workers,
                        check, layers[0]);
    }
    if (status.ok() && (l > 0 || settings.train_together))
      status = TrainProduct(
          l == 0 ? settings.contrastive_divergence
                 : settings.next_layers[l - 1].contrastive_divergence,
          training, held_out, layer_seed, workers,
          [&](const TrainingProgress& now) { announce(l, now); }, check,
          layers[l], kept_update);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace poe
