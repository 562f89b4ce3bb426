// Sequences of different lengths: their log scores are never compared unless
// log Z of each length is known.
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/experts/hidden_markov.h"
#include "poe/log_partition.h"
#include "poe/reconstruction.h"
#include "poe/scoring.h"
#include "poe/training.h"
#include "tests/core/core_models.h"

namespace poe {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Frames of two columns around 0 (even sequences) and 3 (odd ones).
struct Sequences {
  RowMatrix<float> values;
  std::vector<Index> starts = {0};
  std::vector<std::int32_t> labels;

  TrainingRows View() const {
    TrainingRows rows;
    new (&rows.values) Eigen::Map<const RowMatrix<float>>(
        values.data(), values.rows(), values.cols());
    rows.starts = starts;
    rows.labels = labels;
    return rows;
  }
};

Sequences MakeSequences(const std::vector<Index>& lengths) {
  Sequences made;
  for (Index length : lengths)
    made.starts.push_back(made.starts.back() + length);
  made.values = NormalMatrix(made.starts.back(), 2, 611);
  for (std::size_t n = 0; n < lengths.size(); ++n) {
    made.labels.push_back(static_cast<std::int32_t>(n % 2));
    if (n % 2 == 1)
      made.values.middleRows(made.starts[n], lengths[n]).array() += 3;
  }
  return made;
}

std::vector<Index> EqualLengths() { return std::vector<Index>(60, 6); }

std::vector<Index> RaggedLengths() {
  std::vector<Index> lengths;
  for (Index n = 0; n < 60; ++n) lengths.push_back(4 + n % 3);
  return lengths;
}

TrainingSettings MarkovSettings() {
  TrainingSettings settings;
  settings.class_names = {"low", "high"};
  settings.data_spec.family = Family::kStructuredGaussian;
  settings.data_spec.dimension = 2;
  settings.data_spec.sequential = true;
  settings.products.resize(1);
  HiddenMarkovSettings markov;
  markov.num_states = 2;
  settings.products[0].groups = {{.num_experts = 1, .kind = markov}};
  settings.contrastive_divergence.epochs = 1;
  settings.separator.emplace();
  settings.held_out_share = 0.3;
  settings.seed = 5;
  return settings;
}

// Without an exact log Z.
TrainingSettings MixedSettings() {
  TrainingSettings settings = MarkovSettings();
  LinearDynamicalSettings system;
  system.num_latent = 1;
  settings.products[0].groups.push_back({.num_experts = 1, .kind = system});
  return settings;
}

absl::StatusOr<Model> TrainOn(const TrainingSettings& settings,
                              const std::vector<Index>& lengths) {
  const Sequences sequences = MakeSequences(lengths);
  return Train(
      settings, sequences.View(), Workers::Inline(),
      [](const TrainingProgress&) {}, NeverInterrupt);
}

Scores ScoresOf(const Model& model, const Sequences& sequences) {
  return *Score(model, sequences.View(), {}, Workers::Inline(), NeverInterrupt);
}

TEST(RaggedSequencesTest, ASeparatorWithoutLogZIsRefusedBeforeAnyWork) {
  const Sequences sequences = MakeSequences(RaggedLengths());
  const absl::Status status =
      Train(
          MixedSettings(), sequences.View(), Workers::Inline(),
          [](const TrainingProgress&) { FAIL() << "no work was due"; },
          NeverInterrupt)
          .status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("4 to 6 frames"), HasSubstr("\"low\""),
                    HasSubstr("as long as each other"),
                    HasSubstr("hidden Markov models alone")));
}

TEST(RaggedSequencesTest, EstimatesOfLogZMakeThemComparable) {
  TrainingSettings settings = MixedSettings();
  settings.normalizer = NormalizerSettings{.chains = 50, .temperatures = 300};
  const std::vector<Index> lengths = RaggedLengths();
  const absl::StatusOr<Model> model = TrainOn(settings, lengths);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->comparable_length, 0);
  for (Index c = 0; c < 2; ++c) {
    for (Index length : {4, 5, 6}) {
      ASSERT_NE(model->classes[c].FindLogPartition(length), nullptr);
      EXPECT_EQ(model->classes[c].FindLogPartition(length)->method,
                LogPartition::Method::kAisForward);
    }
    EXPECT_EQ(model->classes[c].FindLogPartition(7), nullptr);
  }
  const Sequences sequences = MakeSequences(lengths);
  const Scores scores = ScoresOf(*model, sequences);
  EXPECT_EQ(scores.labels, sequences.labels);
  EXPECT_EQ(scores.lengths, (std::vector<Index>{4, 5, 6}));
  const Scores of_seven = ScoresOf(*model, MakeSequences({7}));
  EXPECT_TRUE(of_seven.log_probabilities.array().isNaN().all());
  EXPECT_EQ(of_seven.labels[0], -1);
}

// Longer and shorter than in training.
TEST(RaggedSequencesTest, LogZIsTheSameToTheBitWhateverLengthsAreAskedFor) {
  for (const bool dynamical : {false, true}) {
    TrainingSettings settings = MarkovSettings();
    if (dynamical) {
      LinearDynamicalSettings system;
      system.num_latent = 1;
      settings.products[0].groups[0].kind = system;
    }
    const auto model = TrainOn(settings, EqualLengths());
    ASSERT_TRUE(model.ok()) << model.status();
    const Scores together = ScoresOf(*model, MakeSequences({3, 40, 1, 300, 6}));
    ASSERT_TRUE(together.log_probabilities.allFinite());
    for (Index c = 0; c < 2; ++c)
      for (const LogPartition& known : together.computed_log_partitions[c])
        EXPECT_EQ(known.value,
                  *ExactLogPartition(model->classes[c].layers[0],
                                     model->data_spec, known.length));
  }
}

// 2^20 of them.
TEST(RaggedSequencesTest, LogZOfTooManyJointStatesIsNotComputedForScores) {
  Model model = *TrainOn(MarkovSettings(), EqualLengths());
  ClassModel& one = model.classes[0];
  HiddenMarkov<float>::Settings wide;
  constexpr Index kExperts = 20;
  wide.initial_logit = RowMatrix<float>::Zero(kExperts, 2);
  wide.transition_logit = RowMatrix<float>::Zero(2 * kExperts, 2);
  wide.mean = RowMatrix<float>::Zero(2 * kExperts, 2);
  wide.log_variance = wide.mean;
  std::vector<std::unique_ptr<ExpertGroup<float>>> groups;
  groups.push_back(*HiddenMarkov<float>::Create(std::move(wide)));
  one.layers[0] =
      *Product<float>::Create(one.layers[0].base().Clone(), std::move(groups));
  EXPECT_TRUE(
      LogPartitionsOfOtherLengths(one, model.data_spec, {1, 5, 6}).empty());
  EXPECT_EQ(
      LogPartitionsOfOtherLengths(model.classes[1], model.data_spec, {1, 5, 6})
          .size(),
      2u);
}

TEST(RaggedSequencesTest, WithoutLogZThereAreNoPercentiles) {
  TrainingSettings settings = MixedSettings();
  settings.separator.reset();
  const auto model = TrainOn(settings, RaggedLengths());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->comparable_length, 0);
  for (const ClassModel& one : model->classes)
    EXPECT_FALSE(one.percentiles.has_value());
}

TEST(RaggedSequencesTest, WithoutLogZOnlyTheLengthOfTrainingIsJudged) {
  const auto model = TrainOn(MixedSettings(), EqualLengths());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->comparable_length, 6);
  ASSERT_FALSE(model->has_log_partitions());
  ASSERT_TRUE(model->calibration.has_value());
  const Sequences asked = MakeSequences({6, 6, 5, 7});
  const Scores scores = ScoresOf(*model, asked);
  EXPECT_TRUE(scores.log_scores.allFinite());
  EXPECT_EQ(scores.labels, (std::vector<std::int32_t>{0, 1, -1, -1}));
  EXPECT_GT(scores.margins[0], 0);
  EXPECT_EQ(scores.margins[2], 0);
  EXPECT_TRUE(scores.probabilities.bottomRows(2).isZero(0));
  EXPECT_TRUE(scores.percentiles.topRows(2).allFinite());
  EXPECT_TRUE(scores.percentiles.bottomRows(2).array().isNaN().all());

  ReconstructOptions options;
  const auto reconstructed = Reconstruct(*model, asked.View(), options,
                                         Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(reconstructed.ok()) << reconstructed.status();
  EXPECT_EQ(reconstructed->classes, (std::vector<std::int32_t>{0, 1, -1, -1}));
  EXPECT_EQ(reconstructed->values.bottomRows(12), asked.values.bottomRows(12));
  EXPECT_NE(reconstructed->values.topRows(12), asked.values.topRows(12));
}

TEST(RaggedSequencesTest, WithExactLogZAnyLengthIsJudged) {
  const auto model = TrainOn(MarkovSettings(), RaggedLengths());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->comparable_length, 0);
  const Sequences asked = MakeSequences({4, 6, 8, 7, 3, 7});
  const Scores scores = ScoresOf(*model, asked);
  EXPECT_EQ(scores.labels, (std::vector<std::int32_t>{0, 1, 0, 1, 0, 1}));
  EXPECT_TRUE(scores.percentiles.allFinite());
  ASSERT_EQ(scores.computed_log_partitions.size(), 2u);
  for (Index c = 0; c < 2; ++c) {
    const std::vector<LogPartition>& computed =
        scores.computed_log_partitions[c];
    ASSERT_EQ(computed.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      const Index length = std::vector<Index>{3, 7, 8}[i];
      EXPECT_EQ(computed[i].length, length);
      EXPECT_EQ(computed[i].method, LogPartition::Method::kExact);
      EXPECT_EQ(computed[i].value,
                *ExactLogPartition(model->classes[c].layers[0],
                                   model->data_spec, length));
    }
    EXPECT_EQ(scores.log_probabilities(3, c),
              scores.log_scores(3, c) - computed[1].value);
    EXPECT_EQ(
        scores.log_probabilities(1, c),
        scores.log_scores(1, c) - model->classes[c].FindLogPartition(6)->value);
  }
  // Classes are told apart by log probabilities in reconstruction as well.
  const auto reconstructed =
      Reconstruct(*model, asked.View(), {}, Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(reconstructed.ok()) << reconstructed.status();
  EXPECT_EQ(reconstructed->classes, scores.labels);
}

// With "low" as it is in an earlier model.
absl::StatusOr<Model> TrainHighBeside(const Model& earlier,
                                      TrainingSettings settings,
                                      const std::vector<Index>& lengths) {
  settings.data_spec = earlier.data_spec;
  settings.kept_classes = {0};
  const Sequences sequences = MakeSequences(lengths);
  return Train(
      settings, sequences.View(), Workers::Inline(),
      [](const TrainingProgress&) {}, NeverInterrupt, nullptr, nullptr,
      &earlier);
}

TEST(RaggedSequencesTest, AKeptClassGetsTheLogZOfNewLengths) {
  const auto earlier = TrainOn(MarkovSettings(), EqualLengths());
  ASSERT_TRUE(earlier.ok()) << earlier.status();
  ASSERT_EQ(earlier->classes[0].log_partitions.size(), 1u);
  const auto model =
      TrainHighBeside(*earlier, MarkovSettings(), RaggedLengths());
  ASSERT_TRUE(model.ok()) << model.status();
  for (Index c = 0; c < 2; ++c)
    for (Index length : {4, 5, 6})
      EXPECT_NE(model->classes[c].FindLogPartition(length), nullptr);
  EXPECT_EQ(model->classes[0].FindLogPartition(6)->value,
            earlier->classes[0].FindLogPartition(6)->value);
}

TEST(RaggedSequencesTest, EstimatesOfAKeptClassAreForTheirLengths) {
  TrainingSettings mixed = MixedSettings();
  mixed.normalizer = NormalizerSettings{.chains = 50, .temperatures = 30};
  const auto earlier = TrainOn(mixed, EqualLengths());
  ASSERT_TRUE(earlier.ok()) << earlier.status();
  // Log Z of the class that is trained is exact.
  TrainingSettings settings = MarkovSettings();
  const std::vector<Index> fives(60, 5);
  const absl::Status status =
      TrainHighBeside(*earlier, settings, fives).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("log Z kept with class \"low\""),
                    HasSubstr("of 6 frames, not of 5")));
  settings.normalizer = mixed.normalizer;
  const auto model = TrainHighBeside(*earlier, settings, fives);
  ASSERT_TRUE(model.ok()) << model.status();
  for (Index length : {5, 6})
    EXPECT_EQ(model->classes[0].FindLogPartition(length)->method,
              LogPartition::Method::kAisForward);
  EXPECT_EQ(model->classes[0].FindLogPartition(6)->value,
            earlier->classes[0].FindLogPartition(6)->value);
  EXPECT_EQ(model->classes[0].log_partitions.size(), 4u);
  EXPECT_EQ(model->classes[1].log_partitions.size(), 1u);
  settings.normalizer.reset();
  const std::vector<Index> sevens(60, 7);
  EXPECT_THAT(TrainHighBeside(*model, settings, sevens).status().message(),
              HasSubstr("of 2 lengths from 5 to 6 frames, not of 7"));
}

TEST(RaggedSequencesTest, TheComparableLengthIsOneOfSequences) {
  Model model = *TrainOn(MixedSettings(), EqualLengths());
  EXPECT_TRUE(Validate(model).ok());
  model.comparable_length = -1;
  EXPECT_TRUE(absl::IsInvalidArgument(Validate(model)));
  Model dense = BernoulliModel(4, 2, 2);
  dense.comparable_length = 3;
  EXPECT_TRUE(absl::IsInvalidArgument(Validate(dense)));
}

}  // namespace
}  // namespace poe
