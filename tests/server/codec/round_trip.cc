#include "tests/server/codec/round_trip.h"

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "poe/scoring.h"
#include "poe/training.h"
#include "server/codec/model_codec.h"
#include "tests/server/codec/test_models.h"

namespace poe::server {
namespace {

constexpr Index kFrames = 9;

template <typename Matrix>
bool SameBits(const Matrix& a, const Matrix& b) {
  return a.size() == b.size() &&
         (a.size() == 0 ||
          std::memcmp(a.data(), b.data(), a.size() * sizeof(*a.data())) == 0);
}

void ExpectSameScores(const Model& model, const Model& loaded) {
  const RowMatrix<float> values = DrawRawRows(model.data_spec, kFrames);
  const std::vector<Index> starts = {0, 1, 3, 6, kFrames};
  RawRows rows;
  new (&rows.values)
      Eigen::Map<const RowMatrix<float>>(values.data(), kFrames, values.cols());
  if (model.data_spec.sequential) rows.starts = starts;
  const ScoreOptions options = {.per_expert = true};
  const absl::StatusOr<Scores> before =
      Score(model, rows, options, Workers::Inline(), NeverInterrupt);
  const absl::StatusOr<Scores> after =
      Score(loaded, rows, options, Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_GT(before->log_scores.maxCoeff(),
            -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(SameBits(before->log_scores, after->log_scores));
  EXPECT_TRUE(SameBits(before->log_probabilities, after->log_probabilities));
  EXPECT_EQ(before->labels, after->labels);
  EXPECT_TRUE(SameBits(before->margins, after->margins));
  EXPECT_TRUE(SameBits(before->probabilities, after->probabilities));
  EXPECT_TRUE(SameBits(before->percentiles, after->percentiles));
  ASSERT_EQ(before->expert_log_scores.size(), after->expert_log_scores.size());
  for (std::size_t c = 0; c < before->expert_log_scores.size(); ++c)
    EXPECT_TRUE(
        SameBits(before->expert_log_scores[c], after->expert_log_scores[c]));
  ASSERT_EQ(before->objections.size(), after->objections.size());
  for (std::size_t c = 0; c < before->objections.size(); ++c)
    EXPECT_TRUE(SameBits(before->objections[c], after->objections[c]));
}

}  // namespace

void ExpectRoundTrip(const Model& model) {
  const std::string stored = EncodeModel(model).SerializeAsString();
  v1::Model message;
  ASSERT_TRUE(message.ParseFromString(stored));
  const absl::StatusOr<Model> loaded = DecodeModel(message);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(EncodeModel(*loaded).SerializeAsString(), stored);
  ExpectSameScores(model, *loaded);
}

}  // namespace poe::server
