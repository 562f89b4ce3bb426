#include "tests/core/training_cases.h"

#include "tests/core/core_models.h"

namespace poe {

LabelledRows BinaryRows(Index size, Index dimension) {
  LabelledRows rows;
  rows.values = UniformMatrix(size, dimension, 0, 1, 120);
  for (Index n = 0; n < size; ++n) {
    rows.labels.push_back(static_cast<std::int32_t>(n % 2));
    for (Index i = 0; i < dimension; ++i) {
      const bool flipped = rows.values(n, i) < 0.1f;
      rows.values(n, i) = ((i + n) % 2 == 0) != flipped ? 1 : 0;
    }
  }
  return rows;
}

LabelledRows RealRows(Index size) {
  LabelledRows rows;
  const RowMatrix<float> place = UniformMatrix(size, 1, 0, 1, 121);
  rows.values = 0.1f * NormalMatrix(size, 2, 122);
  for (Index n = 0; n < size; ++n) {
    rows.labels.push_back(static_cast<std::int32_t>(n % 2));
    rows.values(n, 0) += 10 * place(n, 0);
    rows.values(n, 1) += n % 2 == 0 ? 3 : 4 * place(n, 0);
  }
  return rows;
}

TrainingSettings BinarySettings(Index dimension) {
  TrainingSettings settings;
  settings.class_names = {"even", "odd"};
  settings.data_spec.dimension = dimension;
  settings.products.resize(1);
  settings.products[0].groups.push_back(
      {.num_experts = 6, .power = 1, .kind = BernoulliUnitsSettings{}});
  settings.contrastive_divergence.epochs = 5;
  settings.contrastive_divergence.batch_size = 20;
  settings.separator.emplace();
  settings.held_out_share = 0.2;
  settings.seed = 1;
  return settings;
}

TrainingSettings RealSettings() {
  TrainingSettings settings = BinarySettings(2);
  settings.data_spec.family = Family::kGaussian;
  settings.data_spec.preprocessing.kind = Preprocessing::Kind::kStandardize;
  settings.products[0].groups = {
      {.num_experts = 5, .power = 1, .kind = UnigaussSettings{}},
      {.num_experts = 3, .power = 0.5, .kind = BernoulliUnitsSettings{}}};
  settings.products[0].gaussian_factor = true;
  return settings;
}

std::vector<Case> Cases() {
  return {{BinarySettings(7), BinaryRows(203, 7)},
          {RealSettings(), RealRows(203)}};
}

absl::StatusOr<Model> TrainOn(const TrainingSettings& settings,
                              const LabelledRows& rows, int threads) {
  const Workers workers(threads);
  return Train(
      settings, rows.View(), workers, [](const TrainingProgress&) {},
      NeverInterrupt);
}

}  // namespace poe
