// Files of sequences and symbols, read and written.
#include "client/cpp/command/sequences.h"

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/coordinates.h"
#include "client/cpp/command/data_set.h"
#include "client/cpp/command/mask.h"
#include "client/cpp/command/output_rows.h"
#include "client/cpp/tensor.h"
#include "core/io/npy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr DataForm kSequences = {.sequential = true};
constexpr DataForm kSymbols = {.symbols = true};

std::string Path(const std::string& name) {
  return absl::StrCat(testing::TempDir(), "/", name);
}

// Of lengths 2, 1 and 3; the label of each is 5, 6 and 5.
std::string WriteSequenceTable() {
  const std::string path = Path("sequences.csv");
  std::ofstream(path) << "x,sequence,label,y\n"
                         "1,10,5,2\n"
                         "3,10,5,4\n"
                         "5,11,6,\n"
                         "7,10,5,8\n"
                         "9,10,5,10\n"
                         "11,10,5,12\n";
  return path;
}

// Two sequences of two rows of three columns: 0 to 11.
std::string WriteArray() {
  const std::string path = Path("sequences.npy");
  std::vector<float> values;
  for (int i = 0; i < 12; ++i) values.push_back(static_cast<float>(i));
  EXPECT_TRUE(WriteNpy(path, {2, 2, 3}, values).ok());
  return path;
}

DataOptions SequenceOptions(const std::string& data,
                            const std::string& label_column = "",
                            const std::string& rows = "") {
  DataOptions options;
  options.data = data;
  options.label_column = label_column;
  options.rows = rows;
  return options;
}

TEST(SequenceFilesTest, AnArrayIsSequencesByRowsByColumns) {
  const auto set = ReadDataSet(SequenceOptions(WriteArray()), kSequences);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->rows, 2);
  EXPECT_EQ(set->frames, 4);
  EXPECT_EQ(set->dimension, 3);
  EXPECT_EQ(set->image_height, 0);
  const v1::Sequences& sequences = set->observations.sequences();
  EXPECT_THAT(sequences.lengths(), ElementsAre(2, 2));
  EXPECT_THAT(sequences.values().shape(), ElementsAre(4, 3));
}

TEST(SequenceFilesTest, WithoutSequencesAnArrayIsImages) {
  const auto set = ReadDataSet(SequenceOptions(WriteArray()));
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->dimension, 6);
  EXPECT_EQ(set->frames, 2);
  EXPECT_EQ(set->image_width, 3);
  EXPECT_TRUE(set->observations.has_dense());
}

TEST(SequenceFilesTest, EqualNeighboursInATableAreOneSequence) {
  const auto set =
      ReadDataSet(SequenceOptions(WriteSequenceTable(), "label"), kSequences);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_THAT(set->observations.sequences().lengths(), ElementsAre(2, 1, 3));
  EXPECT_THAT(set->labels, ElementsAre(5, 6, 5));
  EXPECT_THAT(set->column_names, ElementsAre("x", "y"));
  EXPECT_EQ(set->observations.mask(),
            std::string("\1\1\1\1\1\0\1\1\1\1\1\1", 12));
  EXPECT_THAT((*TensorDoubles(ValuesOf(set->observations)))[11], 12);
}

TEST(SequenceFilesTest, RowsSelectSequences) {
  const auto set = ReadDataSet(
      SequenceOptions(WriteSequenceTable(), "label", "1:"), kSequences);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->rows, 2);
  EXPECT_EQ(set->frames, 4);
  EXPECT_EQ(set->first_row, 1);
  EXPECT_THAT(set->observations.sequences().lengths(), ElementsAre(1, 3));
  EXPECT_THAT(set->labels, ElementsAre(6, 5));
  EXPECT_EQ(set->observations.mask(), std::string("\1\0\1\1\1\1\1\1", 8));
}

TEST(SequenceFilesTest, SaysWhatIsWrong) {
  const auto error = [](const DataOptions& options) {
    return std::string(ReadDataSet(options, kSequences).status().message());
  };
  const std::string plain = Path("plain.csv");
  std::ofstream(plain) << "x,y\n1,2\n";
  EXPECT_THAT(error(SequenceOptions(plain)),
              HasSubstr("plain.csv has the shape (1, 2) and no column "
                        "\"sequence\"; sequences come as"));
  const std::string gap = Path("gap.csv");
  std::ofstream(gap) << "x,sequence\n1,2\n3,\n";
  EXPECT_THAT(error(SequenceOptions(gap)),
              HasSubstr("row 1 has no value in the"));
  EXPECT_THAT(error(SequenceOptions(WriteSequenceTable(), "x")),
              HasSubstr("row 1 has the label 3 where the sequence that it "
                        "belongs to begins with 1"));
  DataOptions labels = SequenceOptions(WriteArray());
  labels.labels = plain;
  labels.label_column = "x";
  EXPECT_THAT(error(labels), HasSubstr("plain.csv has 1 labels"));
  EXPECT_THAT(error(labels), HasSubstr("sequences.npy 2 sequences"));
}

TEST(SequenceFilesTest, AMaskIsForOneRowOrForAllRowsOfAllSequences) {
  auto set = ReadDataSet(SequenceOptions(WriteArray()), kSequences);
  ASSERT_TRUE(set.ok()) << set.status();
  const std::string one = Path("mask.npy");
  ASSERT_TRUE(WriteNpy(one, {3}, std::vector<float>{1, 0, 1}).ok());
  ASSERT_TRUE(AddMask(one, 0, 0, *set).ok());
  EXPECT_EQ(set->observations.mask(),
            std::string("\1\0\1\1\0\1\1\0\1\1\0\1", 12));
}

TEST(SymbolFilesTest, BytesAndIntegersAreSymbols) {
  const std::string bytes = Path("bytes.idx");
  std::ofstream(bytes, std::ios::binary)
      << std::string("\0\0\x08\x02\0\0\0\1\0\0\0\3\0\2\7", 15);
  auto set = ReadDataSet(SequenceOptions(bytes), kSymbols);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_FALSE(set->grey_levels);
  EXPECT_EQ(set->observations.dense().element_type(), v1::ELEMENT_TYPE_INT32);
  EXPECT_THAT(*TensorFloats(set->observations.dense()), ElementsAre(0, 2, 7));
  const std::string wide = Path("wide.npy");
  ASSERT_TRUE(WriteNpy(wide, {1, 2}, std::vector<int64_t>{3, 9}).ok());
  set = ReadDataSet(SequenceOptions(wide), kSymbols);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->observations.dense().element_type(), v1::ELEMENT_TYPE_INT32);
  ASSERT_TRUE(
      WriteNpy(wide, {1, 2}, std::vector<int64_t>{3, int64_t{1} << 40}).ok());
  EXPECT_THAT(
      std::string(
          ReadDataSet(SequenceOptions(wide), kSymbols).status().message()),
      HasSubstr("wide.npy: the value 1099511627776 is too large"));
}

v1::DataSpec TwoColumns() {
  v1::DataSpec spec;
  spec.set_dimension(2);
  spec.set_sequential(true);
  return spec;
}

TEST(OutputRowsTest, EqualLengthsAreAnArray) {
  const std::string path = Path("out.npy");
  const std::vector<float> values = {1, 2, 3, 4, 5, 6, 7, 8};
  ASSERT_TRUE(WriteRows(path, TwoColumns(), 0, {2, 2}, values).ok());
  EXPECT_THAT(ReadDataFile(path)->shape, ElementsAre(2, 2, 2));
  ASSERT_TRUE(WriteRows(path, TwoColumns(), 2, {2, 2}, values).ok());
  EXPECT_THAT(ReadDataFile(path)->shape, ElementsAre(2, 1, 2, 2));
}

TEST(OutputRowsTest, DifferentLengthsAreATableThatReadsTheSame) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 0.1f};
  EXPECT_TRUE(IsUsageError(CheckOutput("out.npy", {1, 2})));
  EXPECT_TRUE(IsUsageError(
      WriteRows(Path("out.npy"), TwoColumns(), 0, {1, 2}, values)));
  const std::string path = Path("out.csv");
  EXPECT_TRUE(CheckOutput(path, {1, 2}).ok());
  ASSERT_TRUE(WriteRows(path, TwoColumns(), 0, {1, 2}, values).ok());
  const auto set = ReadDataSet(SequenceOptions(path), kSequences);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_THAT(set->observations.sequences().lengths(), ElementsAre(1, 2));
  EXPECT_EQ(*TensorFloats(ValuesOf(set->observations)), values);
}

TEST(OutputRowsTest, JsonNestsSequences) {
  EXPECT_EQ(RowsJson(TwoColumns(), {1, 2}, {1, 2, 3, 4, 5, 6}).dump(),
            "[[[1.0,2.0]],[[3.0,4.0],[5.0,6.0]]]");
  EXPECT_EQ(RowsJson(TwoColumns(), {}, {1, 2, 3, 4}).dump(),
            "[[1.0,2.0],[3.0,4.0]]");
}

TEST(CoordinatesTest, ReadsListsAndRanges) {
  EXPECT_THAT(*ParseCoordinates("--inputs", "0-3,7", 8),
              ElementsAre(0, 1, 2, 3, 7));
  EXPECT_THAT(*ParseCoordinates("--inputs", "5", 8), ElementsAre(5));
  for (const char* bad : {"", "x", "3-1", "1-2-3", "-1", "1,", "8", "0-8"}) {
    EXPECT_TRUE(IsUsageError(ParseCoordinates("--inputs", bad, 8).status()))
        << bad;
  }
}

}  // namespace
}  // namespace poe::client
