// Training on rows of which values are missing.
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/imputation.h"
#include "poe/scoring.h"
#include "poe/training.h"
#include "tests/core/core_models.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

void IgnoreTraining(const TrainingProgress&) {}

// Each row is 1 1 0 0 or 0 0 1 1.
RowMatrix<float> Sides(Index rows) {
  RowMatrix<float> values(rows, 4);
  for (Index n = 0; n < rows; ++n) {
    if (n % 2 == 0)
      values.row(n) << 1, 1, 0, 0;
    else
      values.row(n) << 0, 0, 1, 1;
  }
  return values;
}

// One value of each row is missing, now this, now that.
std::vector<std::uint8_t> OneMissing(Index rows) {
  std::vector<std::uint8_t> observed(4 * rows, 1);
  for (Index n = 0; n < rows; ++n) observed[4 * n + n / 2 % 4] = 0;
  return observed;
}

TrainingSettings SettingsOfSides() {
  TrainingSettings settings;
  settings.class_names = {"all"};
  settings.data_spec.dimension = 4;
  settings.products = {
      ProductSettings{{{.num_experts = 4, .kind = BernoulliUnitsSettings{}}}}};
  settings.contrastive_divergence.epochs = 300;
  settings.contrastive_divergence.batch_size = 20;
  settings.contrastive_divergence.optimizer.rate = 0.1;
  settings.seed = 3;
  return settings;
}

TrainingRows RowsWith(const RowMatrix<float>& values,
                      const std::vector<std::uint8_t>& observed) {
  TrainingRows rows = {RowsOf(values)};
  rows.observed = observed;
  return rows;
}

absl::StatusOr<Model> TrainOn(const TrainingSettings& settings,
                              const TrainingRows& rows) {
  return Train(settings, rows, Workers::Inline(), IgnoreTraining,
               NeverInterrupt);
}

// Under missing values stands what would mislead a reader of them.
TEST(MissingTrainingTest, LearnsFromWhatWasObserved) {
  RowMatrix<float> values = Sides(200);
  const std::vector<std::uint8_t> observed = OneMissing(200);
  for (Index n = 0; n < 200; ++n)
    for (Index i = 0; i < 4; ++i)
      if (!observed[4 * n + i]) values(n, i) = 1 - values(n, i);
  const auto model = TrainOn(SettingsOfSides(), RowsWith(values, observed));
  ASSERT_TRUE(model.ok()) << model.status();
  const RowMatrix<float> sides = Sides(2);
  const auto scores =
      Score(*model, RowsOf(sides), {}, Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(scores.ok());
  EXPECT_GT(scores->log_probabilities.array().exp().sum(), 0.8);
}

TEST(MissingTrainingTest, NothingMissingIsTrainingAsAlways) {
  const RowMatrix<float> values = Sides(40);
  const std::vector<std::uint8_t> all(160, 1);
  TrainingSettings settings = SettingsOfSides();
  settings.contrastive_divergence.epochs = 3;
  settings.held_out_share = 0.2;
  const auto with_mask = TrainOn(settings, RowsWith(values, all));
  const auto without = TrainOn(settings, RowsWith(values, {}));
  ASSERT_TRUE(with_mask.ok() && without.ok());
  EXPECT_EQ(with_mask->classes[0].layers[0].group(0).parameters(),
            without->classes[0].layers[0].group(0).parameters());
  EXPECT_EQ(with_mask->classes[0].layers[0].base().parameters(),
            without->classes[0].layers[0].base().parameters());
}

TEST(MissingTrainingTest, PreprocessingAndBoxAreOfObservedValues) {
  RowMatrix<float> values = UniformMatrix(100, 2, 0, 1, 5);
  std::vector<std::uint8_t> observed(200, 1);
  for (Index n = 0; n < 100; n += 3) {
    values(n, 1) = 1000;
    observed[2 * n + 1] = 0;
  }
  TrainingSettings settings;
  settings.class_names = {"all"};
  settings.data_spec.family = Family::kGaussian;
  settings.data_spec.dimension = 2;
  settings.data_spec.preprocessing.kind = Preprocessing::Kind::kStandardize;
  settings.products = {
      ProductSettings{{{.num_experts = 3, .kind = UnigaussSettings{}}}}};
  settings.contrastive_divergence.epochs = 2;
  settings.contrastive_divergence.reconstruction = Reconstruction::kSample;
  const auto model = TrainOn(settings, RowsWith(values, observed));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_LT(model->data_spec.box->upper[1], 1.2);
  EXPECT_LT(model->data_spec.preprocessing.shift[1], 1);
}

// Draws of what is missing have the distribution given what was observed.
TEST(ImputationTest, DrawsFromTheConditionalDistribution) {
  const Product<float> product = BernoulliProduct(4, 3, 7);
  constexpr Index kRows = 20000;
  RowMatrix<float> values = RowMatrix<float>::Zero(kRows, 4);
  values.col(0).setOnes();
  std::vector<std::uint8_t> observed(4 * kRows, 1);
  for (Index n = 0; n < kRows; ++n) observed[4 * n + 2] = 0;
  RawRows rows = RowsOf(values);
  rows.observed = observed;
  DataSpec spec;
  spec.dimension = 4;
  Imputation imputation(spec, rows, 5);
  std::vector<Index> numbers(kRows);
  for (Index n = 0; n < kRows; ++n) numbers[n] = n;
  Observations<float> x;
  for (std::uint32_t step = 0; step < 30; ++step) {
    x = Preprocess(spec, rows, 0, kRows);
    imputation.Fill(product, numbers, step, Workers::Inline(), x);
  }
  RowMatrix<float> both = RowMatrix<float>::Zero(2, 4);
  both.col(0).setOnes();
  both(1, 2) = 1;
  Observations<float> listed = MakeDense<float>(2, 4);
  listed.values.topRows(2) = both;
  const std::vector<double> scores =
      product.LogScores(listed, Workers::Inline());
  const double on = 1 / (1 + std::exp(scores[0] - scores[1]));
  const double found = x.values.col(2).head(kRows).cast<double>().mean();
  EXPECT_NEAR(found, on, 5 * std::sqrt(on * (1 - on) / kRows));
  EXPECT_TRUE((x.values.col(0).head(kRows).array() == 1).all());
  EXPECT_TRUE((x.values.col(1).head(kRows).array() == 0).all());
}

TEST(MissingTrainingTest, SaysWhatItCannotLearnFrom) {
  const RowMatrix<float> values = Sides(8);
  const std::vector<std::uint8_t> observed = OneMissing(8);
  const auto refusal = [&](std::function<void(TrainingSettings&)> change,
                           std::vector<std::uint8_t> mask) {
    TrainingSettings settings = SettingsOfSides();
    change(settings);
    return std::string(
        TrainOn(settings, RowsWith(values, mask)).status().message());
  };
  std::vector<std::uint8_t> nothing = observed;
  for (Index i = 0; i < 4; ++i) nothing[4 * 3 + i] = 0;
  EXPECT_THAT(refusal([](TrainingSettings&) {}, nothing),
              HasSubstr("nothing is observed of row 3"));
  EXPECT_THAT(
      refusal(
          [](TrainingSettings& s) { s.contrastive_divergence.exact = true; },
          observed),
      HasSubstr("exact is for complete rows"));
  EXPECT_THAT(
      refusal([](TrainingSettings& s) { s.fit_apart.emplace(); }, observed),
      HasSubstr("initialize fits experts to complete rows"));
  EXPECT_THAT(refusal(
                  [](TrainingSettings& s) {
                    LayerSettings layer;
                    layer.product = s.products[0];
                    s.next_layers.push_back(layer);
                  },
                  observed),
              HasSubstr("next_layer sees complete rows"));
  std::vector<std::uint8_t> never(32, 1);
  for (Index n = 0; n < 8; ++n) never[4 * n + 1] = 0;
  EXPECT_THAT(refusal([](TrainingSettings&) {}, never),
              HasSubstr("coordinate 1 is missing in every training row"));
}

}  // namespace
}  // namespace poe
