#include "tests/core/training_cases.h"

#include "poe/training_rows.h"
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

Case Overfitting() {
  constexpr Index kRows = 80, kBits = 4;
  Case overfitting;
  TrainingSettings& settings = overfitting.settings;
  settings.class_names = {"data"};
  settings.data_spec.dimension = kBits;
  settings.products.resize(1);
  settings.products[0].groups.push_back(
      {.num_experts = 6,
       .power = 1,
       .kind = BernoulliUnitsSettings{.initial_weight_scale = 0.1}});
  ContrastiveDivergenceSettings& stage = settings.contrastive_divergence;
  stage.exact = true;
  stage.epochs = 200;
  stage.batch_size = -1;
  stage.optimizer.rate = 0.5;
  stage.optimizer.momentum = stage.optimizer.early_momentum = 0;
  settings.held_out_share = 0.3;
  settings.seed = 1;
  RowMatrix<float>& values = overfitting.rows.values;
  values = RowMatrix<float>::Zero(kRows, kBits);
  const Split split = *SplitRows(settings, overfitting.rows.View());
  for (std::size_t i = 0; i < split.training[0].size(); i += 2)
    values.row(split.training[0][i]).setOnes();
  // All bits equal, then all but one of them; each row and its opposite.
  for (std::size_t i = 0; i < split.held_out[0].size(); ++i) {
    auto row = values.row(split.held_out[0][i]);
    row.setConstant(i % 2 == 0 ? 1 : 0);
    const auto other = static_cast<Index>(i / 2 % 5) - 1;
    if (other >= 0) row(other) = 1 - row(other);
  }
  return overfitting;
}

absl::StatusOr<Model> TrainOn(const TrainingSettings& settings,
                              const LabelledRows& rows, int threads) {
  const Workers workers(threads);
  return Train(
      settings, rows.View(), workers, [](const TrainingProgress&) {},
      NeverInterrupt);
}

}  // namespace poe
