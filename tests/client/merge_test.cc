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

TEST(MergeTest, LogPartitionsAreThoseOfAllLengths) {
  const auto part = [](std::vector<int64_t> lengths) {
    v1::ScoreResponse response = Part({1});
    for (const int64_t length : lengths) {
      response.add_log_partitions()->set_length(length);
      response.add_log_partition_differences()->set_length(length);
    }
    return response;
  };
  v1::ScoreResponse all;
  for (const v1::ScoreResponse& one :
       {part({3, 4}), part({4, 6, 6}), part({3})}) {
    ASSERT_TRUE(AppendScores(one, all).ok());
  }
  std::vector<int64_t> lengths;
  for (const v1::LogPartition& known : all.log_partitions()) {
    lengths.push_back(known.length());
  }
  EXPECT_THAT(lengths, ElementsAre(3, 4, 6, 6));
  EXPECT_EQ(all.log_partition_differences_size(), 4);
}

TEST(MergeTest, ObjectionsFollowEachOtherAndWhatIsUsualStays) {
  const auto part = [](double objection) {
    v1::ScoreResponse response = Part({1});
    v1::ExpertScores& experts = *response.add_expert_scores();
    *experts.mutable_log_scores() =
        MakeTensor({1, 2}, std::vector<double>{0, 0});
    *experts.mutable_usual_quantiles() =
        MakeTensor({2, 2}, std::vector<double>{1, 2, 3, 4});
    *experts.mutable_objections() =
        MakeTensor({1, 2}, std::vector<double>{objection, 0});
    return response;
  };
  v1::ScoreResponse all;
  ASSERT_TRUE(AppendScores(part(5), all).ok());
  ASSERT_TRUE(AppendScores(part(6), all).ok());
  EXPECT_THAT(*TensorDoubles(all.expert_scores(0).objections()),
              ElementsAre(5, 0, 6, 0));
  EXPECT_THAT(*TensorDoubles(all.expert_scores(0).usual_quantiles()),
              ElementsAre(1, 2, 3, 4));
  v1::ScoreResponse without = part(7);
  without.mutable_expert_scores(0)->clear_objections();
  EXPECT_EQ(AppendScores(without, all).code(), absl::StatusCode::kInternal);
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
