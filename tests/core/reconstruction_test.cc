#include "poe/reconstruction.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/scoring.h"
#include "tests/core/core_models.h"
#include "tests/core/special_values.h"

namespace poe {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

// Rows of a model's data with a mask in which about one in three is missing.
struct MaskedRows {
  MaskedRows(const Model& model, Index size, std::uint64_t seed) {
    const bool real = model.data_spec.family == Family::kGaussian;
    values = UniformMatrix(size, model.data_spec.dimension, real ? -1 : 0,
                           real ? 5 : 1, seed);
    observed.assign(values.size(), 1);
    for (Index i = 0; i < values.size(); ++i) {
      if (i * i % 7 % 3 != 1) continue;
      observed[i] = 0;
      values.data()[i] = kNan;
    }
  }
  RawRows View() const {
    RawRows rows = RowsOf(values);
    rows.observed = observed;
    return rows;
  }

  RowMatrix<float> values;
  std::vector<std::uint8_t> observed;
};

std::vector<Model> Models() {
  return {BernoulliModel(6, 5, 2), UnigaussModel(6, 5, 2)};
}

Reconstructions Complete(const Model& model, const RawRows& rows,
                         const ReconstructOptions& options,
                         const Workers& workers = Workers::Inline()) {
  return *Reconstruct(model, rows, options, workers, NeverInterrupt);
}

TEST(ReconstructionTest, OneStepIsAGibbsStepInRawUnits) {
  for (const Model& model : Models()) {
    const MaskedRows all(model, 10, 90);
    const RowMatrix<float> raw = all.values.array().isNaN().select(
        RowMatrix<float>::Ones(10, 6).array(), all.values.array());
    for (Reconstruction output :
         {Reconstruction::kMean, Reconstruction::kSample}) {
      ReconstructOptions options;
      options.class_index = 1;
      options.output = output;
      options.seed = 91;
      const Reconstructions result = Complete(model, RowsOf(raw), options);
      Observations<float> x = Preprocess(model.data_spec, RowsOf(raw), 0, 10);
      GibbsOptions gibbs;
      gibbs.seed = DeriveSeed(91, 0);
      gibbs.inverse_temperatures = {1};
      gibbs.last = output;
      ASSERT_TRUE(RunGibbs(model.classes[1].layers[0], gibbs, Workers::Inline(),
                           NeverInterrupt, x)
                      .ok());
      const RowMatrix<float> expected =
          Unprocess(model.data_spec, x.values.topRows(10));
      EXPECT_EQ(result.values, expected);
      EXPECT_THAT(result.classes, Each(1));
    }
  }
}

TEST(ReconstructionTest, ObservedValuesKeepTheirBits) {
  for (const Model& model : Models()) {
    const MaskedRows rows(model, 300, 92);
    for (Index class_index : {-1, 0}) {
      for (int chains : {1, 3}) {
        ReconstructOptions options;
        options.class_index = class_index;
        options.steps = 4;
        options.chains = chains;
        const Reconstructions result = Complete(model, rows.View(), options);
        for (Index i = 0; i < rows.values.size(); ++i) {
          if (rows.observed[i] == 0)
            EXPECT_TRUE(std::isfinite(result.values.data()[i]));
          else
            EXPECT_EQ(std::memcmp(result.values.data() + i,
                                  rows.values.data() + i, sizeof(float)),
                      0);
        }
        EXPECT_THAT(result.classes, Each(testing::Ge(0)));
      }
    }
  }
}

// In two binary coordinates, the conditional mean by enumeration.
TEST(ReconstructionTest, MissingValuesFollowTheConditionalDistribution) {
  const Model model = BernoulliModel(2, 4, 1);
  RowMatrix<float> states(2, 2);
  states << 1, 0, 1, 1;
  const Scores scores =
      *Score(model, RowsOf(states), {}, Workers::Inline(), NeverInterrupt);
  const double expected =
      1 / (1 + std::exp(scores.log_scores(0, 0) - scores.log_scores(1, 0)));
  constexpr Index kRows = 20000;
  RowMatrix<float> raw(kRows, 2);
  raw.col(0).setOnes();
  raw.col(1).setConstant(kNan);
  std::vector<std::uint8_t> observed(2 * kRows, 0);
  for (Index n = 0; n < kRows; ++n) observed[2 * n] = 1;
  RawRows rows = RowsOf(raw);
  rows.observed = observed;
  ReconstructOptions options;
  options.steps = 30;
  options.output = Reconstruction::kSample;
  const Reconstructions result = Complete(model, rows, options);
  EXPECT_NEAR(result.values.col(1).cast<double>().mean(), expected,
              6 * std::sqrt(expected * (1 - expected) / kRows));
}

TEST(ReconstructionTest, ChainsAreAveraged) {
  const Model model = BernoulliModel(6, 5, 1);
  const RowMatrix<float> raw = UniformMatrix(5, 6, 0, 1, 93);
  ReconstructOptions options;
  options.seed = 94;
  options.steps = 2;
  options.chains = 400;
  const RowMatrix<float> mean = Complete(model, RowsOf(raw), options).values;
  options.seed = 95;
  const RowMatrix<float> again = Complete(model, RowsOf(raw), options).values;
  // Means of values in [0, 1]: 8 of their greatest standard errors.
  EXPECT_LT((mean - again).cwiseAbs().maxCoeff(),
            8 * 0.5 * std::sqrt(2.0 / 400));
  options.chains = 1;
  EXPECT_GT((Complete(model, RowsOf(raw), options).values - again)
                .cwiseAbs()
                .maxCoeff(),
            0.01);
}

TEST(ReconstructionTest, RowsOutOfSupportComeBackAsTheyCame) {
  const Model model = UnigaussModel(3, 4, 2);
  MaskedRows rows(model, 3, 96);
  rows.observed.assign(9, 1);
  rows.values.setConstant(2);
  rows.values(1, 1) = 7;
  // Outside, but missing.
  rows.values(2, 1) = 7;
  rows.observed[7] = 0;
  for (Index class_index : {-1, 0}) {
    ReconstructOptions options;
    options.class_index = class_index;
    const Reconstructions result = Complete(model, rows.View(), options);
    EXPECT_EQ(result.classes[1], -1);
    EXPECT_EQ(result.values.row(1), rows.values.row(1));
    EXPECT_GE(result.classes[2], 0);
    EXPECT_LE(result.values(2, 1), 5);
  }
}

TEST(ReconstructionTest, WithoutAClassEachRowTakesItsLabel) {
  for (const Model& model : Models()) {
    const bool real = model.data_spec.family == Family::kGaussian;
    const RowMatrix<float> raw =
        UniformMatrix(60, 6, real ? -1 : 0, real ? 5 : 1, 97);
    const Scores scores =
        *Score(model, RowsOf(raw), {}, Workers::Inline(), NeverInterrupt);
    const Reconstructions result = Complete(model, RowsOf(raw), {});
    EXPECT_EQ(result.classes, scores.labels);
    EXPECT_THAT(scores.labels, testing::Contains(0));
    EXPECT_THAT(scores.labels, testing::Contains(1));
    for (Index c = 0; c < 2; ++c) {
      ReconstructOptions options;
      options.class_index = c;
      const Reconstructions of_class = Complete(model, RowsOf(raw), options);
      for (Index n = 0; n < 60; ++n) {
        if (scores.labels[n] != c) continue;
        EXPECT_EQ(result.values.row(n), of_class.values.row(n));
      }
    }
  }
}

TEST(ReconstructionTest, SeveralClassesWithoutSeparatorNeedAName) {
  Model model = BernoulliModel(4, 3, 2);
  model.separator.reset();
  const RowMatrix<float> raw = UniformMatrix(2, 4, 0, 1, 98);
  EXPECT_TRUE(absl::IsFailedPrecondition(
      Reconstruct(model, RowsOf(raw), {}, Workers::Inline(), NeverInterrupt)
          .status()));
  model.classes.pop_back();
  EXPECT_THAT(Complete(model, RowsOf(raw), {}).classes, ElementsAre(0, 0));
}

TEST(ReconstructionTest, ARowHasTheSameBitsAloneAndInAnyBatch) {
  const Workers three(3);
  for (const Model& model : Models()) {
    const MaskedRows rows(model, 700, 99);
    std::vector<std::uint64_t> ids(700);
    for (std::size_t n = 0; n < ids.size(); ++n) ids[n] = 5 * n + 1;
    RawRows all = rows.View();
    all.row_ids = ids;
    ReconstructOptions options;
    options.steps = 3;
    options.seed = 9;
    const Reconstructions together = Complete(model, all, options, three);
    for (Index n : {0, 1, 255, 256, 699}) {
      const RowMatrix<float> values = rows.values.row(n);
      RawRows one = RowsOf(values);
      one.row_ids = absl::MakeConstSpan(&ids[n], 1);
      one.observed = absl::MakeConstSpan(rows.observed).subspan(6 * n, 6);
      const Reconstructions alone = Complete(model, one, options);
      EXPECT_EQ(alone.values.row(0), together.values.row(n));
      EXPECT_EQ(alone.classes[0], together.classes[n]);
    }
  }
}

TEST(ReconstructionTest, AnInterruptEndsTheWork) {
  const Model model = BernoulliModel(4, 3, 1);
  const RowMatrix<float> raw = UniformMatrix(2, 4, 0, 1, 100);
  ReconstructOptions options;
  options.steps = 1000;
  int asked = 0;
  const auto result =
      Reconstruct(model, RowsOf(raw), options, Workers::Inline(), [&] {
        return ++asked == 4 ? absl::CancelledError("gone") : absl::OkStatus();
      });
  EXPECT_TRUE(absl::IsCancelled(result.status()));
  EXPECT_EQ(asked, 4);
}

}  // namespace
}  // namespace poe
