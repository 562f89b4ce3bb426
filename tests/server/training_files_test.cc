#include "server/training_files.h"

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/io/npy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/errors.h"
#include "server/steady_time.h"
#include "server/training_jobs.h"
#include "tests/server/repository_testing.h"
#include "tests/server/training_testing.h"

namespace poe::server {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kRows = 20;

class TrainingFilesTest : public ::testing::Test {
 protected:
  TrainingFilesTest() {
    std::filesystem::create_directories(folder_ / "data/days");
    repository_ = *ModelRepository::Open(folder_ / "models");
    TrainingJobsOptions options;
    options.data_directory = folder_ / "data";
    Reopen(std::move(options));
    Store("rows.csv", CsvRows(kRows));
    Store("labels.csv", CsvLabels(kRows));
  }

  void Reopen(TrainingJobsOptions options) {
    jobs_.reset();
    jobs_ = *TrainingJobs::Open(repository_.get(), std::move(options));
  }

  std::string Path(absl::string_view name) const {
    return folder_ / absl::StrCat("data/", name);
  }
  void Store(absl::string_view name, absl::string_view contents) const {
    WriteWholeFile(Path(name), contents);
  }

  static v1::TrainStart FileStart(absl::string_view model,
                                  absl::string_view data,
                                  absl::string_view labels = "labels.csv") {
    v1::TrainStart start = QuickStart(model);
    start.set_data_file(std::string(data));
    start.set_label_file(std::string(labels));
    return start;
  }

  std::shared_ptr<TrainingJob> Start(const v1::TrainStart& start) {
    const auto started = jobs_->Start(start);
    EXPECT_TRUE(started.ok()) << started.status();
    return started->job;
  }

  // The job when it has ended.
  std::shared_ptr<TrainingJob> Run(const v1::TrainStart& start) {
    std::shared_ptr<TrainingJob> job = Start(start);
    EXPECT_EQ(jobs_->ReadData(job), absl::OkStatus());
    WaitForEnd(*job);
    return job;
  }

  // The stored model of a job that has ended well, but for its record.
  std::string Bytes(const TrainingJob& job) {
    EXPECT_EQ(job.state(), v1::Job::STATE_SUCCEEDED) << job.Failure();
    EXPECT_EQ(job.Snapshot().rows(), kRows);
    auto model = repository_->Read(job.start().model_name(), 1);
    EXPECT_TRUE(model.ok()) << model.status();
    if (!model.ok()) return "";
    model->clear_training();
    return model->SerializeAsString();
  }

  // That of a job with this chunk.
  std::string BytesOf(const v1::TrainChunk& chunk) {
    const auto job = Start(QuickStart("chunks"));
    EXPECT_TRUE(job->Append(chunk).ok());
    EXPECT_TRUE(jobs_->CloseData(job).ok());
    WaitForEnd(*job);
    return Bytes(*job);
  }

  TemporaryFolder folder_;
  std::unique_ptr<ModelRepository> repository_;
  std::unique_ptr<TrainingJobs> jobs_;
};

TEST_F(TrainingFilesTest, FilesMakeTheModelOfTheSameRowsInChunks) {
  const v1::TrainChunk chunk = Chunk(0, kRows);
  const auto& dense = chunk.observations().dense().values();
  const std::vector<float> values(dense.begin(), dense.end());
  const std::vector<std::int64_t> labels(chunk.labels().begin(),
                                         chunk.labels().end());
  std::string idx("\0\0\x08\x03\0\0\0\x14\0\0\0\x02\0\0\0\x02", 16);
  for (const float value : values) {
    idx.push_back(value == 0 ? '\0' : '\xff');
  }
  Store("days/rows.idx", idx);
  ASSERT_TRUE(WriteNpy(Path("rows.npy"), {kRows, kDimension}, values).ok());
  ASSERT_TRUE(WriteNpy(Path("labels.npy"), {kRows}, labels).ok());
  const std::string expected = BytesOf(chunk);
  EXPECT_EQ(Bytes(*Run(FileStart("text", "rows.csv"))), expected);
  EXPECT_EQ(Bytes(*Run(FileStart("bytes", "days/rows.idx"))), expected);
  EXPECT_EQ(Bytes(*Run(FileStart("floats", "rows.npy", "labels.npy"))),
            expected);
}

TEST_F(TrainingFilesTest, AnEmptyCellIsAMissingValue) {
  v1::TrainChunk chunk = Chunk(0, kRows);
  std::string mask(kRows * kDimension, 1);
  mask[0] = 0;
  chunk.mutable_observations()->set_mask(mask);
  const std::string whole = CsvRows(kRows);
  // Row 0 is 1,1,0,0.
  Store("rows.csv", whole.substr(1));
  EXPECT_EQ(Bytes(*Run(FileStart("text", "rows.csv"))), BytesOf(chunk));
}

TEST_F(TrainingFilesTest, FilesOfSeveralPiecesAreReadWhole) {
  // Of over 2^18 values each.
  constexpr std::int64_t kMany = 70'000;
  Store("rows.csv", CsvRows(kMany));
  Store("labels.csv", CsvLabels(kMany));
  const auto job = Start(FileStart("many", "rows.csv"));
  const auto sender = job->BeginReading();
  ASSERT_TRUE(sender.ok()) << sender.status();
  EXPECT_EQ(AppendFiles(folder_ / "data", *sender, *job), absl::OkStatus());
  EXPECT_EQ(job->Snapshot().rows(), kMany);
  EXPECT_EQ(job->CloseData(), absl::OkStatus());
}

TEST_F(TrainingFilesTest, NamesThatLeaveTheFolderAreRefused) {
  for (const absl::string_view name :
       {"/etc/passwd", "../models/x", "days/../../x", "days//rows.csv", "."}) {
    SCOPED_TRACE(name);
    for (const v1::TrainStart& start :
         {FileStart("sides", name), FileStart("sides", "rows.csv", name)}) {
      const absl::Status status = jobs_->Start(start).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(ReasonOf(status), "INVALID_NAME");
    }
  }
}

TEST_F(TrainingFilesTest, LinksAreNotFollowed) {
  WriteWholeFile(folder_ / "secret.csv", CsvRows(kRows));
  ASSERT_EQ(symlink("../secret.csv", Path("out.csv").c_str()), 0);
  ASSERT_EQ(symlink("..", Path("up").c_str()), 0);
  for (const char* name : {"out.csv", "up/secret.csv"}) {
    SCOPED_TRACE(name);
    const auto job = Run(FileStart("sides", name));
    EXPECT_EQ(job->state(), v1::Job::STATE_FAILED);
    EXPECT_EQ(job->Failure().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(job->Failure().message()),
                HasSubstr("is a link, which is not followed"));
  }
}

TEST_F(TrainingFilesTest, WithoutAFolderOfDataFilesAreRefused) {
  Reopen(TrainingJobsOptions());
  const absl::Status status =
      jobs_->Start(FileStart("sides", "rows.csv")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), "NO_DATA_DIRECTORY");
}

TEST_F(TrainingFilesTest, AFileThatIsNotThereIsNotFound) {
  const auto job = Run(FileStart("sides", "rows.csv", "nothing.csv"));
  EXPECT_EQ(job->Failure().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(job->Failure().message()),
              HasSubstr("label_file: cannot read nothing.csv"));
}

TEST_F(TrainingFilesTest, AFolderIsABadFile) {
  for (const auto& [start, text] :
       {std::pair(FileStart("sides", "days"),
                  "data_file cannot be read: days is not a regular file"),
        std::pair(FileStart("sides", "rows.csv", "days"),
                  "label_file cannot be read: days is not a regular file")}) {
    SCOPED_TRACE(text);
    const auto job = Run(start);
    EXPECT_EQ(job->state(), v1::Job::STATE_FAILED);
    EXPECT_EQ(job->Failure().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ReasonOf(job->Failure()), "BAD_DATA_FILE");
    EXPECT_EQ(job->Failure().message(), text);
  }
}

TEST_F(TrainingFilesTest, BadFilesAreNamedWithTheirRow) {
  const struct {
    std::string rows;
    std::string labels;
    const char* text;
  } cases[] = {
      {"1,0,0\n", "0\n", "\"rows.csv\" has 3 values in a row"},
      {"1,1,0,0\n0,0,2,1\n", "0\n1\n",
       "data_file \"rows.csv\": chunk at row 0: "
       "chunk.observations.dense[1][2] is 2"},
      {"1,1,0,0\n0,x,1,1\n", "0\n1\n",
       "data_file cannot be read: rows.csv: line 2, column 2: 'x'"},
      {"1,1,0,0\n0,\xff,1,1\n", "0\n1\n", "line 2, column 2: \\'\\377\\'"},
      {"1,1,0,0\n0,0,1,1\n", "0\n", "label_file ends after 1 labels"},
      {"1,1,0,0\n0,0,1,1\n", "0\n1\n0\n",
       "label_file has more labels than the 2 rows of data_file"},
      {"1,1,0,0\n0,0,1,1\n", "0\n2\n",
       "label_file has 2 in row 1, counted from 0; must be an index into the 2 "
       "class_names, 0 to 1"},
      {"1,1,0,0\n0,0,1,1\n", "0\n0.5\n", "label_file has 0.5 in row 1"},
      {"1,1,0,0\n0,0,1,1\n", "0\n\n1", "label_file has nan in row 1"},
      {"1,1,0,0\n0,0,1,1\n", "0,1\n", "\"labels.csv\" has 2 values in a row"},
      {"a,b,c,d\n", "label\n", "data_file \"rows.csv\" has no rows"},
      {"", "0\n", "data_file cannot be read: rows.csv: is empty"},
  };
  for (const auto& [rows, labels, text] : cases) {
    SCOPED_TRACE(text);
    Store("rows.csv", rows);
    Store("labels.csv", labels);
    const auto job = Run(FileStart("sides", "rows.csv"));
    EXPECT_EQ(job->state(), v1::Job::STATE_FAILED);
    EXPECT_EQ(job->Failure().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(job->Failure().message()), HasSubstr(text));
  }
}

TEST_F(TrainingFilesTest, RowsOfFilesAreLimitedLikeThoseOfChunks) {
  TrainingJobsOptions options;
  options.data_directory = folder_ / "data";
  options.spool.rows = kRows - 1;
  Reopen(std::move(options));
  const auto job = Run(FileStart("sides", "rows.csv"));
  EXPECT_EQ(job->Failure().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(job->Failure()), "TOO_MANY_ROWS");
}

TEST_F(TrainingFilesTest, AJobThatReadsHasNoOtherSender) {
  v1::TrainStart start = FileStart("sides", "rows.csv");
  start.set_request_id("abc");
  const auto job = Start(start);
  const auto sender = job->BeginReading();
  ASSERT_TRUE(sender.ok()) << sender.status();
  job->Leave();
  EXPECT_EQ(job->left_at(), SteadyTime::max());
  EXPECT_FALSE(job->Attach().has_value());
  EXPECT_EQ(job->Append(Chunk(0, 2)).status().code(),
            absl::StatusCode::kAborted);
  EXPECT_TRUE(job->Append(Chunk(0, 2), *sender).ok());
  // Nor does it begin anew.
  EXPECT_EQ(*job->BeginReading(), 0);
  EXPECT_TRUE(job->Append(Chunk(2, 2), *sender).ok());
  const auto again = jobs_->Start(start);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->job, job);
}

TEST_F(TrainingFilesTest, ACancelledJobReadsNothing) {
  const auto job = Start(FileStart("sides", "rows.csv"));
  job->Cancel("enough");
  EXPECT_EQ(jobs_->ReadData(job).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(job->state(), v1::Job::STATE_CANCELLED);
}

}  // namespace
}  // namespace poe::server
