#include "client/cpp/command/experts.h"

#include <vector>

#include "absl/status/status.h"
#include "client/cpp/tensor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::client {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::SizeIs;

v1::Model Units() {
  v1::Model model;
  model.mutable_data_spec()->set_dimension(3);
  for (const char* name : {"cat", "dog"}) {
    v1::ClassModel& c = *model.add_classes();
    c.set_name(name);
    v1::BernoulliUnits& units =
        *c.add_layers()->add_groups()->mutable_bernoulli_units();
    *units.mutable_weights() =
        MakeTensor({3, 2}, std::vector<float>{1, 2, 3, 4, 5, 6});
    *units.mutable_bias() = MakeTensor({2}, std::vector<float>{-1, 0.5});
  }
  return model;
}

v1::Model OneUnigauss() {
  v1::Model model;
  v1::DataSpec& spec = *model.mutable_data_spec();
  spec.set_dimension(2);
  for (const double shift : {10, 20}) {
    spec.mutable_preprocessing()->add_shift(shift);
    spec.mutable_preprocessing()->add_scale(shift / 5);
  }
  v1::Unigauss& unigauss =
      *model.add_classes()->add_layers()->add_groups()->mutable_unigauss();
  *unigauss.mutable_mean() = MakeTensor({1, 2}, std::vector<float>{0, -1});
  *unigauss.mutable_log_variance() = MakeTensor({1, 1}, std::vector<float>{0});
  *unigauss.mutable_mixing_logit() = MakeTensor({1}, std::vector<float>{0});
  return model;
}

TEST(ExpertsTest, AUnitIsAColumnOfTheWeights) {
  const auto experts = ReadExperts(Units(), "", 0);
  ASSERT_TRUE(experts.ok()) << experts.status();
  ASSERT_THAT(*experts, SizeIs(4));
  EXPECT_EQ((*experts)[1].class_name, "cat");
  EXPECT_EQ((*experts)[1].number, 1);
  EXPECT_EQ((*experts)[1].strength, 0.5);
  EXPECT_THAT((*experts)[1].values, ElementsAre(2, 4, 6));
  EXPECT_EQ((*experts)[2].class_name, "dog");
  EXPECT_EQ((*experts)[2].number, 0);
}

TEST(ExpertsTest, ALayerSeesTheLatentsOfTheLayerBelow) {
  v1::Model model;
  model.mutable_data_spec()->set_dimension(3);
  v1::ClassModel& c = *model.add_classes();
  v1::Product& below = *c.add_layers();
  *below.add_groups()->mutable_unigauss()->mutable_mixing_logit() =
      MakeTensor({1}, std::vector<float>{0});
  *below.add_groups()->mutable_gaussian_mixture()->mutable_mixing_logit() =
      MakeTensor({1, 2}, std::vector<float>{0, 0});
  *below.add_groups()->mutable_gaussian_tree()->mutable_weight() =
      MakeTensor({1, 2, 3}, std::vector<float>(6, 0));
  v1::BernoulliUnits& units =
      *c.add_layers()->add_groups()->mutable_bernoulli_units();
  *units.mutable_weights() =
      MakeTensor({5, 1}, std::vector<float>{1, 2, 3, 4, 5});
  *units.mutable_bias() = MakeTensor({1}, std::vector<float>{-1});
  const auto experts = ReadExperts(model, "", 1);
  ASSERT_TRUE(experts.ok()) << experts.status();
  ASSERT_THAT(*experts, SizeIs(1));
  EXPECT_THAT(experts->front().values, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(ReadExperts(model, "", 2).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(ExpertsTest, OneClassIsChosenByName) {
  EXPECT_THAT(*ReadExperts(Units(), "dog", 0), SizeIs(2));
  EXPECT_EQ(ReadExperts(Units(), "cow", 0).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadExperts(Units(), "dog", 1).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(ExpertsTest, CoordinatesThatAGroupDoesNotSeeHaveNoWeight) {
  v1::Model model = Units();
  v1::ExpertGroup& group =
      *model.mutable_classes(0)->mutable_layers(0)->mutable_groups(0);
  *group.mutable_bernoulli_units()->mutable_weights() =
      MakeTensor({2, 2}, std::vector<float>{1, 2, 3, 4});
  group.add_coordinates(0);
  group.add_coordinates(2);
  const auto experts = ReadExperts(model, "cat", 0);
  ASSERT_TRUE(experts.ok()) << experts.status();
  EXPECT_THAT((*experts)[0].values, ElementsAre(1, 0, 3));
}

TEST(ExpertsTest, AGaussianIsInTheUnitsOfTheData) {
  const auto experts = ReadExperts(OneUnigauss(), "", 0);
  ASSERT_TRUE(experts.ok()) << experts.status();
  ASSERT_THAT(*experts, SizeIs(1));
  EXPECT_EQ(experts->front().kind, ExpertKind::kUnigauss);
  EXPECT_THAT(experts->front().strength, DoubleNear(0.5, 1e-12));
  EXPECT_THAT(experts->front().values, ElementsAre(10, 16));
  EXPECT_THAT(experts->front().deviations, ElementsAre(2, 4));
}

TEST(ExpertsTest, RefusesWhatItCannotRead) {
  v1::Model model = Units();
  model.mutable_data_spec()->set_dimension(4);
  EXPECT_EQ(ReadExperts(model, "", 0).status().code(),
            absl::StatusCode::kInternal);
  model = Units();
  model.mutable_classes(0)->mutable_layers(0)->mutable_groups(0)->clear_kind();
  EXPECT_EQ(ReadExperts(model, "", 0).status().code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace poe::client
