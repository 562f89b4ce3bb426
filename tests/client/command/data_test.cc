// Files, rows, labels and masks as the commands read them.
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/command/class_labels.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/data_set.h"
#include "client/cpp/command/mask.h"
#include "client/cpp/command/selector.h"
#include "client/cpp/tensor.h"
#include "core/io/npy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string WriteFile(const std::string& name, const std::string& bytes) {
  const std::string path = absl::StrCat(testing::TempDir(), "/", name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

// Three images of 2 x 2, as bytes 0 to 11.
std::string WriteImages() {
  std::string bytes("\0\0\x08\x03\0\0\0\3\0\0\0\2\0\0\0\2", 16);
  for (char b = 0; b < 12; ++b) bytes.push_back(b);
  return WriteFile("images.idx", bytes);
}

std::string WriteTable() {
  return WriteFile("table.csv",
                   "width,species,height\n"
                   "1.5,3,2\n"
                   ",7,2.5\n"
                   "0.5,3,4\n");
}

DataOptions Options(const std::string& data, const std::string& labels = "",
                    const std::string& label_column = "",
                    const std::string& rows = "") {
  DataOptions options;
  options.data = data;
  options.labels = labels;
  options.label_column = label_column;
  options.rows = rows;
  return options;
}

TEST(ReadDataSetTest, BytesBesideSymbolsAreWholeNumbers) {
  const auto set = ReadDataSet(Options(WriteImages()),
                               {.symbols = true, .real_inputs = true});
  ASSERT_TRUE(set.ok()) << set.status();
  const auto values = TensorFloats(set->observations.dense());
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_THAT(*values, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_FALSE(set->grey_levels);
}

TEST(ReadDataSetTest, ImagesAreBytesWithASize) {
  const auto set = ReadDataSet(Options(WriteImages()));
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->rows, 3);
  EXPECT_EQ(set->dimension, 4);
  EXPECT_EQ(set->image_height, 2);
  EXPECT_EQ(set->image_width, 2);
  EXPECT_TRUE(set->grey_levels);
  EXPECT_EQ(set->observations.dense().element_type(), v1::ELEMENT_TYPE_UINT8);
  EXPECT_EQ(set->observations.dense().data().size(), 12);
  EXPECT_THAT(set->observations.mask(), IsEmpty());
}

TEST(ReadDataSetTest, ALabelColumnIsTakenOutOfTheTable) {
  for (const char* column : {"species", "2"}) {
    const auto set = ReadDataSet(Options(WriteTable(), "", column));
    ASSERT_TRUE(set.ok()) << set.status();
    EXPECT_THAT(set->labels, ElementsAre(3, 7, 3));
    EXPECT_THAT(set->column_names, ElementsAre("width", "height"));
    EXPECT_EQ(set->dimension, 2);
    EXPECT_FALSE(set->grey_levels);
    const std::vector<double> values =
        *TensorDoubles(set->observations.dense());
    EXPECT_EQ(values[0], 1.5);
    EXPECT_EQ(values[1], 2);
    EXPECT_EQ(values[5], 4);
  }
}

TEST(ReadDataSetTest, EmptyCellsAreMissing) {
  const auto set = ReadDataSet(Options(WriteTable(), "", "species"));
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->observations.mask(), std::string("\1\1\0\1\1\1", 6));
}

TEST(ReadDataSetTest, RowsAreAPartOfDataAndLabels) {
  const auto set = ReadDataSet(Options(WriteTable(), "", "species", "1:"));
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->rows, 2);
  EXPECT_EQ(set->first_row, 1);
  EXPECT_THAT(set->labels, ElementsAre(7, 3));
  EXPECT_EQ(set->observations.dense().shape(0), 2);
  EXPECT_EQ(set->observations.mask(), std::string("\0\1\1\1", 4));
}

TEST(ReadDataSetTest, LabelsComeFromTheirOwnFile) {
  const std::string labels =
      WriteFile("labels.idx", std::string("\0\0\x08\x01\0\0\0\3\2\0\2", 11));
  const auto set = ReadDataSet(Options(WriteImages(), labels));
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_THAT(set->labels, ElementsAre(2, 0, 2));
}

TEST(ReadDataSetTest, SaysWhatIsWrong) {
  const std::string labels = WriteFile("two.csv", "1\n2\n");
  const std::string parts = WriteFile("parts.csv", "1\n0.5\n1\n");
  const auto error = [](const DataOptions& options) {
    return std::string(ReadDataSet(options).status().message());
  };
  EXPECT_THAT(error(Options(WriteImages(), labels)),
              HasSubstr("two.csv has 2 labels"));
  EXPECT_THAT(error(Options(WriteImages(), parts)),
              HasSubstr("the label of row 1 is 0.5, expected a whole number"));
  EXPECT_THAT(error(Options(WriteTable(), "", "depth")),
              HasSubstr("no column \"depth\"; it has width, species, height"));
  EXPECT_THAT(error(Options(WriteTable(), "", "width")),
              HasSubstr("expected a whole number"));
  EXPECT_EQ(ReadDataSet(Options("/nowhere")).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(ParseRowsTest, ReadsRanges) {
  const auto parsed = [](const std::string& text) {
    const auto range = ParseRows(text, 10);
    return range.ok() ? absl::StrCat(range->begin, "-", range->end) : "refused";
  };
  EXPECT_EQ(parsed(""), "0-10");
  EXPECT_EQ(parsed("2:5"), "2-5");
  EXPECT_EQ(parsed(":5"), "0-5");
  EXPECT_EQ(parsed("9:"), "9-10");
  EXPECT_EQ(parsed("4"), "4-5");
  for (const char* bad :
       {"5:5", "5:2", "-1:2", "x", "1:x", "0:11", "10", "1:2:3"}) {
    EXPECT_EQ(parsed(bad), "refused") << bad;
    EXPECT_TRUE(IsUsageError(ParseRows(bad, 10).status())) << bad;
  }
}

TEST(ClassLabelsTest, LabelsThatOccurAreTheClasses) {
  const auto classes = AssignClasses({7, 3, 7}, {});
  ASSERT_TRUE(classes.ok());
  EXPECT_THAT(classes->names, ElementsAre("3", "7"));
  EXPECT_THAT(classes->indices, ElementsAre(1, 0, 1));
}

TEST(ClassLabelsTest, LabelsAreIndicesIntoGivenNames) {
  const auto classes = AssignClasses({1, 0}, {"cat", "dog"});
  ASSERT_TRUE(classes.ok());
  EXPECT_THAT(classes->names, ElementsAre("cat", "dog"));
  EXPECT_THAT(classes->indices, ElementsAre(1, 0));
  EXPECT_THAT(
      std::string(AssignClasses({1, 2}, {"cat", "dog"}).status().message()),
      HasSubstr("the label of row 1 is 2"));
}

TEST(ClassLabelsTest, LabelsMatchNamesBeforeIndices) {
  EXPECT_THAT(*MatchClasses({1, 2, 1}, {"2", "1"}), ElementsAre(1, 0, 1));
  EXPECT_THAT(*MatchClasses({1, 0}, {"cat", "dog"}), ElementsAre(1, 0));
  EXPECT_THAT(*MatchClasses({0, 1}, {"1", "2"}), ElementsAre(0, 1));
  EXPECT_FALSE(MatchClasses({2}, {"cat", "dog"}).ok());
}

TEST(SelectorTest, ReadsVersionsAndLabels) {
  EXPECT_EQ(ParseSelector("digits")->name(), "digits");
  EXPECT_EQ(ParseSelector("digits")->choice_case(),
            v1::ModelSelector::CHOICE_NOT_SET);
  EXPECT_EQ(ParseSelector("digits:12")->version(), 12);
  EXPECT_EQ(ParseSelector("digits@stable")->label(), "stable");
  for (const char* bad : {"", ":1", "a:", "a:0", "a:x", "a@"}) {
    EXPECT_TRUE(IsUsageError(ParseSelector(bad).status())) << bad;
  }
}

TEST(MaskTest, HalvesAreOfImages) {
  auto set = ReadDataSet(Options(WriteImages(), "", "", "1"));
  ASSERT_TRUE(set.ok()) << set.status();
  ASSERT_TRUE(AddMask("lower", 2, 2, *set).ok());
  EXPECT_EQ(set->observations.mask(), std::string("\1\1\0\0", 4));
  EXPECT_TRUE(IsUsageError(AddMask("upper", 0, 0, *set)));
  ASSERT_TRUE(AddMask("upper", 2, 2, *set).ok());
  EXPECT_EQ(set->observations.mask(), std::string(4, 0));
}

TEST(MaskTest, AFileIsForOneRowOrForAll) {
  const std::string one = absl::StrCat(testing::TempDir(), "/one.npy");
  ASSERT_TRUE(WriteNpy(one, {4}, std::vector<float>{1, 0, 1, 1}).ok());
  auto set = ReadDataSet(Options(WriteImages()));
  ASSERT_TRUE(AddMask(one, 0, 0, *set).ok());
  EXPECT_EQ(set->observations.mask(),
            std::string("\1\0\1\1\1\0\1\1\1\0\1\1", 12));
  const std::string wrong = absl::StrCat(testing::TempDir(), "/wrong.npy");
  ASSERT_TRUE(WriteNpy(wrong, {5}, std::vector<float>(5)).ok());
  EXPECT_EQ(AddMask(wrong, 0, 0, *set).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace poe::client
