#include "core/io/idx.h"

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/io/io_testing.h"

namespace poe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Keeps zero bytes inside a literal.
template <size_t N>
std::string Bytes(const char (&literal)[N]) {
  return std::string(literal, N - 1);
}

const std::string kTwoImages =
    Bytes("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02") +
    Bytes("\0\x01\x80\xff");

TEST(IdxTest, ReadsBytesAsBytes) {
  const auto file = ParseIdx(kTwoImages);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->shape, ElementsAre(2, 1, 2));
  EXPECT_EQ(file->rows(), 2);
  EXPECT_EQ(file->columns(), 2);
  EXPECT_THAT(ValuesOf<uint8_t>(*file), ElementsAre(0, 1, 128, 255));
  EXPECT_THAT(file->column_names, IsEmpty());
}

TEST(IdxTest, ReadsSignedIntegersOfEveryWidthBigEndian) {
  const auto bytes = ParseIdx(Bytes("\0\0\x09\x01\0\0\0\x02\xff\x7f"));
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_THAT(ValuesOf<int64_t>(*bytes), ElementsAre(-1, 127));
  const auto shorts = ParseIdx(Bytes("\0\0\x0b\x01\0\0\0\x02\xff\xfe\x01\x02"));
  ASSERT_TRUE(shorts.ok()) << shorts.status();
  EXPECT_THAT(ValuesOf<int64_t>(*shorts), ElementsAre(-2, 258));
  const auto ints = ParseIdx(Bytes("\0\0\x0c\x01\0\0\0\x01\x01\x02\x03\x04"));
  ASSERT_TRUE(ints.ok()) << ints.status();
  EXPECT_THAT(ValuesOf<int64_t>(*ints), ElementsAre(0x01020304));
}

TEST(IdxTest, ReadsFloatingPointBigEndian) {
  const auto floats = ParseIdx(Bytes("\0\0\x0d\x01\0\0\0\x01\xc0\x20\0\0"));
  ASSERT_TRUE(floats.ok()) << floats.status();
  EXPECT_THAT(ValuesOf<float>(*floats), ElementsAre(-2.5f));
  const auto doubles =
      ParseIdx(Bytes("\0\0\x0e\x01\0\0\0\x01\x3f\xf8\0\0\0\0\0\0"));
  ASSERT_TRUE(doubles.ok()) << doubles.status();
  EXPECT_THAT(ValuesOf<double>(*doubles), ElementsAre(1.5));
}

TEST(IdxTest, ReadsAnArrayWithoutRows) {
  const auto file = ParseIdx(Bytes("\0\0\x08\x02\0\0\0\0\0\0\0\x05"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->rows(), 0);
  EXPECT_EQ(file->columns(), 5);
}

TEST(IdxTest, EveryPrefixIsRefused) {
  for (size_t length = 0; length < kTwoImages.size(); ++length) {
    EXPECT_THAT(ParseIdx(kTwoImages.substr(0, length)), IsInvalid(""))
        << length;
  }
}

TEST(IdxTest, SaysWhatIsCutOffOrTooMuch) {
  EXPECT_THAT(ParseIdx(Bytes("\0\0\x08")),
              IsInvalid("IDX header is cut off: 3 bytes where the magic "
                        "number has 4"));
  EXPECT_THAT(ParseIdx(kTwoImages.substr(0, 15)),
              IsInvalid("the lengths of 3 dimensions take 12 bytes, but 11"));
  EXPECT_THAT(ParseIdx(kTwoImages.substr(0, 19)),
              IsInvalid("shape (2, 1, 2) needs 4 elements of 1 bytes, but 3 "
                        "bytes follow the header"));
  EXPECT_THAT(ParseIdx(absl::StrCat(kTwoImages, "x")),
              IsInvalid("but 5 bytes follow"));
  EXPECT_THAT(ParseIdx(Bytes("\0\0\x0b\x01\0\0\0\x01\x01\x02\x03")),
              IsInvalid("needs 1 elements of 2 bytes, but 3 bytes follow"));
}

TEST(IdxTest, RefusesOtherMagicNumbers) {
  EXPECT_THAT(ParseIdx("PK\x03\x04"),
              IsInvalid("is not an IDX file: its first two bytes are not 0"));
  EXPECT_THAT(ParseIdx(Bytes("\0\0\x0a\x01\0\0\0\0")),
              IsInvalid("IDX element type 0x0a is unknown; known are 0x08"));
  EXPECT_THAT(ParseIdx(Bytes("\0\0\x08\0\x07")),
              IsInvalid("a single number without a dimension"));
}

TEST(IdxTest, RefusesAbsurdSizesWithoutAllocatingThem) {
  const std::string length = Bytes("\xff\xff\xff\xff");
  EXPECT_THAT(ParseIdx(absl::StrCat(Bytes("\0\0\x0e\x01"), length)),
              IsInvalid("shape (4294967295) needs 4294967295 elements"));
  EXPECT_THAT(
      ParseIdx(absl::StrCat(Bytes("\0\0\x0e\x03"), length, length, length)),
      IsInvalid("has more elements than can be counted"));
  EXPECT_THAT(ParseIdx(absl::StrCat(Bytes("\0\0\x08\x04"), length, length,
                                    length, Bytes("\0\0\0\0"))),
              IsInvalid("has more elements than can be counted"));
}

}  // namespace
}  // namespace poe
