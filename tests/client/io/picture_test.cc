#include "client/cpp/io/picture.h"

#include <png.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/io/io_testing.h"

namespace poe::client {
namespace {

constexpr Color kRed = {255, 0, 0};
constexpr Color kBlue = {0, 0, 255};

// A PNG file as libpng's reader sees it, widened to RGB.
struct Decoded {
  unsigned width = 0;
  unsigned height = 0;
  bool grey = false;
  std::vector<uint8_t> rgb;
};

Decoded Decode(const std::string& path) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_file(&image, path.c_str()), 0)
      << image.message;
  Decoded decoded = {
      image.width, image.height, image.format == PNG_FORMAT_GRAY, {}};
  image.format = PNG_FORMAT_RGB;
  decoded.rgb.resize(PNG_IMAGE_SIZE(image));
  EXPECT_NE(
      png_image_finish_read(&image, nullptr, decoded.rgb.data(), 0, nullptr), 0)
      << image.message;
  return decoded;
}

TEST(PictureTest, PngHoldsTheColoursThatWereSet) {
  Picture picture(3, 2, kWhite);
  picture.Set(0, 0, kRed);
  picture.Set(2, 1, {1, 2, 3});
  const std::string path = FreshPath("rgb.png");
  ASSERT_TRUE(picture.WritePng(path).ok());
  const Decoded decoded = Decode(path);
  EXPECT_EQ(decoded.width, 3u);
  EXPECT_EQ(decoded.height, 2u);
  EXPECT_FALSE(decoded.grey);
  EXPECT_THAT(decoded.rgb,
              testing::ElementsAre(255, 0, 0, 255, 255, 255, 255, 255, 255,  //
                                   255, 255, 255, 255, 255, 255, 1, 2, 3));
}

TEST(PictureTest, AGreyPictureIsAGreyPngWithTheSameLevels) {
  Picture picture(256, 1, kWhite);
  for (int level = 0; level < 256; ++level) {
    picture.Set(level, 0, Grey(static_cast<uint8_t>(level)));
  }
  const std::string path = FreshPath("grey.png");
  ASSERT_TRUE(picture.WritePng(path).ok());
  const Decoded decoded = Decode(path);
  EXPECT_TRUE(decoded.grey);
  for (int level = 0; level < 256; ++level) {
    EXPECT_EQ(decoded.rgb[static_cast<size_t>(3 * level)], level);
  }
}

TEST(PictureTest, DrawingOutsideHasNoEffect) {
  Picture picture(2, 2, kBlue);
  for (const auto& [x, y] : {std::pair(-1, 0), {0, -1}, {2, 0}, {0, 2}}) {
    picture.Set(x, y, kRed);
    picture.Blend(x, y, kRed, 1);
    EXPECT_EQ(picture.at(x, y), kBlack);
  }
  for (int y = 0; y < 2; ++y) {
    for (int x = 0; x < 2; ++x) EXPECT_EQ(picture.at(x, y), kBlue);
  }
}

TEST(PictureTest, BlendMixesByOpacity) {
  Picture picture(4, 1, {0, 100, 200});
  picture.Blend(0, 0, {100, 0, 201}, 0);
  picture.Blend(1, 0, {100, 0, 201}, 0.25);
  picture.Blend(2, 0, {100, 0, 201}, 1);
  picture.Blend(3, 0, {100, 0, 201}, 7);
  EXPECT_EQ(picture.at(0, 0), (Color{0, 100, 200}));
  EXPECT_EQ(picture.at(1, 0), (Color{25, 75, 200}));
  EXPECT_EQ(picture.at(2, 0), (Color{100, 0, 201}));
  EXPECT_EQ(picture.at(3, 0), (Color{100, 0, 201}));
}

TEST(PictureTest, StacksVerticallyWithAGap) {
  const Picture stack =
      StackVertically({Picture(2, 1, kRed), Picture(3, 2, kBlue)}, 2);
  EXPECT_EQ(stack.width(), 3);
  EXPECT_EQ(stack.height(), 5);
  EXPECT_EQ(stack.at(1, 0), kRed);
  EXPECT_EQ(stack.at(2, 0), kWhite);
  EXPECT_EQ(stack.at(0, 1), kWhite);
  EXPECT_EQ(stack.at(0, 2), kWhite);
  EXPECT_EQ(stack.at(2, 3), kBlue);
  EXPECT_EQ(stack.at(2, 4), kBlue);
}

TEST(PictureTest, StacksSideBySideWithAGap) {
  const Picture row =
      SideBySide({Picture(1, 2, kRed), Picture(2, 3, kBlue)}, 1, kBlack);
  EXPECT_EQ(row.width(), 4);
  EXPECT_EQ(row.height(), 3);
  EXPECT_EQ(row.at(0, 1), kRed);
  EXPECT_EQ(row.at(0, 2), kBlack);
  EXPECT_EQ(row.at(1, 0), kBlack);
  EXPECT_EQ(row.at(2, 0), kBlue);
  EXPECT_EQ(row.at(3, 2), kBlue);
}

TEST(PictureTest, AStackOfNothingIsEmpty) {
  EXPECT_EQ(StackVertically({}, 5).height(), 0);
  EXPECT_EQ(SideBySide({}, 5).width(), 0);
}

TEST(PictureTest, RefusesToWriteAnEmptyPicture) {
  const std::string path = FreshPath("empty.png");
  EXPECT_THAT(Picture().WritePng(path),
              IsInvalid("cannot write " + path +
                        ": a picture of 0 x 0 pixels does not fit"));
  EXPECT_THAT(Picture(-3, 5, kRed).WritePng(path), IsInvalid("0 x 5"));
}

TEST(PictureTest, RefusesToWriteAPictureTooWideForLibpng) {
  EXPECT_THAT(Picture(1'000'001, 1, kRed).WritePng(FreshPath("wide.png")),
              IsInvalid("1000001 x 1 pixels does not fit"));
}

TEST(PictureTest, SaysWhereItCannotWrite) {
  EXPECT_THAT(
      Picture(1, 1, kRed).WritePng("/nowhere/x.png"),
      IsError(absl::StatusCode::kNotFound, "cannot write /nowhere/x.png"));
}

}  // namespace
}  // namespace poe::client
