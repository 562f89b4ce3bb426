#include "poe/layer_training.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "poe/fit_apart.h"
#include "poe/initialization.h"
#include "poe/tree_pool.h"

namespace poe {
namespace {

// Rows to initialize from: so many, or as many as hold so many values, but
// never fewer than the last.
constexpr Index kMostInitialRows = 50000, kMostInitialValues = 1 << 23,
                kFewestInitialRows = 10000;
// Name the draws of unlearning, and of further stages of contrastive divergence
// by their numbers, among those of a class.
constexpr std::uint64_t kUnlearning = 1 << 20, kFurtherStages = 1 << 23;
// Names the draw of rows to initialize from among those of groups.
constexpr std::uint32_t kInitialRowsStream = 1 << 30;

// One training of a product, by its own settings.
struct AscentStage {
  const ContrastiveDivergenceSettings& settings;
  std::uint64_t seed;
};

// Those of a layer, in their order. `seed` is the layer's.
std::vector<AscentStage> AscentStages(const TrainingSettings& settings,
                                      std::size_t layer, std::uint64_t seed) {
  if (layer > 0)
    return {{settings.next_layers[layer - 1].contrastive_divergence, seed}};
  std::vector<AscentStage> stages;
  if (settings.train_together) {
    stages.push_back({settings.contrastive_divergence, seed});
    for (const ContrastiveDivergenceSettings& further :
         settings.further_divergence)
      stages.push_back(
          {further, DeriveSeed(seed, kFurtherStages + stages.size())});
  }
  if (settings.unlearning.has_value())
    stages.push_back({*settings.unlearning, DeriveSeed(seed, kUnlearning)});
  return stages;
}

// How many of these observations are enough to initialize from.
Index EnoughInitialRows(const RowSelection& training) {
  Index frames = 0;
  for (Index n : training.numbers()) frames += training.rows().length(n);
  const double values_per_row =
      static_cast<double>(frames) *
      static_cast<double>(training.seen_spec().width()) /
      static_cast<double>(training.size());
  const double rows = static_cast<double>(kMostInitialValues) / values_per_row;
  if (rows > static_cast<double>(kMostInitialRows)) return kMostInitialRows;
  return std::max(kFewestInitialRows, static_cast<Index>(rows));
}

// Puts the mean of what was observed in a column where values are missing; the
// examples are the rows at `positions`.
void FillInMeans(const RowSelection& training,
                 absl::Span<const std::uint32_t> positions,
                 Examples& examples) {
  Observations<float>& x = examples.x;
  std::vector<Index> numbers;
  for (std::uint32_t position : positions)
    numbers.push_back(training.numbers()[position]);
  const GatheredRows gathered(training.rows(), numbers);
  Observations<float> marked = MakeDense<float>(0, 0);
  marked.size = x.size;
  marked.lengths = x.lengths;
  KeepObserved(training.spec(), gathered.View(), 0, marked);
  const std::vector<double> weights = examples.FrameWeights();
  const Index frames = x.frames(), width = x.dimension();
  for (Index i = 0; i < width; ++i) {
    double sum = 0, count = 0;
    for (Index frame = 0; frame < frames; ++frame) {
      if (marked.clamped[frame * width + i] == 0) continue;
      sum += weights[frame] * x.values(frame, i);
      count += weights[frame];
    }
    const auto mean = static_cast<float>(count > 0 ? sum / count : 0);
    for (Index frame = 0; frame < frames; ++frame)
      if (marked.clamped[frame * width + i] == 0) x.values(frame, i) = mean;
  }
}

absl::StatusOr<TreePool> Pool(const PoolSettings& settings,
                              const RowSelection& training,
                              const Workers& workers, InterruptCheck check,
                              Product<float>& product) {
  std::vector<std::uint32_t> positions(training.size());
  std::iota(positions.begin(), positions.end(), 0);
  const Observations<float> x = training.Take(positions, workers);
  const std::vector<float> of_rows = training.Weights(positions);
  const std::vector<double> weights(of_rows.begin(), of_rows.end());
  const auto moments =
      WeightedMoments<float>(x.values.topRows(x.size), weights);
  if (!moments.ok()) return moments.status();
  return PoolTrees(settings, *moments, check, product);
}

}  // namespace

Examples InitialRows(const RowSelection& training, std::uint64_t seed,
                     const Workers& workers) {
  std::vector<std::uint32_t> positions(training.size());
  std::iota(positions.begin(), positions.end(), 0);
  const std::vector<float> weights = training.Weights(positions);
  if (!weights.empty())
    positions.erase(
        std::remove_if(positions.begin(), positions.end(),
                       [&](std::uint32_t i) { return !(weights[i] > 0); }),
        positions.end());
  const auto enough = static_cast<std::size_t>(EnoughInitialRows(training));
  if (positions.size() > enough) {
    const std::vector<std::uint32_t> order =
        RandomPermutation({seed, Purpose::kInitialize, kInitialRowsStream, 0},
                          static_cast<std::uint32_t>(positions.size()));
    std::vector<std::uint32_t> drawn;
    for (std::size_t i = 0; i < enough; ++i)
      drawn.push_back(positions[order[i]]);
    std::sort(drawn.begin(), drawn.end());
    positions = std::move(drawn);
  }
  Examples examples = {training.Take(positions, workers),
                       training.Weights(positions)};
  if (!training.rows().observed.empty())
    FillInMeans(training, positions, examples);
  return examples;
}

absl::Status TrainLayers(const TrainingSettings& settings, const DataSpec& spec,
                         const TrainingRows& rows, const Split& split,
                         Index class_index, const Workers& workers,
                         ProgressCallback progress, InterruptCheck check,
                         TrainingSnapshots& snapshots,
                         std::vector<Product<float>>& layers,
                         std::optional<std::int64_t>& kept_update) {
  const auto number = static_cast<std::uint64_t>(class_index);
  const std::uint64_t seed = DeriveSeed(settings.seed, number);
  const std::size_t count = 1 + settings.next_layers.size();
  layers.reserve(count);  // selections refer to the layers below
  // `now` is of the part from `begin` to `end` of the layer.
  auto announce = [&](std::size_t layer, TrainingProgress now, double begin,
                      double end) {
    now.class_index = class_index;
    now.layer = static_cast<Index>(layer);
    const double done = begin + (end - begin) * now.fraction;
    now.fraction =
        (static_cast<double>(layer) + done) / static_cast<double>(count);
    progress(now);
  };
  for (std::size_t l = 0; l < count; ++l) {
    const Layers below(layers.data(), l);
    const RowSelection training(spec, rows, split.training[class_index], below);
    const RowSelection held_out(spec, rows, split.held_out[class_index], below);
    const std::uint64_t layer_seed = l == 0 ? seed : DeriveSeed(seed, l);
    const std::vector<AscentStage> stages =
        AscentStages(settings, l, layer_seed);
    absl::Status status;
    if (l > 0) {
      absl::StatusOr<Product<float>> product = InitializeProduct(
          settings.next_layers[l - 1].product,
          HiddenSpec(layers[l - 1].num_hidden()),
          InitialRows(training, layer_seed, workers), layer_seed, check);
      if (!product.ok()) return product.status();
      layers.push_back(*std::move(product));
    } else if (settings.fit_apart.has_value()) {
      TrainingProgress now;
      now.stage = "initialize";
      announce(l, now, 0, 1);
      status = FitApart(*settings.fit_apart, settings.ProductOf(class_index),
                        spec, InitialRows(training, seed, workers), seed,
                        workers, check, layers[0]);
    }
    if (status.ok() && l == 0 && settings.pool.has_value()) {
      TrainingProgress now;
      now.stage = "pool";
      announce(l, now, 0, 1);
      auto pool = Pool(*settings.pool, training, workers, check, layers[0]);
      status = pool.status();
      if (pool.ok()) {
        now.pool_weights = pool->weights;
        now.pool_gain = pool->gain;
        now.fraction = 1;
        announce(l, now, 0, stages.empty() ? 1 : 0);
      }
    }
    if (status.ok())
      status = snapshots.Enter(class_index, static_cast<Index>(l), layers[l]);
    const auto of_stages = [&](std::size_t i) {
      return static_cast<double>(i) / static_cast<double>(stages.size());
    };
    for (std::size_t i = 0; status.ok() && i < stages.size(); ++i) {
      snapshots.BeginStage();
      if (snapshots.step() == TrainingSnapshots::Step::kSkip) continue;
      status = TrainProduct(
          stages[i].settings, training, held_out, stages[i].seed, workers,
          [&](const TrainingProgress& now) {
            announce(l, now, of_stages(i), of_stages(i + 1));
          },
          check, layers[l], kept_update, &snapshots);
    }
    if (!status.ok()) return status;
    snapshots.Leave(layers[l]);
  }
  return absl::OkStatus();
}

}  // namespace poe
