#include "server/spool.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/base/config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/repository_testing.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SpoolTest : public ::testing::Test {
 protected:
  std::unique_ptr<Spool> Create(Index dimension, bool labelled,
                                SpoolLimits limits = {}) {
    auto spool = Spool::Create(
        path(), {.dimension = dimension, .labelled = labelled}, limits);
    EXPECT_TRUE(spool.ok()) << spool.status();
    return *std::move(spool);
  }
  std::string path() const { return folder_ / "job"; }

  TemporaryFolder folder_;
};

TEST_F(SpoolTest, RowsComeBackAsTheyWereAppended) {
  const auto spool = Create(2, true);
  ASSERT_TRUE(spool->Append({1, 2, 3, 4}, {0, 1}, {}).ok());
  ASSERT_TRUE(spool->Append({5, 6}, {1}, {}).ok());
  EXPECT_EQ(spool->rows(), 3);
  const auto rows = spool->Map();
  ASSERT_TRUE(rows.ok()) << rows.status();
  RowMatrix<float> expected(3, 2);
  expected << 1, 2, 3, 4, 5, 6;
  EXPECT_EQ(RowMatrix<float>(rows->values), expected);
  EXPECT_THAT(rows->labels, ElementsAre(0, 1, 1));
  EXPECT_THAT(rows->weights, IsEmpty());
}

TEST_F(SpoolTest, WithoutLabelsThereAreNone) {
  const auto spool = Create(1, false);
  ASSERT_TRUE(spool->Append({1, 2}, {}, {}).ok());
  const auto rows = spool->Map();
  ASSERT_TRUE(rows.ok());
  EXPECT_THAT(rows->labels, IsEmpty());
}

TEST_F(SpoolTest, RowsWithoutAWeightWeighOne) {
  const auto spool = Create(1, false);
  ASSERT_TRUE(spool->Append({1, 2}, {}, {}).ok());
  ASSERT_TRUE(spool->Append({3}, {}, {0.5f}).ok());
  ASSERT_TRUE(spool->Append({4, 5}, {}, {}).ok());
  const auto rows = spool->Map();
  ASSERT_TRUE(rows.ok());
  EXPECT_THAT(rows->weights, ElementsAre(1, 1, 0.5f, 1, 1));
}

TEST_F(SpoolTest, ValuesWithoutAMaskAreObserved) {
  const auto spool = Create(2, false);
  ASSERT_TRUE(spool->Append({1, 2}, {}, {}).ok());
  ASSERT_TRUE(spool->Append({3, 4, 5, 6}, {}, {}, {}, {0, 1, 1, 0}).ok());
  ASSERT_TRUE(spool->Append({7, 8}, {}, {}).ok());
  const auto rows = spool->Map();
  ASSERT_TRUE(rows.ok());
  EXPECT_THAT(rows->observed, ElementsAre(1, 1, 0, 1, 1, 0, 1, 1));
  EXPECT_TRUE(rows->IsComplete(0));
  EXPECT_FALSE(rows->IsComplete(1));
}

TEST_F(SpoolTest, SequencesOfSeveralAppendsFollowEachOther) {
  const auto spool = *Spool::Create(
      path(), {.dimension = 2, .labelled = true, .sequential = true}, {});
  ASSERT_TRUE(spool->Append({1, 2, 3, 4, 5, 6}, {1, 0}, {}, {0, 1, 3}).ok());
  ASSERT_TRUE(spool->Append({7, 8, 9, 10}, {1}, {2.5f}, {0, 2}).ok());
  EXPECT_EQ(spool->rows(), 3);
  const auto rows = spool->Map();
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->size(), 3);
  EXPECT_THAT(rows->starts, ElementsAre(0, 1, 3, 5));
  EXPECT_EQ(rows->values.rows(), 5);
  EXPECT_EQ(rows->values(4, 1), 10);
  EXPECT_THAT(rows->labels, ElementsAre(1, 0, 1));
  EXPECT_THAT(rows->weights, ElementsAre(1, 1, 2.5f));
}

TEST_F(SpoolTest, LimitsCountTheRowsOfSequences) {
  const auto spool = *Spool::Create(
      path(), {.dimension = 1, .labelled = false, .sequential = true},
      {.rows = 4});
  ASSERT_TRUE(spool->Append({1, 2, 3}, {}, {}, {0, 3}).ok());
  EXPECT_EQ(spool->Append({4, 5}, {}, {}, {0, 2}).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(spool->Append({4}, {}, {}, {0, 1}).ok());
  EXPECT_THAT(spool->Map()->starts, ElementsAre(0, 3, 4));
}

TEST_F(SpoolTest, TheFolderGoesWithTheObject) {
  auto spool = Create(1, true);
  EXPECT_TRUE(std::filesystem::exists(path()));
  EXPECT_EQ(Spool::Create(path(), {.dimension = 1, .labelled = true}, {})
                .status()
                .code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(spool->Append({1}, {0}, {}).ok());
  spool.reset();
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(SpoolTest, MoreRowsThanAllowedAreRefusedBeforeTheyAreWritten) {
  const auto spool = Create(2, false, {.rows = 3});
  ASSERT_TRUE(spool->Append({1, 2, 3, 4}, {}, {}).ok());
  const absl::Status refused = spool->Append({5, 6, 7, 8}, {}, {});
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("at most 3"));
  EXPECT_TRUE(spool->Append({5, 6}, {}, {}).ok());
  EXPECT_EQ(spool->rows(), 3);
}

TEST_F(SpoolTest, BytesAreLimitedToo) {
  // A row is two values, a label and a weight at most: 16 bytes.
  const auto spool = Create(2, false, {.bytes = 47});
  EXPECT_TRUE(spool->CheckSize(2).ok());
  EXPECT_EQ(spool->CheckSize(3).code(), absl::StatusCode::kResourceExhausted);
}

// Kilobytes of a field of /proc/self/status.
std::int64_t MemoryOf(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::string name, unit;
  std::int64_t kilobytes = 0;
  while (status >> name) {
    if (name == field + ":" && status >> kilobytes) return kilobytes;
  }
  return -1;
}

TEST_F(SpoolTest, RowsOfSixtyThousandImagesAreNoAnonymousMemory) {
#ifdef ABSL_HAVE_ADDRESS_SANITIZER
  GTEST_SKIP() << "AddressSanitizer's shadow is anonymous memory too";
#endif
  constexpr Index kPixels = 784;
  constexpr std::int64_t kChunk = 1000, kChunks = 60;
  const auto spool = Create(kPixels, true);
  const std::vector<float> values(kChunk * kPixels, 0.25f);
  const std::vector<std::int32_t> labels(kChunk, 1);
  const std::int64_t before = MemoryOf("RssAnon");
  for (std::int64_t c = 0; c < kChunks; ++c) {
    ASSERT_TRUE(spool->Append(values, labels, {}).ok());
  }
  const auto rows = spool->Map();
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows->values.sum(), 0.25f * kPixels * kChunk * kChunks);
  EXPECT_LT(MemoryOf("RssAnon") - before, 8 << 10);
}

}  // namespace
}  // namespace poe::server
