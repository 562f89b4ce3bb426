#include "client/cpp/command/scores.h"

#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cpp/command/score_output.h"
#include "client/cpp/tensor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::client {
namespace {

using ::testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Three rows of two classes; the last is out of support.
v1::ScoreResponse Response() {
  v1::ScoreResponse response;
  response.mutable_model()->set_name("pets");
  response.mutable_model()->set_version(2);
  response.add_class_names("cat");
  response.add_class_names("dog");
  *response.mutable_log_scores() = MakeTensor(
      {3, 2, 1}, std::vector<double>{-1, -2, -4, -3, -kInfinity, -kInfinity});
  *response.mutable_percentiles() =
      MakeTensor({3, 2}, std::vector<double>{50, 10, 0, 75.25, 0, 0});
  for (const int label : {0, 1, -1}) response.add_labels(label);
  for (const double margin : {1.5, 0.25, 0.0}) response.add_margins(margin);
  for (const bool out : {false, false, true}) response.add_out_of_support(out);
  return response;
}

TEST(ScoresTest, TheTableHasWhatTheModelKnows) {
  const auto scores = ReadScores(Response());
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_EQ(
      ScoreTable(*scores, {}, 10, 3),
      "row  label           margin  percentile  log score of cat  log score of "
      "dog\n"
      " 10  cat              1.500        50.0             -1.00             "
      "-2.00\n"
      " 11  dog              0.250        75.2             -4.00             "
      "-3.00\n"
      " 12  out of support       -           -              -inf              "
      "-inf\n");
}

TEST(ScoresTest, ASequenceThatIsNotComparedHasNoLabelAndNoPercentile) {
  v1::ScoreResponse response = Response();
  const double none = std::numeric_limits<double>::quiet_NaN();
  response.set_labels(0, -1);
  *response.mutable_percentiles() =
      MakeTensor({3, 2}, std::vector<double>{none, none, 0, 75.25, 0, 0});
  const auto scores = ReadScores(response);
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_THAT(
      ScoreTable(*scores, {}, 0, 1, "sequence"),
      HasSubstr("       0  -           -           -             -1.00"));
}

TEST(ScoresTest, LogProbabilitiesAreShownWhereTheyAreKnown) {
  v1::ScoreResponse response = Response();
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  *response.mutable_log_probabilities() = MakeTensor(
      {3, 2}, std::vector<double>{-1.25, unknown, -2, unknown, -3, -3});
  const auto scores = ReadScores(response);
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_THAT(ScoreTable(*scores, {}, 0, 1), HasSubstr("  log p  "));
  EXPECT_THAT(ScoreTable(*scores, {}, 0, 1), HasSubstr("  -1.25  "));
  EXPECT_THAT(ScoreTable(*scores, {}, 0, 2), testing::Not(HasSubstr("nan")));
  const Json document = ScoreJson(*scores, {}, 0, 2);
  EXPECT_EQ(document["rows"][0]["log_probabilities"][0], -1.25);
  EXPECT_TRUE(document["rows"][0]["log_probabilities"][1].is_null());
}

TEST(ScoresTest, TheTableStopsAtTheLimit) {
  const auto scores = ReadScores(Response());
  const std::string table = ScoreTable(*scores, {0, 0, 0}, 0, 1);
  EXPECT_THAT(table, HasSubstr("row  true  label"));
  EXPECT_THAT(table, HasSubstr("... 2 more"));
  EXPECT_THAT(ScoreTable(*scores, {}, 0, 1, "sequence"),
              testing::StartsWith("sequence  label"));
}

TEST(ScoresTest, TheLeastExpertIsNamed) {
  v1::ScoreResponse response = Response();
  for (int c = 0; c < 2; ++c) {
    *response.add_expert_scores()->mutable_log_scores() = MakeTensor(
        {3, 2}, std::vector<double>{0.5, 0.25, -7, 1, kInfinity, kInfinity});
  }
  const auto scores = ReadScores(response);
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_EQ(LeastExpert(*scores, 0, 0).expert, 1);
  EXPECT_EQ(LeastExpert(*scores, 1, 1).expert, 0);
  EXPECT_EQ(LeastExpert(*scores, 1, 1).log_score, -7);
}

TEST(ScoresTest, ErrorsAreCountedByClass) {
  const auto scores = ReadScores(Response());
  const ErrorCounts errors = CountErrors(*scores, {1, 1, 1});
  EXPECT_EQ(errors.rows, 3);
  EXPECT_EQ(errors.errors, 2);
  EXPECT_EQ(errors.classes[0].rows, 0);
  EXPECT_EQ(errors.classes[1].errors, 2);
  EXPECT_EQ(ErrorTable(errors, scores->class_names),
            "class  rows  errors   rate  most often taken for\n"
            "cat       0       0      -\n"
            "dog       3       2  66.7%  cat (1)\n"
            "\n"
            "2 errors in 3 rows: 66.7%\n");
}

TEST(ScoresTest, JsonHasNullWhereThereIsNoNumber) {
  const auto scores = ReadScores(Response());
  const Json document = ScoreJson(*scores, {}, 0, 3);
  EXPECT_EQ(document["model"]["version"], 2);
  EXPECT_EQ(document["rows"][0]["label"], "cat");
  EXPECT_EQ(document["rows"][1]["log_scores"][1][0], -3);
  EXPECT_TRUE(document["rows"][2]["label"].is_null());
  EXPECT_TRUE(document["rows"][2]["log_scores"][0][0].is_null());
  EXPECT_EQ(document["rows"][2]["out_of_support"], true);
  EXPECT_FALSE(document["rows"][0].contains("probabilities"));
  EXPECT_EQ(document["rows"][1]["row"], 1);
  const Json errors =
      ErrorJson(CountErrors(*scores, {0, 0, 0}), {"cat", "dog"});
  EXPECT_EQ(errors["errors"], 2);
  EXPECT_EQ(errors["per_class"][0]["most_often_taken_for"], "dog");
}

TEST(ScoresTest, JsonOfSequencesNumbersSequences) {
  const Json document =
      ScoreJson(*ReadScores(Response()), {}, 7, 3, "sequence");
  EXPECT_EQ(document["rows"][1]["sequence"], 8);
  EXPECT_FALSE(document["rows"][1].contains("row"));
}

TEST(ScoresTest, RefusesAResponseThatDoesNotFitTogether) {
  v1::ScoreResponse response = Response();
  response.add_labels(0);
  EXPECT_EQ(ReadScores(response).status().code(), absl::StatusCode::kInternal);
  response = Response();
  response.set_labels(0, 2);
  EXPECT_EQ(ReadScores(response).status().code(), absl::StatusCode::kInternal);
  response = Response();
  response.mutable_percentiles()->set_shape(0, 2);
  EXPECT_EQ(ReadScores(response).status().code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace poe::client
