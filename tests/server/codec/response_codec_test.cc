#include "server/codec/response_codec.h"

#include <limits>

#include "server/codec/tensor_codec.h"
#include "tests/server/codec/refusal.h"
#include "tests/server/codec/test_models.h"

namespace poe::server {
namespace {

using testing::ElementsAre;

std::vector<float> ValuesOf(const v1::Tensor& tensor) {
  std::vector<float> values;
  EXPECT_EQ(CheckTensor(tensor, "tensor").status(), absl::OkStatus());
  EXPECT_EQ(DecodeElements(tensor, "tensor", {}, values), absl::OkStatus());
  return values;
}

TEST(ResponseCodecTest, ScoresAreRowsByClassesByLayers) {
  const Model model = MakeBernoulliModel(4, 3, {"a", "b"}, 1);
  Scores scores;
  scores.log_scores.resize(3, 2);
  scores.log_scores << 1, 2, 3, 4, -std::numeric_limits<double>::infinity(), 6;
  v1::ScoreResponse response;
  EncodeScores(model, scores, &response);
  EXPECT_THAT(response.class_names(), ElementsAre("a", "b"));
  EXPECT_THAT(response.log_scores().shape(), ElementsAre(3, 2, 1));
  EXPECT_EQ(response.log_scores().element_type(), v1::ELEMENT_TYPE_FLOAT64);
  EXPECT_THAT(
      ValuesOf(response.log_scores()),
      ElementsAre(1, 2, 3, 4, -std::numeric_limits<float>::infinity(), 6));
}

TEST(ResponseCodecTest, WhatTheModelDoesNotSayIsAbsent) {
  Scores scores;
  scores.log_scores.setZero(1, 1);
  v1::ScoreResponse response;
  EncodeScores(MakeBernoulliModel(4, 3, {"a"}, 1), scores, &response);
  EXPECT_EQ(response.labels_size(), 0);
  EXPECT_EQ(response.margins_size(), 0);
  EXPECT_FALSE(response.has_probabilities());
  EXPECT_FALSE(response.has_percentiles());
  EXPECT_EQ(response.out_of_support_size(), 0);
  EXPECT_EQ(response.expert_scores_size(), 0);
  EXPECT_FALSE(response.has_seed());
}

TEST(ResponseCodecTest, EverythingTheModelSaysIsThere) {
  Scores scores;
  scores.log_scores.setZero(2, 2);
  scores.labels = {1, -1};
  scores.margins = {0.5, 0};
  scores.probabilities.setConstant(2, 2, 0.5);
  scores.percentiles.setConstant(2, 2, 75);
  scores.out_of_support = {false, true};
  scores.expert_log_scores = {RowMatrix<double>::Constant(2, 3, 7),
                              RowMatrix<double>::Constant(2, 3, 8)};
  v1::ScoreResponse response;
  EncodeScores(MakeBernoulliModel(4, 3, {"a", "b"}, 1), scores, &response);
  EXPECT_THAT(response.labels(), ElementsAre(1, -1));
  EXPECT_THAT(response.margins(), ElementsAre(0.5, 0));
  EXPECT_THAT(ValuesOf(response.probabilities()),
              ElementsAre(0.5f, 0.5f, 0.5f, 0.5f));
  EXPECT_THAT(response.percentiles().shape(), ElementsAre(2, 2));
  EXPECT_THAT(response.out_of_support(), ElementsAre(false, true));
  ASSERT_EQ(response.expert_scores_size(), 2);
  EXPECT_THAT(response.expert_scores(1).log_scores().shape(),
              ElementsAre(2, 3));
  EXPECT_EQ(ValuesOf(response.expert_scores(1).log_scores())[5], 8);
  EXPECT_FALSE(response.expert_scores(1).has_usual_quantiles());
  EXPECT_FALSE(response.expert_scores(1).has_objections());
}

TEST(ResponseCodecTest, ObjectionsComeWithWhatIsUsual) {
  Model model = MakeBernoulliModel(4, 3, {"a", "b"}, 1);
  RowMatrix<double> quantiles(3, 2);
  quantiles << 1, 2, 3, 4, 5, 6;
  model.classes[1].usual_verdicts = *UsualVerdicts::Create(quantiles);
  Scores scores;
  scores.log_scores.setZero(2, 2);
  scores.expert_log_scores = {RowMatrix<double>::Constant(2, 3, 7),
                              RowMatrix<double>::Constant(2, 3, 8)};
  scores.objections = {RowMatrix<float>(),
                       RowMatrix<float>::Constant(2, 3, -2.5f)};
  v1::ScoreResponse response;
  EncodeScores(model, scores, &response);
  EXPECT_FALSE(response.expert_scores(0).has_objections());
  const v1::ExpertScores& experts = response.expert_scores(1);
  EXPECT_THAT(experts.usual_quantiles().shape(), ElementsAre(3, 2));
  EXPECT_THAT(ValuesOf(experts.usual_quantiles()),
              ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(experts.objections().shape(), ElementsAre(2, 3));
  EXPECT_EQ(experts.objections().element_type(), v1::ELEMENT_TYPE_FLOAT32);
  EXPECT_EQ(ValuesOf(experts.objections())[5], -2.5f);
}

TEST(ResponseCodecTest, ReconstructionsHaveTheShapeAsked) {
  Reconstructions reconstructions;
  reconstructions.values.resize(1, 6);
  reconstructions.values << 1, 2, 3, 4, 5, 6;
  reconstructions.classes = {0};
  v1::Observations asked;
  *asked.mutable_dense() = MakeFloats({1, 2, 3}, std::vector<float>(6, 0));
  v1::ReconstructResponse response;
  EncodeReconstructions(MakeBernoulliModel(6, 3, {"a"}, 1), reconstructions,
                        asked, 42, &response);
  EXPECT_THAT(response.observations().dense().shape(), ElementsAre(1, 2, 3));
  EXPECT_THAT(ValuesOf(response.observations().dense()),
              ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(response.classes(), ElementsAre(0));
  EXPECT_THAT(response.class_names(), ElementsAre("a"));
  EXPECT_EQ(response.seed(), 42u);
}

TEST(ResponseCodecTest, SampledChainsCarryStepAndTemperature) {
  SampledChains chains;
  chains.values.resize(2, 1);
  chains.values << 3, 4;
  chains.step = 17;
  chains.inverse_temperature = 0.25;
  v1::SampleResponse response;
  EncodeSampledChains(MakeBernoulliModel(1, 3, {"a"}, 1), chains, 5, &response);
  EXPECT_THAT(response.observations().dense().shape(), ElementsAre(2, 1));
  EXPECT_THAT(ValuesOf(response.observations().dense()), ElementsAre(3, 4));
  EXPECT_EQ(response.step(), 17);
  EXPECT_EQ(response.inverse_temperature(), 0.25);
  EXPECT_EQ(response.seed(), 5u);
}

std::vector<float> SymbolsOf(const v1::Tensor& tensor) {
  EXPECT_EQ(tensor.element_type(), v1::ELEMENT_TYPE_INT32);
  std::vector<float> values;
  EXPECT_EQ(DecodeElements(tensor, "tensor", {}, values, Elements::kSymbols),
            absl::OkStatus());
  return values;
}

TEST(ResponseCodecTest, SequencesComeBackAsSequences) {
  Model model = MakeBernoulliModel(1, 3, {"a"}, 1);
  model.data_spec.sequential = true;
  Reconstructions reconstructions;
  reconstructions.values.resize(3, 1);
  reconstructions.values << 1, 2, 3;
  reconstructions.classes = {0, -1};
  v1::Observations asked;
  asked.mutable_sequences()->add_lengths(2);
  asked.mutable_sequences()->add_lengths(1);
  v1::ReconstructResponse response;
  EncodeReconstructions(model, reconstructions, asked, 1, &response);
  const v1::Sequences& sequences = response.observations().sequences();
  EXPECT_THAT(sequences.lengths(), ElementsAre(2, 1));
  EXPECT_THAT(sequences.values().shape(), ElementsAre(3, 1));
  EXPECT_THAT(ValuesOf(sequences.values()), ElementsAre(1, 2, 3));

  SampledChains chains;
  chains.values = reconstructions.values;
  chains.lengths = {1, 2};
  v1::SampleResponse sampled;
  EncodeSampledChains(model, chains, 1, &sampled);
  EXPECT_THAT(sampled.observations().sequences().lengths(), ElementsAre(1, 2));
  EXPECT_THAT(ValuesOf(sampled.observations().sequences().values()),
              ElementsAre(1, 2, 3));
}

TEST(ResponseCodecTest, SymbolsComeBackAsIntegers) {
  Model model = MakeBernoulliModel(1, 3, {"a"}, 1);
  model.data_spec.family = Family::kCategorical;
  model.data_spec.num_symbols = 4;
  SampledChains chains;
  chains.values.resize(2, 1);
  chains.values << 3, 0;
  v1::SampleResponse sampled;
  EncodeSampledChains(model, chains, 1, &sampled);
  EXPECT_THAT(SymbolsOf(sampled.observations().dense()), ElementsAre(3, 0));
  model.data_spec.real_inputs = true;
  v1::SampleResponse mixed;
  EncodeSampledChains(model, chains, 1, &mixed);
  EXPECT_THAT(ValuesOf(mixed.observations().dense()), ElementsAre(3, 0));
  model.data_spec.real_inputs = false;

  Reconstructions reconstructions;
  reconstructions.values = chains.values;
  v1::Observations asked;
  *asked.mutable_dense() = MakeFloats({2, 1}, {1, 1});
  v1::ReconstructResponse response;
  EncodeReconstructions(model, reconstructions, asked, 1, &response);
  EXPECT_THAT(SymbolsOf(response.observations().dense()), ElementsAre(3, 0));
}

TEST(ResponseCodecTest, ProgressNamesItsClassAndTellsTheTimeLeft) {
  TrainingProgress progress;
  progress.stage = "contrastive divergence";
  progress.class_index = 1;
  progress.epoch = 2;
  progress.epochs = 8;
  progress.update = 20;
  progress.updates = 80;
  progress.fraction = 0.25;
  progress.rows_per_second = 1000;
  progress.reconstruction_error = 0.5;
  progress.seconds = 3;
  const std::string names[] = {"odd", "even"};
  v1::Progress message;
  EncodeProgress(progress, names, &message);
  EXPECT_EQ(message.stage(), "contrastive divergence");
  EXPECT_EQ(message.class_name(), "even");
  EXPECT_EQ(message.epoch(), 2);
  EXPECT_EQ(message.epochs(), 8);
  EXPECT_EQ(message.update(), 20);
  EXPECT_EQ(message.updates(), 80);
  EXPECT_EQ(message.fraction(), 0.25);
  EXPECT_EQ(message.rows_per_second(), 1000);
  EXPECT_EQ(message.reconstruction_error(), 0.5);
  EXPECT_FALSE(message.has_free_energy_gap());
  EXPECT_FALSE(message.has_gradient_norm());
  EXPECT_EQ(message.seconds(), 3);
  EXPECT_DOUBLE_EQ(message.seconds_left(), 9);
}

TEST(ResponseCodecTest, ProgressTellsWhatEarlyStoppingGoesBy) {
  TrainingProgress progress;
  v1::Progress message;
  EncodeProgress(progress, {}, &message);
  EXPECT_FALSE(message.has_held_out_log_probability());
  EXPECT_FALSE(message.has_held_out_reconstruction_error());
  EXPECT_FALSE(message.has_best_epoch());
  progress.held_out_log_probability = -2.5;
  progress.held_out_reconstruction_error = 0.25;
  progress.best_epoch = 0;
  EncodeProgress(progress, {}, &message);
  EXPECT_EQ(message.held_out_log_probability(), -2.5);
  EXPECT_EQ(message.held_out_reconstruction_error(), 0.25);
  ASSERT_TRUE(message.has_best_epoch());
  EXPECT_EQ(message.best_epoch(), 0);
}

TEST(ResponseCodecTest, ProgressAtTheStartPromisesNoTime) {
  v1::Progress message;
  EncodeProgress(TrainingProgress(), {}, &message);
  EXPECT_FALSE(message.has_seconds_left());
  EXPECT_EQ(message.class_name(), "");
}

}  // namespace
}  // namespace poe::server
