#include "core/io/data_file.h"

#include <zlib.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/io/io_testing.h"

namespace poe {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

constexpr absl::string_view kBytesIdx("\0\0\x08\x01\0\0\0\x03\x01\x02\x03", 11);

void StoreGzipped(const std::string& path, absl::string_view bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())),
            static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
}

TEST(DataFileTest, CountsRowsAndColumns) {
  DataFile file;
  EXPECT_EQ(file.rows(), 0);
  file.shape = {5};
  EXPECT_EQ(file.rows(), 5);
  EXPECT_EQ(file.columns(), 1);
  file.shape = {5, 28, 27};
  EXPECT_EQ(file.rows(), 5);
  EXPECT_EQ(file.columns(), 28 * 27);
  file.shape = {5, 0};
  EXPECT_EQ(file.columns(), 0);
}

TEST(DataFileTest, KnowsIdxByItsFirstBytesWhateverItsName) {
  for (const char* name : {"labels-idx1-ubyte", "labels", "labels.csv"}) {
    const std::string path = FreshPath(name);
    Store(path, kBytesIdx);
    const auto file = ReadDataFile(path);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_THAT(ValuesOf<uint8_t>(*file), ElementsAre(1, 2, 3));
  }
}

TEST(DataFileTest, ReadsGzippedFilesOfEachFormat) {
  const std::string idx = FreshPath("labels.gz");
  StoreGzipped(idx, kBytesIdx);
  auto file = ReadDataFile(idx);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(ValuesOf<uint8_t>(*file), ElementsAre(1, 2, 3));

  const std::string csv = FreshPath("table.csv.gz");
  StoreGzipped(csv, "a,b\n1,2\n");
  file = ReadDataFile(csv);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->column_names, ElementsAre("a", "b"));

  const std::string npy = FreshPath("array.npy.gz");
  StoreGzipped(npy,
               absl::string_view("\x93NUMPY\x01\0\x37\0{'descr': '|u1', "
                                 "'fortran_order': False, 'shape': (1,)}\x07",
                                 66));
  file = ReadDataFile(npy);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(ValuesOf<uint8_t>(*file), ElementsAre(7));
}

TEST(DataFileTest, ReadsFilesOfManyChunks) {
  constexpr uint32_t kRows = 2'500'001;
  std::string bytes("\0\0\x08\x01", 4);
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(kRows >> shift & 0xff));
  }
  bytes.append(kRows, '\x2a');
  const std::string path = FreshPath("many.gz");
  StoreGzipped(path, bytes);
  const auto file = ReadDataFile(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->rows(), kRows);
  EXPECT_THAT(ValuesOf<uint8_t>(*file), Each(0x2a));
}

TEST(DataFileTest, ErrorsInContentNameThePath) {
  const std::string path = FreshPath("table.csv");
  Store(path, "1,2\n3,x\n");
  EXPECT_THAT(ReadDataFile(path),
              IsInvalid(absl::StrCat(path, ": line 2, column 2: 'x' is not")));
}

TEST(DataFileTest, TheNameDecidesWhatABrokenFileShouldHaveBeen) {
  for (const char* name : {"x.npy", "x.NPY.gz"}) {
    const std::string path = FreshPath(name);
    Store(path, "1,2\n");
    EXPECT_THAT(ReadDataFile(path),
                IsInvalid(absl::StrCat(path, ": is not an NPY file")));
  }
  for (const char* name : {"x.idx", "x-idx3-ubyte.gz"}) {
    const std::string path = FreshPath(name);
    Store(path, "1,2\n");
    EXPECT_THAT(ReadDataFile(path),
                IsInvalid(absl::StrCat(path, ": is not an IDX file")));
  }
}

TEST(DataFileTest, RefusesOtherBinaryAndEmptyFiles) {
  const std::string archive = FreshPath("data.npz");
  Store(archive, absl::string_view("PK\x03\x04\0\0", 6));
  EXPECT_THAT(ReadDataFile(archive),
              IsInvalid(absl::StrCat(
                  archive, ": is not IDX, NPY or CSV, plain or gzipped")));
  const std::string empty = FreshPath("empty.csv");
  Store(empty, "");
  EXPECT_THAT(ReadDataFile(empty),
              IsInvalid(absl::StrCat(empty, ": is empty")));
}

TEST(DataFileTest, SaysThatAFileIsNotThere) {
  EXPECT_THAT(
      ReadDataFile("/nowhere/x.npy"),
      IsError(absl::StatusCode::kNotFound, "cannot open /nowhere/x.npy"));
}

TEST(DataFileTest, SaysThatAFolderIsNoFile) {
  const auto file = ReadDataFile(testing::TempDir());
  ASSERT_FALSE(file.ok());
  EXPECT_THAT(
      file.status().message(),
      testing::HasSubstr(absl::StrCat("cannot read ", testing::TempDir())));
}

TEST(DataFileTest, TruncatedAndDamagedGzipIsDataLoss) {
  const std::string path = FreshPath("labels.gz");
  StoreGzipped(path, kBytesIdx);
  const std::string whole = Contents(path);
  for (size_t length = 11; length < whole.size(); ++length) {
    Store(path, whole.substr(0, length));
    EXPECT_THAT(ReadDataFile(path),
                IsError(absl::StatusCode::kDataLoss,
                        absl::StrCat(path, ": the gzip stream is truncated")))
        << length;
  }
  std::string damaged = whole;
  damaged[damaged.size() - 6] ^= 1;  // In the checksum.
  Store(path, damaged);
  EXPECT_THAT(ReadDataFile(path),
              IsError(absl::StatusCode::kDataLoss, "incorrect data check"));
}

}  // namespace
}  // namespace poe
