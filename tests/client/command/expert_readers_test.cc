// Each kind of expert as it is read and shown.
#include "client/cpp/command/expert_readers.h"

#include <cmath>
#include <vector>

#include "absl/status/status.h"
#include "client/cpp/command/expert_output.h"
#include "client/cpp/command/experts.h"
#include "client/cpp/tensor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::client {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

using Floats = std::vector<float>;

// A model of D coordinates whose one group is yet to be filled.
v1::Model OneGroup(int dimension, v1::ExpertGroup*& group) {
  v1::Model model;
  model.mutable_data_spec()->set_dimension(dimension);
  group = model.add_classes()->add_layers()->add_groups();
  return model;
}

v1::Model OneMixture() {
  v1::ExpertGroup* group = nullptr;
  v1::Model model = OneGroup(2, group);
  v1::Preprocessing& preprocessing =
      *model.mutable_data_spec()->mutable_preprocessing();
  for (int i = 0; i < 2; ++i) {
    preprocessing.add_shift(1);
    preprocessing.add_scale(2);
  }
  v1::GaussianMixture& mixture = *group->mutable_gaussian_mixture();
  *mixture.mutable_mean() = MakeTensor({1, 2, 2}, Floats{0, 1, 2, 3});
  *mixture.mutable_log_variance() = MakeTensor({1, 2, 2}, Floats(4, 0));
  *mixture.mutable_mixing_logit() =
      MakeTensor({1, 2}, Floats{0, std::log(3.0F)});
  return model;
}

v1::Model OneMarkov() {
  v1::ExpertGroup* group = nullptr;
  v1::Model model = OneGroup(1, group);
  v1::HiddenMarkov& markov = *group->mutable_hidden_markov();
  *markov.mutable_initial_logit() = MakeTensor({1, 2}, Floats{9, 0});
  // From state 0 to 1 with probability 1/4, back with 3/4.
  *markov.mutable_transition_logit() =
      MakeTensor({1, 2, 2}, Floats{std::log(3.0F), 0, std::log(3.0F), 0});
  *markov.mutable_gaussian()->mutable_mean() =
      MakeTensor({1, 2, 1}, Floats{-1, 5});
  *markov.mutable_gaussian()->mutable_log_variance() =
      MakeTensor({1, 2, 1}, Floats{0, std::log(4.0F)});
  return model;
}

v1::Model OneMarkovOfSymbols() {
  v1::Model model = OneMarkov();
  model.mutable_data_spec()->set_num_symbols(2);
  v1::HiddenMarkov& markov = *model.mutable_classes(0)
                                  ->mutable_layers(0)
                                  ->mutable_groups(0)
                                  ->mutable_hidden_markov();
  *markov.mutable_categorical()->mutable_logit() =
      MakeTensor({1, 2, 1, 2}, Floats{0, 0, std::log(9.0F), 0});
  return model;
}

v1::Model OneSystem() {
  v1::ExpertGroup* group = nullptr;
  v1::Model model = OneGroup(1, group);
  v1::LinearDynamical& system = *group->mutable_linear_dynamical();
  *system.mutable_initial_mean() = MakeTensor({1, 2}, Floats{4, 0});
  *system.mutable_initial_log_cholesky() =
      MakeTensor({1, 3}, Floats{0, 0, std::log(3.0F)});
  // A quarter turn that shrinks by half.
  *system.mutable_transition() =
      MakeTensor({1, 2, 2}, Floats{0, -0.5F, 0.5F, 0});
  *system.mutable_transition_log_cholesky() =
      MakeTensor({1, 3}, Floats{0, 0, 0});
  *system.mutable_emission() = MakeTensor({1, 1, 2}, Floats{0, 2});
  *system.mutable_emission_offset() = MakeTensor({1, 1}, Floats{7});
  *system.mutable_emission_log_variance() =
      MakeTensor({1, 1}, Floats{std::log(0.25F)});
  return model;
}

v1::Model OneTree() {
  v1::ExpertGroup* group = nullptr;
  v1::Model model = OneGroup(3, group);
  v1::GaussianTree& tree = *group->mutable_gaussian_tree();
  tree.set_num_trees(1);
  for (const int parent : {-1, 0, 1}) tree.add_parent(parent);
  *tree.mutable_weight() = MakeTensor({1, 1, 3}, Floats{0, 0.5F, -2});
  *tree.mutable_offset() = MakeTensor({1, 1, 3}, Floats(3, 0));
  *tree.mutable_log_variance() = MakeTensor({1, 1, 3}, Floats(3, 0));
  *tree.mutable_mixing_logit() = MakeTensor({1, 2}, Floats{0, 0});
  return model;
}

// Each kind over one coordinate more than its parameters have, and a parent
// that is not there.
std::vector<v1::Model> Broken() {
  std::vector<v1::Model> models = {
      OneMixture(), OneMarkov(), OneMarkovOfSymbols(), OneSystem(), OneTree()};
  for (v1::Model& model : models) {
    v1::DataSpec& spec = *model.mutable_data_spec();
    spec.set_dimension(spec.dimension() + 1);
  }
  models.push_back(OneTree());
  models.back()
      .mutable_classes(0)
      ->mutable_layers(0)
      ->mutable_groups(0)
      ->mutable_gaussian_tree()
      ->set_parent(0, 3);
  return models;
}

TEST(ExpertReadersTest, UnitsOverSymbolsHaveAWeightForEach) {
  v1::ExpertGroup* group = nullptr;
  v1::Model model = OneGroup(2, group);
  model.mutable_data_spec()->set_num_symbols(2);
  v1::BernoulliUnits& units = *group->mutable_bernoulli_units();
  *units.mutable_weights() = MakeTensor({4, 1}, Floats{1, 2, 3, 4});
  *units.mutable_bias() = MakeTensor({1}, Floats{0});
  const auto experts = ReadExperts(model, "", 0);
  ASSERT_TRUE(experts.ok()) << experts.status();
  EXPECT_THAT(experts->front().values, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(ExpertTable(*experts, model.data_spec(), 0),
              HasSubstr("[1]=1 4  [1]=0 3"));
}

TEST(ExpertReadersTest, UnitsOverSymbolsHaveOneWeightForARealInput) {
  v1::ExpertGroup* group = nullptr;
  v1::Model model = OneGroup(3, group);
  v1::DataSpec& spec = *model.mutable_data_spec();
  spec.set_num_symbols(2);
  spec.add_input_coordinates(1);
  spec.set_real_inputs(true);
  v1::BernoulliUnits& units = *group->mutable_bernoulli_units();
  // Those of the outputs, 0 and 2, stand before that of the input.
  *units.mutable_weights() = MakeTensor({5, 1}, Floats{1, 2, 3, 4, -9});
  *units.mutable_bias() = MakeTensor({1}, Floats{0});
  const auto experts = ReadExperts(model, "", 0);
  ASSERT_TRUE(experts.ok()) << experts.status();
  EXPECT_THAT(experts->front().values, ElementsAre(1, 2, -9, 3, 4));
  EXPECT_THAT(ExpertTable(*experts, spec, 0),
              HasSubstr("[1] -9  [2]=1 4  [2]=0 3  [0]=1 2"));
}

TEST(ExpertReadersTest, AMixtureIsItsComponents) {
  const auto experts = ReadExperts(OneMixture(), "", 0);
  ASSERT_TRUE(experts.ok()) << experts.status();
  ASSERT_THAT(*experts, SizeIs(2));
  const Expert& second = (*experts)[1];
  EXPECT_EQ(second.number, 0);
  EXPECT_EQ(second.state, 1);
  EXPECT_THAT(second.strength, DoubleNear(0.75, 1e-6));
  EXPECT_THAT(second.values, ElementsAre(5, 7));
  EXPECT_THAT(second.deviations, ElementsAre(2, 2));
}

TEST(ExpertReadersTest, AHiddenMarkovModelIsItsStatesInTheLongRun) {
  const auto experts = ReadExperts(OneMarkov(), "", 0);
  ASSERT_TRUE(experts.ok()) << experts.status();
  ASSERT_THAT(*experts, SizeIs(2));
  EXPECT_THAT((*experts)[0].strength, DoubleNear(0.75, 1e-6));
  EXPECT_THAT((*experts)[1].strength, DoubleNear(0.25, 1e-6));
  EXPECT_THAT((*experts)[1].values, ElementsAre(5));
  EXPECT_THAT((*experts)[1].deviations, ElementsAre(DoubleNear(2, 1e-6)));
}

TEST(ExpertReadersTest, HiddenStatesOverSymbolsHaveProbabilities) {
  const v1::Model model = OneMarkovOfSymbols();
  const auto experts = ReadExperts(model, "", 0);
  ASSERT_TRUE(experts.ok()) << experts.status();
  EXPECT_THAT((*experts)[0].probabilities, ElementsAre(0.5, 0.5));
  EXPECT_THAT((*experts)[1].probabilities,
              ElementsAre(DoubleNear(0.9, 1e-6), DoubleNear(0.1, 1e-6)));
  EXPECT_EQ(ExpertTable(*experts, model.data_spec(), 0),
            "class  expert  state  share  likely symbols\n"
            "            0      0  0.750  [0]=0 0.500  [0]=1 0.500\n"
            "            0      1  0.250  [0]=0 0.900  [0]=1 0.100\n");
}

TEST(ExpertReadersTest, HiddenStatesSayWhichIsFirstAndWhichIsNext) {
  v1::Model model = OneMarkov();
  v1::HiddenMarkov& markov = *model.mutable_classes(0)
                                  ->mutable_layers(0)
                                  ->mutable_groups(0)
                                  ->mutable_hidden_markov();
  *markov.mutable_initial_logit() =
      MakeTensor({1, 2}, Floats{std::log(4.0F), 0});
  *markov.mutable_transition_logit() =
      MakeTensor({1, 2, 2}, Floats{std::log(3.0F), 0, 0, std::log(9.0F)});
  const auto experts = ReadExperts(model, "", 0);
  ASSERT_TRUE(experts.ok()) << experts.status();
  EXPECT_EQ(TransitionTables(*experts, model.data_spec(), 0),
            "\n"
            "class  expert  state  first  likeliest next\n"
            "            0      0  0.800  0 0.750  1 0.250\n"
            "            0      1  0.200  1 0.900  0 0.100\n");
  const Json json = ExpertJson(experts->back());
  EXPECT_NEAR(json["initial"], 0.2, 1e-6);
  EXPECT_NEAR(json["next"][1], 0.9, 1e-6);
}

TEST(ExpertReadersTest, ALinearSystemIsItsModuliAndSignals) {
  const v1::Model model = OneSystem();
  const auto experts = ReadExperts(model, "", 0);
  ASSERT_TRUE(experts.ok()) << experts.status();
  ASSERT_THAT(*experts, SizeIs(1));
  EXPECT_THAT(experts->front().moduli,
              ElementsAre(DoubleNear(0.5, 1e-6), DoubleNear(0.5, 1e-6)));
  EXPECT_THAT(experts->front().values, ElementsAre(DoubleNear(6, 1e-5)));
  EXPECT_THAT(experts->front().deviations, ElementsAre(DoubleNear(0.5, 1e-6)));
  EXPECT_EQ(ExpertTable(*experts, model.data_spec(), 0),
            "class  expert      modulus  strongest signals (and noise)\n"
            "            0  0.500 0.500  [0] 6 (0.5)\n");
}

TEST(ExpertReadersTest, ALinearSystemHasItsMatrices) {
  v1::Model model = OneSystem();
  *model.mutable_classes(0)
       ->mutable_layers(0)
       ->mutable_groups(0)
       ->mutable_linear_dynamical()
       ->mutable_transition_log_cholesky() =
      MakeTensor({1, 3}, Floats{0, 2, std::log(3.0F)});
  const auto experts = ReadExperts(model, "", 0);
  ASSERT_TRUE(experts.ok()) << experts.status();
  EXPECT_EQ(TransitionTables(*experts, model.data_spec(), 0),
            "\n"
            "class  expert  matrix  latent  greatest entries\n"
            "            0  A            0  [1] -0.5  [0] 0\n"
            "            0  A            1  [0] 0.5  [1] 0\n"
            "            0  Q            0  [1] 2  [0] 1\n"
            "            0  Q            1  [1] 13  [0] 2\n"
            "            0  C            0  [0] 0\n"
            "            0  C            1  [0] 2\n");
  const Json json = ExpertJson(experts->front());
  EXPECT_EQ(json["transition"][0][1], -0.5);
  EXPECT_NEAR(json["transition_noise"][1][1], 13, 1e-5);
  EXPECT_EQ(json["emission"][0][1], 2);
}

TEST(ExpertReadersTest, ExpertsWithoutSequencesHaveNoTransitions) {
  const v1::Model model = OneMixture();
  EXPECT_EQ(TransitionTables(*ReadExperts(model, "", 0), model.data_spec(), 0),
            "");
}

TEST(ExpertReadersTest, ATreeIsItsEdges) {
  const v1::Model model = OneTree();
  const auto experts = ReadExperts(model, "", 0);
  ASSERT_TRUE(experts.ok()) << experts.status();
  ASSERT_THAT(*experts, SizeIs(1));
  EXPECT_EQ(ExpertTable(*experts, model.data_spec(), 0),
            "class  expert  tree  share  strongest edges\n"
            "            0     0  0.500  [1]-[2] -2  [0]-[1] 0.5\n");
  const Json json = ExpertJson(experts->front());
  EXPECT_EQ(json["kind"], "tree");
  EXPECT_EQ(json["edges"][0]["child"], 1);
  EXPECT_EQ(json["edges"][1]["weight"], -2);
}

TEST(ExpertReadersTest, ExpertsOfAllGroupsAreCountedTogether) {
  v1::Model model = OneMixture();
  v1::Product& product = *model.mutable_classes(0)->mutable_layers(0);
  *product.add_groups() = product.groups(0);
  v1::Unigauss& unigauss = *product.add_groups()->mutable_unigauss();
  *unigauss.mutable_mean() = MakeTensor({1, 2}, Floats{0, 0});
  *unigauss.mutable_log_variance() = MakeTensor({1, 1}, Floats{0});
  *unigauss.mutable_mixing_logit() = MakeTensor({1}, Floats{0});
  const auto experts = ReadExperts(model, "", 0);
  ASSERT_TRUE(experts.ok()) << experts.status();
  ASSERT_THAT(*experts, SizeIs(5));
  EXPECT_EQ((*experts)[2].number, 1);
  EXPECT_EQ((*experts)[3].number, 1);
  EXPECT_EQ((*experts)[4].number, 2);
  EXPECT_THAT(ExpertTable(*experts, model.data_spec(), 0),
              HasSubstr("class  expert  component  share  surest"));
}

TEST(ExpertReadersTest, MeansOfImagesMakeAPicture) {
  v1::Model model = OneMixture();
  model.mutable_data_spec()->set_image_height(1);
  model.mutable_data_spec()->set_image_width(2);
  EXPECT_TRUE(
      ExpertPicture(*ReadExperts(model, "", 0), model.data_spec(), 2).ok());
  model = OneTree();
  model.mutable_data_spec()->set_image_height(1);
  model.mutable_data_spec()->set_image_width(3);
  EXPECT_EQ(ExpertPicture(*ReadExperts(model, "", 0), model.data_spec(), 2)
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(ExpertReadersTest, RefusesShapesThatDoNotFit) {
  for (const v1::Model& broken : Broken()) {
    EXPECT_EQ(ReadExperts(broken, "", 0).status().code(),
              absl::StatusCode::kInternal)
        << broken.ShortDebugString();
  }
}

}  // namespace
}  // namespace poe::client
