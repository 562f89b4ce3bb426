#include "core/io/csv_writer.h"

#include <cmath>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/io/data_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe {
namespace {

using ::testing::ElementsAre;

std::string Path() { return absl::StrCat(testing::TempDir(), "/written.csv"); }

TEST(CsvWriterTest, WhatIsWrittenReadsTheSame) {
  const std::vector<std::string> names = {"a \"b\"", "7, or so"};
  const std::vector<float> values = {0.1f, -3e30f, 16777216, NAN};
  ASSERT_TRUE(WriteCsv(Path(), names, {}, values).ok());
  const absl::StatusOr<DataFile> file = ReadDataFile(Path());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->column_names, names);
  EXPECT_THAT(file->shape, ElementsAre(2, 2));
  const auto& read = std::get<std::vector<double>>(file->values);
  EXPECT_EQ(static_cast<float>(read[0]), 0.1f);
  EXPECT_EQ(static_cast<float>(read[1]), -3e30f);
  EXPECT_EQ(read[2], 16777216);
  EXPECT_TRUE(std::isnan(read[3]));
}

TEST(CsvWriterTest, NumbersStandBeforeTheRows) {
  ASSERT_TRUE(WriteCsv(Path(), {"sequence", "x"}, {0, 0, 12}, {1, 2, 3}).ok());
  const absl::StatusOr<DataFile> file = ReadDataFile(Path());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(std::get<std::vector<double>>(file->values),
              ElementsAre(0, 1, 0, 2, 12, 3));
}

TEST(CsvWriterTest, RefusesWhatDoesNotFitTogether) {
  const auto code = [](const std::vector<std::string>& names,
                       const std::vector<int64_t>& numbers,
                       const std::vector<float>& values) {
    return WriteCsv(Path(), names, numbers, values).code();
  };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code({}, {}, {1}), kInvalid);
  EXPECT_EQ(code({"a", "b"}, {}, {1, 2, 3}), kInvalid);
  EXPECT_EQ(code({"n"}, {1}, {1}), kInvalid);
  EXPECT_EQ(code({"n", "a"}, {1}, {1, 2}), kInvalid);
}

}  // namespace
}  // namespace poe
