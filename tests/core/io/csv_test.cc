#include "core/io/csv.h"

#include <cmath>
#include <string>

#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/io/io_testing.h"

namespace poe {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsNan;

TEST(CsvTest, ReadsNumbersWithoutAHeader) {
  const auto file = ParseCsv("1,2.5,-3e-2\n+4, 5 ,.5\n");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->shape, ElementsAre(2, 3));
  EXPECT_THAT(ValuesOf<double>(*file),
              ElementsAre(1, 2.5, -0.03, 4, 5, DoubleEq(0.5)));
  EXPECT_THAT(file->column_names, IsEmpty());
}

TEST(CsvTest, ReadsAHeader) {
  const auto file = ParseCsv("width,,height (mm)\n1,2,3\n");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->column_names, ElementsAre("width", "", "height (mm)"));
  EXPECT_THAT(file->shape, ElementsAre(1, 3));
}

TEST(CsvTest, ReadsAHeaderWithoutRows) {
  const auto file = ParseCsv("a,b");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->column_names, ElementsAre("a", "b"));
  EXPECT_THAT(file->shape, ElementsAre(0, 2));
}

TEST(CsvTest, QuotesMakeANameOfAnything) {
  const auto file = ParseCsv("\"2019\", \"a, \"\"b\"\";\t\" ,\"\"\n1,2,3\n");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->column_names, ElementsAre("2019", "a, \"b\";\t", ""));
}

TEST(CsvTest, FindsTheSeparatorInTheFirstLine) {
  const auto semicolons = ParseCsv("a, left;b, right\n1;2\n");
  ASSERT_TRUE(semicolons.ok()) << semicolons.status();
  EXPECT_THAT(semicolons->column_names, ElementsAre("a, left", "b, right"));
  EXPECT_THAT(ValuesOf<double>(*semicolons), ElementsAre(1, 2));
  const auto tabs = ParseCsv("a;1,2\tb\n1\t2\n");
  ASSERT_TRUE(tabs.ok()) << tabs.status();
  EXPECT_THAT(tabs->column_names, ElementsAre("a;1,2", "b"));
}

TEST(CsvTest, AMissingValueIsNan) {
  const auto file = ParseCsv("1,,nan\n NaN ,2,\n");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(ValuesOf<double>(*file),
              ElementsAre(1, IsNan(), IsNan(), IsNan(), 2, IsNan()));
}

TEST(CsvTest, AMissingValueAtTheEndOfATabbedLineIsKept) {
  const auto file = ParseCsv("1\t2\n3\t\n\t4\n");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(ValuesOf<double>(*file),
              ElementsAre(1, 2, 3, IsNan(), IsNan(), 4));
}

TEST(CsvTest, AnEmptyLineInASingleColumnIsAMissingValue) {
  const auto file = ParseCsv("label\n1\n\n3\n\n\n");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->shape, ElementsAre(3, 1));
  EXPECT_THAT(ValuesOf<double>(*file), ElementsAre(1, IsNan(), 3));
}

// Bytes on the disk are eight times as many in memory.
TEST(CsvTest, EmptyLinesAreNotWithoutNumber) {
  constexpr int kMost = 1 << 20;
  const std::string most = "1" + std::string(kMost + 1, '\n');
  const auto file = ParseCsv(most + "2");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->shape, ElementsAre(kMost + 2, 1));
  EXPECT_THAT(ParseCsv(most + "\n2"),
              IsInvalid("line 1048579: more than 1048576 empty lines"));
  EXPECT_TRUE(ParseCsv(most + "\n\n").ok());
}

TEST(CsvTest, TakesWindowsLinesAndAByteOrderMark) {
  const auto file = ParseCsv("\xEF\xBB\xBFx,y\r\n1,2\r\n3,4\r\n");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->column_names, ElementsAre("x", "y"));
  EXPECT_THAT(ValuesOf<double>(*file), ElementsAre(1, 2, 3, 4));
}

TEST(CsvTest, NamesLineAndColumnOfWhatIsNoNumber) {
  EXPECT_THAT(ParseCsv("1,2\n3,4\n5,x6\n"),
              IsInvalid("line 3, column 2: 'x6' is not a finite number; leave "
                        "a missing value empty or write nan"));
  EXPECT_THAT(ParseCsv("a;b\n1;2,5\n"), IsInvalid("line 2, column 2: '2,5'"));
  EXPECT_THAT(ParseCsv("1\n1e999\n"), IsInvalid("line 2, column 1: '1e999'"));
  EXPECT_THAT(ParseCsv("1\n-inf\n"), IsInvalid("line 2, column 1: '-inf'"));
  EXPECT_THAT(ParseCsv("1,1\n1,\"2\"\n"), IsInvalid("line 2, column 2: '\\\""));
  EXPECT_THAT(ParseCsv(absl::string_view("1\n2\0\n", 5)),
              IsInvalid("line 2, column 1: '2\\000'"));
}

TEST(CsvTest, AMistypedNumberInTheFirstLineIsNotTakenForAHeader) {
  EXPECT_THAT(ParseCsv("1,2,3x\n1,2,3\n"),
              IsInvalid("line 1, column 3: '3x' is not a finite number; leave "
                        "a missing value empty or write nan; in a header, put "
                        "quotes around names that are numbers"));
}

TEST(CsvTest, AnErrorShowsOnlyTheBeginningOfALongCell) {
  EXPECT_THAT(ParseCsv("1\n" + std::string(100000, 'x')),
              IsInvalid("'" + std::string(40, 'x') + "...' is not"));
}

TEST(CsvTest, RefusesLinesOfDifferentLengths) {
  EXPECT_THAT(ParseCsv("a,b,c\n1,2,3\n1,2\n"),
              IsInvalid("line 3, column 3: the line has 2 columns where line 1 "
                        "has 3"));
  EXPECT_THAT(ParseCsv("1,2\n1,2,3\n"),
              IsInvalid("line 2, column 3: the line has 3 columns where line 1 "
                        "has 2"));
  EXPECT_THAT(ParseCsv("1,2\n\n3,4\n"),
              IsInvalid("line 2, column 2: the line has 1 columns"));
}

TEST(CsvTest, RefusesBadQuotes) {
  for (const absl::string_view line :
       {"a,\"b", "a,\"b\"c", "a,\"b\"\"", "a,\"b\"c\"\n1,2"}) {
    EXPECT_THAT(ParseCsv(line),
                IsInvalid("line 1, column 2: a name in quotes must end with "
                          "one on the same line"))
        << line;
  }
}

TEST(CsvTest, RefusesTextWithoutALine) {
  EXPECT_THAT(ParseCsv(""), IsInvalid("has no line of text"));
  EXPECT_THAT(ParseCsv("\xEF\xBB\xBF\r\n\n"), IsInvalid("has no line of text"));
}

}  // namespace
}  // namespace poe
