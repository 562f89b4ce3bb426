#include "poe/held_out_figure.h"

#include <cmath>
#include <numeric>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/gibbs.h"
#include "poe/initialization.h"
#include "poe/log_partition.h"
#include "poe/numerics/elementwise.h"
#include "tests/core/core_models.h"
#include "tests/core/training_cases.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kSeed = 5;

std::vector<Index> AllNumbers(Index size) {
  std::vector<Index> numbers(size);
  std::iota(numbers.begin(), numbers.end(), Index{0});
  return numbers;
}

DataSpec BitsSpec(Index dimension) {
  DataSpec spec;
  spec.dimension = dimension;
  return spec;
}

absl::StatusOr<HeldOutFigure> FigureOf(
    const RowSelection& selection, const Product<float>& product,
    Reconstruction reconstruction = Reconstruction::kMean, int threads = 1,
    std::uint64_t seed = kSeed) {
  const Workers workers(threads);
  return HeldOutJudge(selection, product, reconstruction, seed)
      .Judge(product, workers, NeverInterrupt);
}

// All combinations of the bits from `first` on, those before as in `row`.
RowMatrix<float> Combinations(const Eigen::RowVectorXf& row, Index first) {
  const Index bits = row.size() - first;
  RowMatrix<float> all = row.replicate(Index{1} << bits, 1);
  for (Index s = 0; s < all.rows(); ++s)
    for (Index i = 0; i < bits; ++i)
      all(s, first + i) = static_cast<float>(s >> i & 1);
  return all;
}

// log p of a row's bits from `first` on given those before, by listing.
double PlainLogProbability(const Product<float>& product,
                           const Eigen::RowVectorXf& row, Index first) {
  const DataSpec spec = BitsSpec(row.size());
  const auto scores = [&](const RowMatrix<float>& values) {
    return product.LogScores(Preprocess(spec, RowsOf(values), 0, values.rows()),
                             Workers::Inline());
  };
  return scores(RowMatrix<float>(row))[0] -
         LogSumExp(scores(Combinations(row, first)));
}

TEST(HeldOutFigureTest, IsTheMeanLogProbabilityWhereThatIsKnown) {
  const Product<float> product = BernoulliProduct(5, 3, 200);
  LabelledRows rows = BinaryRows(30, 5);
  const DataSpec spec = BitsSpec(5);
  // Not the first ones.
  const std::vector<Index> numbers = {3, 7, 8, 29};
  for (const bool weighted : {false, true}) {
    if (weighted)
      for (Index n = 0; n < 30; ++n)
        rows.weights.push_back(static_cast<float>(n % 4));
    const TrainingRows view = rows.View();
    double sum = 0, total = 0;
    for (Index n : numbers) {
      const double weight = weighted ? rows.weights[n] : 1;
      sum += weight * PlainLogProbability(product, rows.values.row(n), 0);
      total += weight;
    }
    const auto figure = FigureOf(RowSelection(spec, view, numbers), product);
    ASSERT_TRUE(figure.ok()) << figure.status();
    EXPECT_FALSE(figure->reconstruction_error.has_value());
    EXPECT_NEAR(*figure->log_probability, sum / total, 1e-4);
    EXPECT_EQ(figure->value(), *figure->log_probability);
  }
}

TEST(HeldOutFigureTest, IsThatOfOutputsGivenInputs) {
  const Product<float> product = BernoulliProduct(5, 3, 201);
  const LabelledRows rows = BinaryRows(20, 5);
  const TrainingRows view = rows.View();
  DataSpec spec = BitsSpec(5);
  spec.input_coordinates = {0, 1, 2};
  double sum = 0;
  for (Index n = 0; n < 20; ++n)
    sum += PlainLogProbability(product, rows.values.row(n), 3);
  const auto figure =
      FigureOf(RowSelection(spec, view, AllNumbers(20)), product);
  ASSERT_TRUE(figure.ok()) << figure.status();
  EXPECT_NEAR(*figure->log_probability, sum / 20, 1e-4);
}

TEST(HeldOutFigureTest, SequencesHaveTheLogPartitionOfTheirLength) {
  RowMatrix<float> values = NormalMatrix(15, 2, 202);
  const std::vector<Index> starts = {0, 2, 5, 7, 10, 15};
  DataSpec spec;
  spec.family = Family::kStructuredGaussian;
  spec.dimension = 2;
  spec.sequential = true;
  TrainingRows rows = {RowsOf(values)};
  rows.starts = starts;
  // Of 2, 3 and 2 frames.
  const RowSelection selection(spec, rows, {0, 1, 2});
  const Observations<float> x = selection.Take(0, 3, Workers::Inline());
  HiddenMarkovSettings markov;
  markov.num_states = 2;
  ProductSettings settings;
  settings.groups = {{.num_experts = 2, .power = 1, .kind = markov}};
  const Product<float> product =
      *InitializeProduct(settings, spec, {x}, 203, NeverInterrupt);
  const std::vector<double> scores = product.LogScores(x, Workers::Inline());
  double sum = 0;
  for (Index n = 0; n < 3; ++n)
    sum += scores[n] - *ExactLogPartition(product, spec, x.length(n));
  const auto figure = FigureOf(selection, product);
  ASSERT_TRUE(figure.ok()) << figure.status();
  EXPECT_NEAR(*figure->log_probability, sum / 3, 1e-9);
}

TEST(HeldOutFigureTest, FurtherLayersAreJudgedByWhatTheySee) {
  const Model model = LayeredModel({5, 4, 3}, 1);
  const Layers layers = model.classes[0].layers;
  const LabelledRows rows = BinaryRows(20, 5);
  const TrainingRows view = rows.View();
  const DataSpec spec = BitsSpec(5);
  const Observations<float> hidden =
      Climb(layers.first(1), Preprocess(spec, view, 0, 20), Workers::Inline());
  const std::vector<double> scores =
      layers[1].LogScores(hidden, Workers::Inline());
  const double mean = std::accumulate(scores.begin(), scores.end(), 0.0) / 20;
  const auto figure = FigureOf(
      RowSelection(spec, view, AllNumbers(20), layers.first(1)), layers[1]);
  ASSERT_TRUE(figure.ok()) << figure.status();
  EXPECT_NEAR(*figure->log_probability,
              mean - *ExactLogPartition(layers[1], HiddenSpec(4), 0), 1e-6);
}

// 2^13 states and 2^20 hidden ones are too many. The rows fill more than one
// block of those judged together.
TEST(HeldOutFigureTest, IsTheErrorOfOneGibbsStepWhereLogZIsNotKnown) {
  constexpr Index kRows = 600, kBits = 13;
  const Product<float> product = BernoulliProduct(kBits, 20, 204);
  LabelledRows rows = BinaryRows(kRows, kBits);
  const DataSpec spec = BitsSpec(kBits);
  for (const bool weighted : {false, true}) {
    if (weighted)
      for (Index n = 0; n < kRows; ++n)
        rows.weights.push_back(static_cast<float>(n % 3));
    const TrainingRows view = rows.View();
    const RowSelection selection(spec, view, AllNumbers(kRows));
    for (const Reconstruction reconstruction :
         {Reconstruction::kMean, Reconstruction::kSample}) {
      const Observations<float> x = Preprocess(spec, view, 0, kRows);
      Observations<float> y = x;
      ASSERT_TRUE(RunGibbs(product,
                           {.seed = kSeed,
                            .inverse_temperatures = {1},
                            .last = reconstruction},
                           Workers::Inline(), NeverInterrupt, y)
                      .ok());
      double sum = 0, total = 0;
      for (Index n = 0; n < kRows; ++n) {
        const double weight = weighted ? rows.weights[n] : 1;
        sum += weight * (y.values.row(n) - x.values.row(n)).squaredNorm();
        total += weight * kBits;
      }
      const auto figure = FigureOf(selection, product, reconstruction);
      ASSERT_TRUE(figure.ok()) << figure.status();
      EXPECT_FALSE(figure->log_probability.has_value());
      EXPECT_NEAR(*figure->reconstruction_error, sum / total, 1e-6);
      EXPECT_EQ(figure->value(), -*figure->reconstruction_error);
    }
  }
}

TEST(HeldOutFigureTest, DrawsAreOfSeedAndRowAlone) {
  constexpr Index kRows = 40, kBits = 13;
  const Product<float> product = BernoulliProduct(kBits, 20, 205);
  const LabelledRows rows = BinaryRows(kRows, kBits);
  const TrainingRows view = rows.View();
  const DataSpec spec = BitsSpec(kBits);
  const auto error = [&](const std::vector<Index>& numbers, int threads,
                         std::uint64_t seed) {
    return *FigureOf(RowSelection(spec, view, numbers), product,
                     Reconstruction::kSample, threads, seed)
                ->reconstruction_error;
  };
  const double whole = error(AllNumbers(kRows), 1, kSeed);
  EXPECT_EQ(error(AllNumbers(kRows), 3, kSeed), whole);
  EXPECT_NE(error(AllNumbers(kRows), 1, kSeed + 1), whole);
  double sum = 0;
  for (Index n = 0; n < kRows; ++n) sum += error({n}, 1, kSeed);
  EXPECT_NEAR(sum / kRows, whole, 1e-12);
}

TEST(HeldOutFigureTest, RowsOutOfTheBoxSayNothing) {
  DataSpec spec = BitsSpec(2);
  spec.family = Family::kGaussian;
  spec.box = Box{{0, 0}, {1, 1}};
  const Product<float> product = UnigaussProduct(spec, 2, 206);
  LabelledRows rows;
  rows.values = UniformMatrix(6, 2, 0, 1, 207);
  rows.values(4, 1) = 3;
  const TrainingRows view = rows.View();
  const auto all = FigureOf(RowSelection(spec, view, AllNumbers(6)), product);
  const auto inside =
      FigureOf(RowSelection(spec, view, {0, 1, 2, 3, 5}), product);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_TRUE(std::isfinite(*all->log_probability));
  EXPECT_EQ(*all->log_probability, *inside->log_probability);
  const absl::Status none =
      FigureOf(RowSelection(spec, view, {4}), product).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(none)) << none;
  EXPECT_THAT(none.message(), HasSubstr("held_out_share"));
}

TEST(HeldOutFigureTest, CanBeInterrupted) {
  const Product<float> product = BernoulliProduct(5, 3, 208);
  const LabelledRows rows = BinaryRows(20, 5);
  const TrainingRows view = rows.View();
  const DataSpec spec = BitsSpec(5);
  const RowSelection selection(spec, view, AllNumbers(20));
  const absl::Status status =
      HeldOutJudge(selection, product, Reconstruction::kMean, kSeed)
          .Judge(product, Workers::Inline(),
                 [] { return absl::CancelledError("enough"); })
          .status();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
}

}  // namespace
}  // namespace poe
