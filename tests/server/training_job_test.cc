// A job by itself: data that are sequences, and how it ends.
#include "server/training_job.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/v1/job_record.pb.h"
#include "server/errors.h"
#include "tests/server/repository_testing.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SequenceJobTest : public ::testing::Test {
 protected:
  SequenceJobTest() {
    TrainingSettings settings;
    settings.class_names = {"a", "b"};
    settings.data_spec.family = Family::kBernoulli;
    settings.data_spec.dimension = 1;
    settings.data_spec.sequential = true;
    job_ = std::make_unique<TrainingJob>(
        1, "jobs/1", v1::TrainStart(), settings,
        *Spool::Create(folder_ / "job",
                       {.dimension = 1, .labelled = true, .sequential = true},
                       {}),
        JobFiles::Of(folder_.path().string(), "job"));
  }

  static v1::TrainChunk Chunk(std::int64_t offset,
                              const std::vector<std::int64_t>& lengths,
                              const std::vector<std::int32_t>& labels) {
    v1::TrainChunk chunk;
    chunk.set_row_offset(offset);
    v1::Sequences& sequences =
        *chunk.mutable_observations()->mutable_sequences();
    std::int64_t rows = 0;
    for (const std::int64_t length : lengths) {
      sequences.add_lengths(length);
      rows += length;
    }
    sequences.mutable_values()->add_shape(rows);
    sequences.mutable_values()->add_shape(1);
    sequences.mutable_values()->mutable_values()->Resize(static_cast<int>(rows),
                                                         1);
    chunk.mutable_labels()->Assign(labels.begin(), labels.end());
    return chunk;
  }

  TemporaryFolder folder_;
  std::unique_ptr<TrainingJob> job_;
};

TEST_F(SequenceJobTest, OffsetsAndLabelsCountSequences) {
  EXPECT_EQ(*job_->Append(Chunk(0, {2, 3}, {0, 1})), 2);
  EXPECT_EQ(*job_->Append(Chunk(2, {1}, {1})), 3);
  EXPECT_EQ(job_->Snapshot().rows(), 3);
  const absl::StatusOr<TrainingRows> rows = job_->MapRows();
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(rows->starts, ElementsAre(0, 2, 5, 6));
  EXPECT_THAT(rows->labels, ElementsAre(0, 1, 1));
}

TEST_F(SequenceJobTest, BadSequencesAreNamedAndNothingIsKept) {
  const auto refused = [this](const v1::TrainChunk& chunk) {
    const absl::Status status = job_->Append(chunk).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(job_->Snapshot().rows(), 0);
    return std::string(status.message());
  };
  EXPECT_THAT(refused(Chunk(0, {2, 3}, {0, 1, 1, 0, 0})),
              HasSubstr("labels has 5 elements; must have 2"));
  v1::TrainChunk chunk = Chunk(0, {2, 3}, {0, 1});
  chunk.mutable_observations()->mutable_sequences()->set_lengths(1, 2);
  EXPECT_THAT(refused(chunk),
              HasSubstr("chunk.observations.sequences.lengths have a sum of "
                        "4; must be 5"));
  chunk = Chunk(0, {2, 3}, {0, 1});
  chunk.mutable_observations()
      ->mutable_sequences()
      ->mutable_values()
      ->set_values(4, 2);
  EXPECT_THAT(refused(chunk), HasSubstr("sequences.values[4][0] is 2"));
  EXPECT_EQ(job_->Append(Chunk(5, {1}, {0})).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST_F(SequenceJobTest, OneThatWasCancelledIsNeitherPutOffNorSuspended) {
  ASSERT_TRUE(job_->Append(Chunk(0, {2, 3}, {0, 1})).ok());
  ASSERT_TRUE(job_->CloseData().ok());
  ASSERT_TRUE(job_->BeginRunning());
  job_->Cancel("no longer wanted");
  // The server is told to end before the job has noticed.
  job_->Suspend();
  EXPECT_FALSE(job_->HasEnded());
  const absl::Status why = job_->PutOff(absl::InternalError("a bad disk"));
  EXPECT_EQ(why, absl::CancelledError("no longer wanted"));
  EXPECT_EQ(job_->state(), v1::Job::STATE_RUNNING);
  job_->End(why);
  EXPECT_EQ(job_->state(), v1::Job::STATE_CANCELLED);
  v1::JobRecord record;
  ASSERT_TRUE(record.ParseFromString(ReadWholeFile(job_->files().record)));
  EXPECT_EQ(record.job().state(), v1::Job::STATE_CANCELLED);
}

}  // namespace
}  // namespace poe::server
