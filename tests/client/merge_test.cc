#include "client/cpp/merge.h"

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "client/cpp/tensor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::client {
namespace {

using ::testing::ElementsAre;

v1::ScoreResponse Part(const std::vector<double>& scores) {
  v1::ScoreResponse part;
  part.mutable_model()->set_version(3);
  *part.mutable_log_scores() =
      MakeTensor({static_cast<int64_t>(scores.size()), 1, 1}, scores);
  return part;
}

TEST(MergeTest, RowsFollowEachOther) {
  v1::ScoreResponse first = Part({1, 2});
  first.add_labels(0);
  first.add_labels(-1);
  v1::ScoreResponse second = Part({3});
  second.add_labels(0);
  v1::ScoreResponse all;
  ASSERT_TRUE(AppendScores(first, all).ok());
  ASSERT_TRUE(AppendScores(second, all).ok());
  EXPECT_EQ(RowCount(all), 3);
  EXPECT_THAT(*TensorDoubles(all.log_scores()), ElementsAre(1, 2, 3));
  EXPECT_THAT(all.labels(), ElementsAre(0, -1, 0));
}

TEST(MergeTest, AbsentSupportMeansThatAllRowsHaveIt) {
  v1::ScoreResponse outside = Part({-1});
  outside.add_out_of_support(true);
  v1::ScoreResponse all;
  ASSERT_TRUE(AppendScores(Part({1, 2}), all).ok());
  ASSERT_TRUE(AppendScores(outside, all).ok());
  ASSERT_TRUE(AppendScores(Part({4}), all).ok());
  EXPECT_THAT(all.out_of_support(), ElementsAre(false, false, true, false));
}

TEST(MergeTest, RefusesAnotherVersion) {
  v1::ScoreResponse other = Part({1});
  other.mutable_model()->set_version(4);
  v1::ScoreResponse all = Part({1});
  EXPECT_EQ(AppendScores(other, all).code(), absl::StatusCode::kInternal);
}

TEST(MergeTest, RefusesAnotherShape) {
  v1::ScoreResponse other = Part({1});
  *other.mutable_percentiles() = MakeTensor({1, 1}, std::vector<double>{50});
  v1::ScoreResponse all = Part({1});
  EXPECT_EQ(AppendScores(other, all).code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace poe::client
