#include "core/io/npy.h"

#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/io/io_testing.h"

namespace poe {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

// A file of version 1.0 with this header text, padded as numpy pads it.
std::string Npy(absl::string_view header, absl::string_view elements) {
  const std::string padded =
      absl::StrCat(header, std::string(117 - header.size(), ' '), "\n");
  return absl::StrCat(kNpyMagic, absl::string_view("\x01\0\x76\0", 4), padded,
                      elements);
}

std::string Header(absl::string_view descr, absl::string_view shape) {
  return absl::StrCat("{'descr': '", descr,
                      "', 'fortran_order': False, 'shape': ", shape, ", }");
}

// What numpy.save writes for [[1, 2.5], [-3, 4]] in float32.
std::string FourFloats() {
  return Npy(Header("<f4", "(2, 2)"),
             absl::string_view("\x00\x00\x80?\x00\x00 @\x00\x00@\xc0"
                               "\x00\x00\x80@",
                               16));
}

TEST(NpyTest, ReadsFloatsThatNumpyWrote) {
  const auto file = ParseNpy(FourFloats());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->shape, ElementsAre(2, 2));
  EXPECT_THAT(ValuesOf<float>(*file), ElementsAre(1, 2.5, -3, 4));
  EXPECT_THAT(file->column_names, IsEmpty());
}

TEST(NpyTest, ReadsDoublesOfVersion3ThatNumpyWrote) {
  const std::string header = absl::StrCat(
      Header("<f8", "(2,)"),
      std::string(116 - 1 - Header("<f8", "(2,)").size(), ' '), "\n");
  const auto file = ParseNpy(absl::StrCat(
      kNpyMagic, absl::string_view("\x03\0t\0\0\0", 6), header,
      absl::string_view("\x9a\x99\x99\x99\x99\x99\xb9?\0\0\0\0\0\0\xf8\x7f",
                        16)));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->shape, ElementsAre(2));
  EXPECT_EQ(file->columns(), 1);
  const std::vector<double> values = ValuesOf<double>(*file);
  EXPECT_EQ(values.at(0), 0.1);
  EXPECT_TRUE(std::isnan(values.at(1)));
}

TEST(NpyTest, ReadsVersion2) {
  const std::string header = Header("<i8", "(1, 1)");
  const auto file =
      ParseNpy(absl::StrCat(kNpyMagic, absl::string_view("\x02\0", 2),
                            std::string(1, static_cast<char>(header.size())),
                            absl::string_view("\0\0\0", 3), header,
                            "\xfe\xff\xff\xff\xff\xff\xff\xff"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(ValuesOf<int64_t>(*file), ElementsAre(-2));
}

TEST(NpyTest, ReadsIntegersOfEveryWidth) {
  const auto bytes = ParseNpy(Npy(Header("|u1", "(2,)"), "\x01\xff"));
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_THAT(ValuesOf<uint8_t>(*bytes), ElementsAre(1, 255));
  const auto chars = ParseNpy(Npy(Header("|i1", "(2,)"), "\x01\xff"));
  ASSERT_TRUE(chars.ok()) << chars.status();
  EXPECT_THAT(ValuesOf<int64_t>(*chars), ElementsAre(1, -1));
  const auto shorts = ParseNpy(Npy(Header("<i2", "(1,)"), "\x02\x01"));
  ASSERT_TRUE(shorts.ok()) << shorts.status();
  EXPECT_THAT(ValuesOf<int64_t>(*shorts), ElementsAre(258));
  const auto ints = ParseNpy(Npy(Header("<i4", "(1,)"), "\xfd\xff\xff\xff"));
  ASSERT_TRUE(ints.ok()) << ints.status();
  EXPECT_THAT(ValuesOf<int64_t>(*ints), ElementsAre(-3));
}

TEST(NpyTest, ReadsHeadersInAnyOrderAndSpacing) {
  for (const absl::string_view header :
       {"{ \"shape\" :(1L,2L,) ,'descr':\"|u1\",\n'fortran_order':False}",
        "{'fortran_order': False, 'shape': (1, 2), 'descr': '|u1'}"}) {
    const auto file = ParseNpy(Npy(header, "ab"));
    ASSERT_TRUE(file.ok()) << header << file.status();
    EXPECT_THAT(file->shape, ElementsAre(1, 2));
  }
}

TEST(NpyTest, EveryPrefixIsRefused) {
  const std::string bytes = FourFloats();
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THAT(ParseNpy(bytes.substr(0, length)), IsInvalid("")) << length;
  }
}

TEST(NpyTest, SaysWhatIsCutOffOrTooMuch) {
  const std::string bytes = FourFloats();
  EXPECT_THAT(ParseNpy(bytes.substr(0, 7)),
              IsInvalid("NPY header is cut off before its version"));
  EXPECT_THAT(ParseNpy(bytes.substr(0, 9)),
              IsInvalid("NPY header is cut off before its length"));
  EXPECT_THAT(ParseNpy(bytes.substr(0, 20)),
              IsInvalid("it should have 118 bytes, but 10 are left"));
  EXPECT_THAT(ParseNpy(bytes.substr(0, 143)),
              IsInvalid("shape (2, 2) needs 4 elements of 4 bytes, but 15 "
                        "bytes follow the header"));
  EXPECT_THAT(ParseNpy(bytes + "x"), IsInvalid("but 17 bytes follow"));
}

TEST(NpyTest, RefusesOtherFilesAndVersions) {
  EXPECT_THAT(ParseNpy("PK\x03\x04 an archive"),
              IsInvalid("is not an NPY file: it does not begin with"));
  EXPECT_THAT(ParseNpy(absl::StrCat(kNpyMagic, "\x04", std::string(9, '\0'))),
              IsInvalid("NPY version 4.0 is unknown; known are 1.0, 2.0"));
  EXPECT_THAT(ParseNpy(absl::StrCat(kNpyMagic, "\x01\x02", "\x01\x02")),
              IsInvalid("NPY version 1.2 is unknown"));
}

TEST(NpyTest, RefusesFortranOrderAndSaysWhatToDo) {
  EXPECT_THAT(
      ParseNpy(Npy("{'descr': '<f4', 'fortran_order': True, "
                   "'shape': (2, 2), }",
                   std::string(16, '\0'))),
      IsInvalid("in Fortran order; save numpy.ascontiguousarray of it"));
}

TEST(NpyTest, RefusesOtherElementTypesAndSaysWhatToDo) {
  for (const absl::string_view descr :
       {">f4", "=f4", "<f2", "<u2", "|b1", "<c8", "|O", "<U3", ""}) {
    EXPECT_THAT(ParseNpy(Npy(Header(descr, "(1,)"), "abcd")),
                IsInvalid(absl::StrCat("NPY element type '", descr,
                                       "' is not read; convert with astype")));
  }
  EXPECT_THAT(ParseNpy(Npy("{'descr': [('a', '<f4')], 'fortran_order': False, "
                           "'shape': (1,), }",
                           "abcd")),
              IsInvalid("character 11: expected one element type as a string "
                        "(fields of a structured array are not read)"));
}

TEST(NpyTest, RefusesBadShapes) {
  EXPECT_THAT(ParseNpy(Npy(Header("|u1", "()"), "a")),
              IsInvalid("a single number without a dimension"));
  EXPECT_THAT(ParseNpy(Npy(Header("<f8", "(4611686018427387904, 4)"), "")),
              IsInvalid("shape (4611686018427387904, 4) has more elements "
                        "than can be counted"));
  EXPECT_THAT(
      ParseNpy(Npy(Header("<f8", "(2305843009213693953,)"), "12345678")),
      IsInvalid("needs 2305843009213693953 elements of 8 bytes"));
  for (const absl::string_view shape :
       {"(3)", "(-1,)", "(,)", "(1 2)", "(1,,2)", "[1, 2]", "(1.5,)", "(1",
        "(9223372036854775808,)", "(+1,)", "((1,),)"}) {
    EXPECT_THAT(ParseNpy(Npy(Header("|u1", shape), "a")),
                IsInvalid("expected a tuple of whole numbers below 2^63"))
        << shape;
  }
}

TEST(NpyTest, SaysWhereAHeaderIsMalformed) {
  const auto expect = [](absl::string_view header, absl::string_view text) {
    EXPECT_THAT(ParseNpy(Npy(header, "a")), IsInvalid(std::string(text)))
        << header;
  };
  expect("", "NPY header, character 119: expected {");
  expect("['descr']", "character 1: expected {");
  expect("{descr: 1}", "character 2: expected a name in quotes or }");
  expect("{'descr", "expected a name in quotes or }");
  expect("{'descr' '|u1'}", "character 10: expected a colon");
  expect("{'descr': '|u1' 'shape': (1,)}", "character 17: expected a comma");
  expect("{'fortran_order': 0}", "character 19: expected True or False");
  expect("{'descr': '|u1', 'descr': '|u1'}",
         "the key 'descr' is unknown or stands there twice");
  expect("{'order': '|u1'}", "the key 'order' is unknown");
  expect("{'descr': '|u1', 'shape': (1,)}",
         "lacks one of 'descr', 'fortran_order' and 'shape'");
  expect("{'descr': '|u1', 'fortran_order': False, 'shape': (1,)} + 1",
         "character 57: expected nothing more");
}

TEST(NpyTest, WritesWhatNumpyWrites) {
  const std::string path = FreshPath("floats.npy");
  ASSERT_TRUE(WriteNpy(path, {2, 2}, std::vector<float>{1, 2.5, -3, 4}).ok());
  EXPECT_EQ(Contents(path), FourFloats());
}

TEST(NpyTest, WritesAndReadsBackEveryType) {
  const std::string path = FreshPath("values.npy");
  const std::vector<float> floats = {
      -0.0f, std::numeric_limits<float>::infinity(), 1e-42f};
  ASSERT_TRUE(WriteNpy(path, {3, 1, 1}, floats).ok());
  auto file = ReadDataFile(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->shape, ElementsAre(3, 1, 1));
  EXPECT_THAT(ValuesOf<float>(*file), ElementsAreArray(floats));

  const std::vector<double> doubles = {0.1, -1e300};
  ASSERT_TRUE(WriteNpy(path, {2}, doubles).ok());
  file = ReadDataFile(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->shape, ElementsAre(2));
  EXPECT_THAT(ValuesOf<double>(*file), ElementsAreArray(doubles));

  const std::vector<int64_t> integers = {std::numeric_limits<int64_t>::min(),
                                         -1, 1};
  ASSERT_TRUE(WriteNpy(path, {1, 3}, integers).ok());
  file = ReadDataFile(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->shape, ElementsAre(1, 3));
  EXPECT_THAT(ValuesOf<int64_t>(*file), ElementsAreArray(integers));
}

TEST(NpyTest, WritesAnArrayWithoutRows) {
  const std::string path = FreshPath("empty.npy");
  ASSERT_TRUE(WriteNpy(path, {0, 784}, std::vector<float>{}).ok());
  const auto file = ReadDataFile(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->shape, ElementsAre(0, 784));
}

TEST(NpyTest, ElementsBeginAtAMultipleOf64) {
  const std::string path = FreshPath("aligned.npy");
  for (size_t rank = 1; rank < 40; ++rank) {
    ASSERT_TRUE(
        WriteNpy(path, std::vector<int64_t>(rank, 1), std::vector<double>{0})
            .ok());
    const std::string bytes = Contents(path);
    EXPECT_EQ((bytes.size() - sizeof(double)) % 64, 0u) << rank;
    EXPECT_TRUE(ParseNpy(bytes).ok()) << rank;
  }
}

TEST(NpyTest, RefusesToWriteWhatDoesNotFitItsShape) {
  const std::string path = FreshPath("bad.npy");
  EXPECT_THAT(WriteNpy(path, {2, 2}, std::vector<float>{1}),
              IsInvalid(absl::StrCat("cannot write ", path,
                                     ": shape (2, 2) has 4 elements, but 1 "
                                     "are given")));
  EXPECT_THAT(WriteNpy(path, {}, std::vector<double>{1}),
              IsInvalid("without a dimension"));
  EXPECT_THAT(WriteNpy(path, {-1}, std::vector<double>{}),
              IsInvalid("shape (-1) has a negative dimension"));
  EXPECT_THAT(
      WriteNpy(path, std::vector<int64_t>(30000, 1), std::vector<double>{1}),
      IsInvalid("30000 dimensions are too many"));
  EXPECT_FALSE(std::ifstream(path).good());
}

TEST(NpyTest, SaysWhereItCannotWrite) {
  EXPECT_THAT(
      WriteNpy("/nowhere/x.npy", {1}, std::vector<float>{1}),
      IsError(absl::StatusCode::kNotFound, "cannot write /nowhere/x.npy"));
}

}  // namespace
}  // namespace poe
