#include "poe/scoring.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/experts/unigauss.h"
#include "poe/gibbs.h"
#include "tests/core/core_models.h"
#include "tests/core/special_values.h"

namespace poe {
namespace {

using ::testing::Each;

Scores ScoreRows(const Model& model, const RowMatrix<float>& raw,
                 bool per_expert = false,
                 const Workers& workers = Workers::Inline()) {
  return *Score(model, RowsOf(raw), {per_expert}, workers, NeverInterrupt);
}

bool SameBits(const RowMatrix<double>& a, Index i, const RowMatrix<double>& b,
              Index j) {
  return a.cols() == b.cols() && std::memcmp(a.row(i).data(), b.row(j).data(),
                                             sizeof(double) * a.cols()) == 0;
}

// Of one unigauss expert, by its formula in raw units.
TEST(ScoringTest, LogScoresAreDensitiesInRawUnits) {
  const Model model = UnigaussModel(2, 1, 1);
  const DataSpec& spec = model.data_spec;
  const auto& expert =
      dynamic_cast<const Unigauss<float>&>(model.classes[0].layers[0].group(0));
  const RowMatrix<float> raw = UniformMatrix(20, 2, -1, 5, 80);
  const Scores scores = ScoreRows(model, raw);
  const double share = 1 / (1 + std::exp(-expert.block(2)(0, 0)));
  for (Index n = 0; n < 20; ++n) {
    double gaussian = 1, raw_volume = 1;
    for (Index i = 0; i < 2; ++i) {
      const double shift = spec.preprocessing.shift[i];
      const double scale = spec.preprocessing.scale[i];
      const double mean = shift + scale * expert.block(0)(0, i);
      const double variance = scale * scale * std::exp(expert.block(1)(0, i));
      gaussian *= std::exp(-std::pow(raw(n, i) - mean, 2) / (2 * variance)) /
                  std::sqrt(2 * std::acos(-1.0) * variance);
      raw_volume *= spec.box->upper[i] - spec.box->lower[i];
    }
    EXPECT_NEAR(scores.log_scores(n, 0),
                std::log((1 - share) / raw_volume + share * gaussian), 1e-4);
  }
}

TEST(ScoringTest, AModelWithoutJudgementGivesLogScoresAlone) {
  Model model = BernoulliModel(4, 3, 2);
  model.separator.reset();
  model.calibration.reset();
  model.classes[1].percentiles.reset();
  const Scores scores = ScoreRows(model, UniformMatrix(3, 4, 0, 1, 81));
  EXPECT_EQ(scores.log_scores.rows(), 3);
  EXPECT_EQ(scores.log_scores.cols(), 2);
  EXPECT_TRUE(scores.labels.empty());
  EXPECT_TRUE(scores.margins.empty());
  EXPECT_EQ(scores.probabilities.size(), 0);
  EXPECT_EQ(scores.percentiles.size(), 0);
  EXPECT_TRUE(scores.out_of_support.empty());
  EXPECT_TRUE(scores.expert_log_scores.empty());
}

TEST(ScoringTest, JudgementIsThatOfTheModelsParts) {
  const Model model = BernoulliModel(6, 3, 3);
  const Scores scores = ScoreRows(model, UniformMatrix(50, 6, 0, 1, 82));
  const Classification judged = model.separator->Classify(scores.log_scores);
  EXPECT_EQ(scores.labels, judged.labels);
  EXPECT_EQ(scores.margins, judged.margins);
  EXPECT_EQ(scores.probabilities,
            model.calibration->Probabilities(judged.decisions));
  for (Index n = 0; n < 50; ++n) {
    EXPECT_NEAR(scores.probabilities.row(n).sum(), 1, 1e-12);
    for (Index c = 0; c < 3; ++c)
      EXPECT_EQ(
          scores.percentiles(n, c),
          model.classes[c].percentiles->Percentile(scores.log_scores(n, c)));
  }
}

TEST(ScoringTest, ExpertsAndBaseAddUpToTheLogScore) {
  const Model model = BernoulliModel(6, 5, 2);
  const RowMatrix<float> raw = UniformMatrix(600, 6, 0, 1, 83);
  const Scores scores = ScoreRows(model, raw, true);
  ASSERT_EQ(scores.expert_log_scores.size(), 2u);
  for (Index c = 0; c < 2; ++c) {
    const Vector<double> bias =
        model.classes[c].layers[0].base().parameters().cast<double>();
    for (Index n = 0; n < 600; ++n)
      EXPECT_NEAR(scores.log_scores(n, c),
                  scores.expert_log_scores[c].row(n).sum() +
                      raw.row(n).cast<double>().dot(bias),
                  1e-9);
  }
}

TEST(ScoringTest, ObjectionsAreThoseOfTheClassesThatKnowWhatIsUsual) {
  Model model = UnigaussModel(3, 4, 3);
  RowMatrix<float> raw = UniformMatrix(40, 3, -1, 5, 89);
  raw(7, 0) = 5.5f;
  EXPECT_TRUE(ScoreRows(model, raw, true).objections[0].size() == 0);
  for (Index c : {0, 2})
    model.classes[c].usual_verdicts = *UsualVerdicts::Create(
        NormalMatrix(4, 2, 90).cast<double>().cwiseAbs() *
        Eigen::Matrix2d({{-1, 0}, {0, 1}}));
  const Scores scores = ScoreRows(model, raw, true);
  ASSERT_EQ(scores.objections.size(), 3u);
  EXPECT_EQ(scores.objections[1].size(), 0);
  for (Index c : {0, 2}) {
    ASSERT_EQ(scores.objections[c].rows(), 40);
    const RowMatrix<float> wanted = model.classes[c].usual_verdicts->Objections(
        scores.expert_log_scores[c], std::vector<Index>(40, 1));
    for (Index n = 0; n < 40; ++n) {
      if (n == 7)
        EXPECT_TRUE(scores.objections[c].row(n).array().isNaN().all());
      else
        EXPECT_EQ(scores.objections[c].row(n), wanted.row(n));
    }
  }
  EXPECT_TRUE(ScoreRows(model, raw, false).objections.empty());
}

TEST(ScoringTest, ARowHasTheSameBitsAloneAndInAnyBatch) {
  const Workers three(3);
  for (const Model& model :
       {BernoulliModel(13, 7, 3), UnigaussModel(5, 9, 3)}) {
    const bool real = model.data_spec.family == Family::kGaussian;
    const Index dimension = model.data_spec.dimension;
    // More rows than go through a product at once.
    const RowMatrix<float> raw =
        UniformMatrix(1100, dimension, 0, real ? 5 : 1, 84);
    const Scores all = ScoreRows(model, raw, true, three);
    for (Index size : {1, 2, 3, 6, 513}) {
      for (Index begin : {0, 1, 510, 587}) {
        const RowMatrix<float> rows = raw.middleRows(begin, size);
        const Scores part = ScoreRows(model, rows, true);
        for (Index n = 0; n < size; ++n) {
          EXPECT_TRUE(SameBits(part.log_scores, n, all.log_scores, begin + n));
          EXPECT_TRUE(
              SameBits(part.probabilities, n, all.probabilities, begin + n));
          EXPECT_TRUE(
              SameBits(part.percentiles, n, all.percentiles, begin + n));
          EXPECT_EQ(part.labels[n], all.labels[begin + n]);
          EXPECT_EQ(std::memcmp(&part.margins[n], &all.margins[begin + n],
                                sizeof(double)),
                    0);
          EXPECT_TRUE(SameBits(part.expert_log_scores[2], n,
                               all.expert_log_scores[2], begin + n));
        }
      }
    }
  }
}

TEST(ScoringTest, RowsOutsideTheBoxAreOutOfSupport) {
  const Model model = UnigaussModel(3, 4, 2);
  RowMatrix<float> raw = UniformMatrix(4, 3, -1, 5, 85);
  raw(1, 2) = 5.001f;
  raw(3, 0) = -1e30f;
  const Scores scores = ScoreRows(model, raw, true);
  EXPECT_EQ(scores.out_of_support,
            (std::vector<bool>{false, true, false, true}));
  for (Index n : {1, 3}) {
    EXPECT_EQ(scores.labels[n], -1);
    EXPECT_EQ(scores.margins[n], 0);
    for (Index c = 0; c < 2; ++c) {
      EXPECT_EQ(scores.log_scores(n, c), -kInfinity);
      EXPECT_EQ(scores.probabilities(n, c), 0);
      EXPECT_EQ(scores.percentiles(n, c), 0);
      EXPECT_TRUE(scores.expert_log_scores[c].row(n).array().isNaN().all());
    }
  }
  // They leave the others alone.
  const RowMatrix<float> inside = raw.row(2);
  const Scores alone = ScoreRows(model, inside, true);
  EXPECT_TRUE(alone.out_of_support.empty());
  EXPECT_TRUE(SameBits(alone.log_scores, 0, scores.log_scores, 2));
  EXPECT_TRUE(SameBits(alone.probabilities, 0, scores.probabilities, 2));
  EXPECT_GE(scores.labels[2], 0);
}

TEST(ScoringTest, GreyLevelsBeyondTheRangeOfTrainingAreOutOfSupport) {
  Model model = BernoulliModel(2, 3, 1);
  model.data_spec.preprocessing = {
      Preprocessing::Kind::kUnitInterval, {0, 0}, {255, 255}};
  RowMatrix<float> raw(2, 2);
  raw << 0, 255, 3, 256;
  EXPECT_EQ(ScoreRows(model, raw).out_of_support,
            (std::vector<bool>{false, true}));
}

TEST(ScoringTest, NoRowsHaveNoScores) {
  const Scores scores =
      ScoreRows(BernoulliModel(4, 3, 2), RowMatrix<float>(0, 4), true);
  EXPECT_EQ(scores.log_scores.rows(), 0);
  EXPECT_TRUE(scores.labels.empty());
}

TEST(ScoringTest, AnInterruptEndsTheWork) {
  const Model model = BernoulliModel(4, 3, 1);
  const RowMatrix<float> raw = UniformMatrix(5000, 4, 0, 1, 86);
  int asked = 0;
  const auto scores = Score(model, RowsOf(raw), {}, Workers::Inline(), [&] {
    return ++asked == 3 ? absl::DeadlineExceededError("late")
                        : absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsDeadlineExceeded(scores.status()));
  EXPECT_EQ(asked, 3);
}

TEST(ScoringTest, ConditionalModelsGiveProbabilitiesThatSumToOne) {
  Model model = BernoulliModel(5, 4, 1);
  model.data_spec.input_coordinates = {0, 1, 2};
  RowMatrix<float> raw(8, 5);
  for (Index n = 0; n < 8; ++n)
    raw.row(n) << 0.25f, 1, n < 4 ? 0.0f : 1.0f, static_cast<float>(n % 2),
        static_cast<float>(n / 2 % 2);
  const auto scores =
      Score(model, RowsOf(raw), {}, Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(scores.ok());
  ASSERT_EQ(scores->log_probabilities.rows(), 8);
  for (Index first : {0, 4}) {
    double sum = 0;
    for (Index n = first; n < first + 4; ++n)
      sum += std::exp(scores->log_probabilities(n, 0));
    EXPECT_NEAR(sum, 1, 1e-5);
    EXPECT_NEAR(scores->log_probabilities(first, 0) -
                    scores->log_probabilities(first + 1, 0),
                scores->log_scores(first, 0) - scores->log_scores(first + 1, 0),
                1e-5);
  }
}

}  // namespace
}  // namespace poe
