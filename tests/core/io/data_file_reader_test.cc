#include "core/io/data_file_reader.h"

#include <fcntl.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/io/data_file.h"
#include "core/io/npy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/io/io_testing.h"

namespace poe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsNan;

constexpr absl::string_view kIdx(
    "\0\0\x08\x02\0\0\0\x05\0\0\0\x02\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a",
    22);

absl::StatusOr<DataFileReader> OpenPieces(const std::string& path) {
  return DataFileReader::Open(open(path.c_str(), O_RDONLY | O_CLOEXEC), path);
}

// All pieces of a file laid end to end, the first error otherwise.
absl::StatusOr<DataFile> ReadPieces(const std::string& path,
                                    std::int64_t rows) {
  absl::StatusOr<DataFileReader> reader = OpenPieces(path);
  if (!reader.ok()) return reader.status();
  absl::StatusOr<DataFile> whole = reader->Read(rows);
  if (!whole.ok()) return whole.status();
  EXPECT_EQ(whole->columns(), reader->columns());
  while (true) {
    const absl::StatusOr<DataFile> piece = reader->Read(rows);
    if (!piece.ok()) return piece.status();
    if (piece->rows() == 0) return whole;
    EXPECT_LE(piece->rows(), rows);
    whole->shape[0] += piece->rows();
    std::visit(
        [&](auto& values) {
          const auto& more =
              std::get<std::decay_t<decltype(values)>>(piece->values);
          values.insert(values.end(), more.begin(), more.end());
        },
        whole->values);
  }
}

void ExpectPiecesAreTheWhole(const std::string& path) {
  const absl::StatusOr<DataFile> whole = ReadDataFile(path);
  ASSERT_TRUE(whole.ok()) << whole.status();
  for (const std::int64_t rows : {1, 2, 3, 100}) {
    SCOPED_TRACE(rows);
    const absl::StatusOr<DataFile> pieces = ReadPieces(path, rows);
    ASSERT_TRUE(pieces.ok()) << pieces.status();
    EXPECT_EQ(pieces->shape, whole->shape);
    EXPECT_EQ(pieces->values, whole->values);
    EXPECT_EQ(pieces->column_names, whole->column_names);
  }
}

TEST(DataFileReaderTest, PiecesOfIdxAreTheWhole) {
  const std::string path = FreshPath("x.idx");
  Store(path, kIdx);
  ExpectPiecesAreTheWhole(path);
}

TEST(DataFileReaderTest, PiecesOfNpyAreTheWhole) {
  const std::string path = FreshPath("x.npy");
  const std::vector<float> values = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  ASSERT_TRUE(WriteNpy(path, {3, 2, 2}, values).ok());
  ExpectPiecesAreTheWhole(path);
}

TEST(DataFileReaderTest, PiecesOfCsvAreTheWhole) {
  const std::string path = FreshPath("x.csv");
  for (const absl::string_view text :
       {"a,b\r\n1,2\r\n3,4\r\n5,6\r\n", "1;2\n3;4\n\n\n", "7",
        "\xEF\xBB\xBFx\ty\n1\t2"}) {
    SCOPED_TRACE(text);
    Store(path, text);
    ExpectPiecesAreTheWhole(path);
  }
}

TEST(DataFileReaderTest, TextOfManyBlocksIsReadLineByLine) {
  // Over two megabytes, so that lines lie across the blocks that are read.
  std::string text;
  for (int row = 0; row < 200'000; ++row) {
    absl::StrAppend(&text, row, ",", row + 1, "\n");
  }
  const std::string path = FreshPath("x.csv.gz");
  gzFile file = gzopen(path.c_str(), "wb1");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(gzwrite(file, text.data(), static_cast<unsigned>(text.size())),
            static_cast<int>(text.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
  const absl::StatusOr<DataFile> pieces = ReadPieces(path, 70'000);
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  ASSERT_THAT(pieces->shape, ElementsAre(200'000, 2));
  const std::vector<double> values = ValuesOf<double>(*pieces);
  for (int row = 0; row < 200'000; ++row) {
    ASSERT_EQ(values[2 * row], row);
    ASSERT_EQ(values[2 * row + 1], row + 1);
  }
}

TEST(DataFileReaderTest, EmptyLinesAreRowsOnceAnotherFollows) {
  const std::string path = FreshPath("x.csv");
  Store(path, "1\n\n\n4\n\n");
  absl::StatusOr<DataFileReader> reader = OpenPieces(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_THAT(ValuesOf<double>(*reader->Read(1)), ElementsAre(1));
  EXPECT_THAT(ValuesOf<double>(*reader->Read(1)),
              ElementsAre(IsNan(), IsNan(), 4));
  EXPECT_EQ(reader->Read(1)->rows(), 0);
}

TEST(DataFileReaderTest, AHeaderWithoutRowsTellsTheColumns) {
  const std::string path = FreshPath("x.csv");
  Store(path, "a,b,c\n");
  absl::StatusOr<DataFileReader> reader = OpenPieces(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(reader->columns(), 3);
  EXPECT_EQ(reader->Read(5)->rows(), 0);
}

TEST(DataFileReaderTest, ACutOffArrayNamesTheRow) {
  const std::string path = FreshPath("x.idx");
  Store(path, kIdx.substr(0, 19));
  EXPECT_THAT(ReadPieces(path, 2),
              IsInvalid(absl::StrCat(path,
                                     ": ends in row 3, counted from 0, "
                                     "of the 5")));
}

TEST(DataFileReaderTest, BytesBehindAnArrayAreNotIgnored) {
  const std::string path = FreshPath("x.idx");
  Store(path, absl::StrCat(kIdx, "x"));
  EXPECT_THAT(ReadPieces(path, 2),
              IsInvalid(absl::StrCat(path, ": goes on behind the 5 rows")));
}

TEST(DataFileReaderTest, ErrorsOfAPieceNameTheLine) {
  const std::string path = FreshPath("x.csv");
  Store(path, "1,2\n3,4\n5,x\n");
  EXPECT_THAT(ReadPieces(path, 1),
              IsInvalid(absl::StrCat(path, ": line 3, column 2: 'x' is not")));
}

TEST(DataFileReaderTest, HeadersThatClaimTooMuchAreRefused) {
  const std::string path = FreshPath("x.idx");
  // 1 x 2^32 - 1 x 2^32 - 1 bytes.
  Store(path, absl::string_view("\0\0\x08\x03\0\0\0\x01\xff\xff\xff\xff\xff\xff"
                                "\xff\xff",
                                16));
  EXPECT_THAT(ReadPieces(path, 1),
              IsInvalid("has more elements than can be counted"));
  // 1 x 2^32 - 1 bytes.
  Store(path, absl::string_view("\0\0\x08\x02\0\0\0\x01\xff\xff\xff\xff", 12));
  EXPECT_THAT(ReadPieces(path, 1), IsInvalid("values in a row; at most"));
  // 2^32 - 1 rows of one byte, of which there are none.
  Store(path, absl::string_view("\0\0\x08\x01\xff\xff\xff\xff", 8));
  EXPECT_THAT(ReadPieces(path, 1 << 20), IsInvalid("ends in row 0"));
}

TEST(DataFileReaderTest, WhatIsNoDataIsRefused) {
  const std::string path = FreshPath("x.csv");
  Store(path, "");
  EXPECT_THAT(ReadPieces(path, 1), IsInvalid(absl::StrCat(path, ": is empty")));
  Store(path, "\n\n");
  EXPECT_THAT(ReadPieces(path, 1),
              IsInvalid(absl::StrCat(path, ": has no line of text")));
  Store(path, "\x1f\x8b\x08 not gzip at all");
  EXPECT_THAT(ReadPieces(path, 1), IsError(absl::StatusCode::kDataLoss, path));
}

}  // namespace
}  // namespace poe
