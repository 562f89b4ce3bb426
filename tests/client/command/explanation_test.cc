#include "client/cpp/command/explanation.h"

#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/score_output.h"
#include "client/cpp/tensor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/io/io_testing.h"

namespace poe::client {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Three experts of two classes: a unit, and a mixture of two components, and
// another unit.
std::vector<Expert> Experts() {
  std::vector<Expert> experts;
  for (const char* name : {"cat", "dog"}) {
    const size_t first = experts.size();
    experts.resize(first + 4);
    experts[first].values = {-1, 2};
    experts[first + 1].state = 0;
    experts[first + 1].values = {0.25, 1};
    experts[first + 2].state = 1;
    experts[first + 2].values = {1, 0};
    experts[first + 3].values = {0, 1};
    for (size_t i = first; i < experts.size(); ++i) {
      experts[i].class_name = name;
      experts[i].number = i == first ? 0 : i == first + 3 ? 2 : 1;
      experts[i].kind =
          experts[i].state < 0 ? ExpertKind::kUnits : ExpertKind::kMixture;
    }
  }
  return experts;
}

// Three rows; the last is out of support. Experts of "dog" say of each row the
// same as those of "cat", plus 100.
v1::ScoreResponse ExplainedResponse() {
  v1::ScoreResponse response;
  response.mutable_model()->set_name("pets");
  response.mutable_model()->set_version(2);
  response.add_class_names("cat");
  response.add_class_names("dog");
  *response.mutable_log_scores() =
      MakeTensor({3, 2, 1}, std::vector<double>(6, 0));
  for (const int label : {0, 1, -1}) response.add_labels(label);
  for (const bool out : {false, false, true}) response.add_out_of_support(out);
  for (const double more : {0, 100}) {
    v1::ExpertScores& experts = *response.add_expert_scores();
    *experts.mutable_log_scores() =
        MakeTensor({3, 3}, std::vector<double>{more, more - 3, more - 7,  //
                                               more + 1, more + 1, more + 2,
                                               kNan, kNan, kNan});
    *experts.mutable_usual_quantiles() =
        MakeTensor({3, 2}, std::vector<double>{more - 1, more + 1,  //
                                               more - 1, more,      //
                                               more - 2, more});
    *experts.mutable_objections() = MakeTensor(
        {3, 3}, std::vector<float>{0.5f, 3, 3.5f, 0, -1, -1, NAN, NAN, NAN});
  }
  return response;
}

TEST(ExplanationTest, TheGreatestObjectionIsNamedFirst) {
  const auto scores = ReadScores(ExplainedResponse());
  ASSERT_TRUE(scores.ok()) << scores.status();
  const std::vector<Expert> experts = Experts();
  const auto explained = Explain(*scores, {}, experts, "", 2);
  ASSERT_TRUE(explained.ok()) << explained.status();
  ASSERT_THAT(*explained, SizeIs(3));
  const Explanation& first = (*explained)[0];
  EXPECT_EQ(first.c, 0);
  ASSERT_THAT(first.objectors, SizeIs(2));
  EXPECT_EQ(first.objectors[0].states.front().number, 2);
  EXPECT_EQ(first.objectors[0].log_score, -7);
  EXPECT_EQ(first.objectors[0].median, 0);
  EXPECT_EQ(first.objectors[0].quartile, -2);
  EXPECT_EQ(first.objectors[0].objection, 3.5);
  EXPECT_EQ(first.objectors[1].states.front().number, 1);
  EXPECT_THAT(first.objectors[1].states, SizeIs(2));
}

TEST(ExplanationTest, WhoIsPleasedOrOutOfSupportIsNotNamed) {
  const auto scores = ReadScores(ExplainedResponse());
  const std::vector<Expert> experts = Experts();
  const auto explained = Explain(*scores, {}, experts, "", 5);
  ASSERT_TRUE(explained.ok()) << explained.status();
  EXPECT_EQ((*explained)[1].c, 1);
  EXPECT_THAT((*explained)[1].objectors, IsEmpty());
  EXPECT_EQ((*explained)[2].c, -1);
  EXPECT_THAT((*explained)[2].objectors, IsEmpty());
}

TEST(ExplanationTest, TheClassAskedForExplainsAllRows) {
  const auto scores = ReadScores(ExplainedResponse());
  const std::vector<Expert> experts = Experts();
  const auto explained = Explain(*scores, {}, experts, "dog", 1);
  ASSERT_TRUE(explained.ok()) << explained.status();
  EXPECT_EQ((*explained)[0].c, 1);
  EXPECT_EQ((*explained)[0].objectors[0].states.front().class_name, "dog");
  EXPECT_EQ((*explained)[0].objectors[0].log_score, 93);
  const absl::Status unknown = Explain(*scores, {}, experts, "cow", 1).status();
  EXPECT_TRUE(IsUsageError(unknown));
  EXPECT_THAT(unknown.message(), HasSubstr("there are cat, dog"));
}

TEST(ExplanationTest, WhatIsUsualOfASequenceGrowsWithItsLength) {
  const auto scores = ReadScores(ExplainedResponse());
  const std::vector<Expert> experts = Experts();
  const auto explained = Explain(*scores, {10, 1, 1}, experts, "dog", 1);
  ASSERT_TRUE(explained.ok()) << explained.status();
  EXPECT_EQ((*explained)[0].objectors[0].median, 1000);
  EXPECT_EQ((*explained)[0].objectors[0].quartile, 980);
}

TEST(ExplanationTest, AModelThatDoesNotKnowWhatIsUsualSaysWhatToDo) {
  v1::ScoreResponse response = ExplainedResponse();
  for (v1::ExpertScores& experts : *response.mutable_expert_scores()) {
    experts.clear_usual_quantiles();
    experts.clear_objections();
  }
  const auto scores = ReadScores(response);
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_THAT(Explain(*scores, {}, Experts(), "", 3),
              IsError(absl::StatusCode::kFailedPrecondition,
                      "pets version 2 does not know what its experts usually "
                      "say; train it again"));
}

TEST(ExplanationTest, WithoutLabelsOneOfSeveralClassesMustBeNamed) {
  v1::ScoreResponse response = ExplainedResponse();
  response.clear_labels();
  const auto scores = ReadScores(response);
  const std::vector<Expert> experts = Experts();
  EXPECT_THAT(Explain(*scores, {}, experts, "", 3),
              IsError(absl::StatusCode::kFailedPrecondition, "--class"));
  EXPECT_TRUE(Explain(*scores, {}, experts, "cat", 3).ok());
}

TEST(ExplanationTest, ScoresOfOtherExpertsAreRefused) {
  const auto scores = ReadScores(ExplainedResponse());
  std::vector<Expert> experts = Experts();
  experts.pop_back();
  EXPECT_THAT(Explain(*scores, {}, experts, "dog", 3),
              IsError(absl::StatusCode::kInternal, "differ"));
  v1::ScoreResponse response = ExplainedResponse();
  response.mutable_expert_scores(1)->mutable_objections()->set_shape(0, 4);
  EXPECT_THAT(ReadScores(response),
              IsError(absl::StatusCode::kInternal, "objections"));
  response = ExplainedResponse();
  *response.mutable_expert_scores(1)->mutable_usual_quantiles() =
      MakeTensor({1, 2}, std::vector<double>{1, 2});
  EXPECT_THAT(ReadScores(response),
              IsError(absl::StatusCode::kInternal, "usual_quantiles"));
}

TEST(ExplanationTest, TheTableHasALineForEachObjector) {
  const auto scores = ReadScores(ExplainedResponse());
  const std::vector<Expert> experts = Experts();
  const auto explained = Explain(*scores, {}, experts, "", 2);
  EXPECT_EQ(ExplanationTable(*explained, scores->class_names, 10, "row"),
            "row  class  expert     kind  log score  median  lower quartile  "
            "objection\n"
            " 10  cat         2    units      -7.00    0.00           -2.00    "
            "   3.50\n"
            " 10  cat         1  mixture      -3.00    0.00           -1.00    "
            "   3.00\n"
            " 11  dog         -        -          -       -               -    "
            "      -\n"
            " 12  -           -        -          -       -               -    "
            "      -\n");
  EXPECT_THAT(ExplanationTable(*explained, {"all"}, 0, "sequence"),
              testing::StartsWith("sequence  expert"));
}

TEST(ExplanationTest, JsonHasThemByRow) {
  const auto scores = ReadScores(ExplainedResponse());
  const std::vector<Expert> experts = Experts();
  const auto explained = Explain(*scores, {}, experts, "", 2);
  Json document = ScoreJson(*scores, {}, 0, 3);
  AddExplanations(*explained, scores->class_names, document);
  const Json& first = document["rows"][0]["explanation"];
  EXPECT_EQ(first["class"], "cat");
  EXPECT_EQ(first["experts"][1], (Json{{"expert", 1},
                                       {"kind", "mixture"},
                                       {"log_score", -3.0},
                                       {"median", 0.0},
                                       {"lower_quartile", -1.0},
                                       {"objection", 3.0}}));
  EXPECT_TRUE(document["rows"][2]["explanation"]["class"].is_null());
  // Of fewer rows than are explained.
  Json short_document = ScoreJson(*scores, {}, 0, 1);
  AddExplanations(*explained, scores->class_names, short_document);
  EXPECT_THAT(short_document["rows"], SizeIs(1));
}

TEST(ExplanationTest, TheFileHasALineForEachObjector) {
  const auto scores = ReadScores(ExplainedResponse());
  const std::vector<Expert> experts = Experts();
  const auto explained = Explain(*scores, {}, experts, "dog", 2);
  const std::string path = FreshPath("why.csv");
  ASSERT_TRUE(WriteExplanations(path, *explained, 10, "row").ok());
  EXPECT_EQ(Contents(path),
            "\"row\",\"class\",\"expert\",\"log_score\",\"median\",\"lower_"
            "quartile\","
            "\"objection\"\n"
            "10,1,2,93,100,98,3.5\n"
            "10,1,1,97,100,99,3\n");
}

// Images of 1 x 2 pixels.
v1::DataSpec ImageSpec() {
  v1::DataSpec spec;
  spec.set_family(v1::FAMILY_BERNOULLI);
  spec.set_dimension(2);
  spec.set_image_height(1);
  spec.set_image_width(2);
  return spec;
}

TEST(ExplanationTest, ThePictureShowsTheImageAndThenItsObjectors) {
  const auto scores = ReadScores(ExplainedResponse());
  const std::vector<Expert> experts = Experts();
  const auto explained = Explain(*scores, {}, experts, "", 3);
  const auto picture =
      ExplanationPicture(*explained, {0, 1, 0, 0, 1, 1}, ImageSpec());
  ASSERT_TRUE(picture.ok()) << picture.status();
  // Every value is 2 x 2 pixels; 2 between images and between lines.
  EXPECT_EQ(picture->width(), 4 * 4 + 3 * 2);
  EXPECT_EQ(picture->height(), 3 * 2 + 2 * 2);
  const auto level = [&](int image, int value, int line = 0) {
    return picture->at(6 * image + 2 * value, 4 * line).red;
  };
  EXPECT_EQ(level(0, 0), 0);
  EXPECT_EQ(level(0, 1), 255);
  EXPECT_EQ(level(1, 0), 128);  // expert 2: weights 0 and 1
  EXPECT_EQ(level(1, 1), 255);
  EXPECT_EQ(level(2, 0), 64);  // expert 1: the component nearest to (0, 1)
  EXPECT_EQ(level(2, 1), 255);
  EXPECT_LT(level(3, 0), 128);  // expert 0: weights -1 and 2
  EXPECT_EQ(level(3, 1), 255);
  EXPECT_EQ(level(0, 0, 1), 0);
  EXPECT_EQ(level(1, 0, 1), 255);  // nobody objects
}

TEST(ExplanationTest, RealImagesAndMeansShareOneScale) {
  const auto scores = ReadScores(ExplainedResponse());
  std::vector<Expert> experts = Experts();
  experts[2].values = {-6, 4};
  const auto explained = Explain(*scores, {}, experts, "", 2);
  v1::DataSpec spec = ImageSpec();
  spec.set_family(v1::FAMILY_GAUSSIAN);
  const auto picture =
      ExplanationPicture({explained->data(), 1}, {-4, 4}, spec);
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->at(0, 0).red, 51);  // -4 in [-6, 4]
  EXPECT_EQ(picture->at(12, 0).red, 0);
  EXPECT_EQ(picture->at(14, 0).red, 255);
}

TEST(ExplanationTest, WhatHasNoPictureIsSaid) {
  const auto scores = ReadScores(ExplainedResponse());
  std::vector<Expert> experts = Experts();
  for (Expert& expert : experts) {
    expert.kind = ExpertKind::kTree;
    expert.values.clear();
  }
  const auto explained = Explain(*scores, {}, experts, "", 2);
  const std::vector<float> images(6, 0);
  EXPECT_THAT(ExplanationPicture(*explained, images, ImageSpec()),
              IsError(absl::StatusCode::kFailedPrecondition,
                      "experts of kind tree have no picture"));
  EXPECT_THAT(ExplanationPicture(*explained, images, {}),
              IsError(absl::StatusCode::kFailedPrecondition, "no images"));
}

}  // namespace
}  // namespace poe::client
