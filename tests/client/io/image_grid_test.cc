#include "client/cpp/io/image_grid.h"

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/io/io_testing.h"

namespace poe::client {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr Color kRed = {255, 0, 0};

std::vector<int> RedLevelsOfRow(const Picture& picture, int y) {
  std::vector<int> levels;
  for (int x = 0; x < picture.width(); ++x) {
    levels.push_back(picture.at(x, y).red);
  }
  return levels;
}

TEST(ImageGridTest, PlacesImagesInReadingOrderWithGaps) {
  // Three images of 1 x 2 in two columns.
  const std::vector<float> images = {0, 0.2f, 0.4f, 0.6f, 0.8f, 1};
  const auto picture =
      ImageGrid(images, 3, 1, 2, 2,
                {.magnification = 1, .gap = 1, .background = Grey(7)});
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->width(), 7);
  EXPECT_EQ(picture->height(), 5);
  EXPECT_THAT(RedLevelsOfRow(*picture, 0), testing::Each(7));
  EXPECT_THAT(RedLevelsOfRow(*picture, 1),
              testing::ElementsAre(7, 0, 51, 7, 102, 153, 7));
  EXPECT_THAT(RedLevelsOfRow(*picture, 3),
              testing::ElementsAre(7, 204, 255, 7, 7, 7, 7));
  EXPECT_THAT(RedLevelsOfRow(*picture, 4), testing::Each(7));
}

TEST(ImageGridTest, MagnifiesEachValueToASquare) {
  const auto picture = ImageGrid(std::vector<float>{0, 1, 1, 0}, 1, 2, 2, 1,
                                 {.magnification = 3, .gap = 0});
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->width(), 6);
  EXPECT_EQ(picture->height(), 6);
  for (int y = 0; y < 6; ++y) {
    for (int x = 0; x < 6; ++x) {
      EXPECT_EQ(picture->at(x, y), x / 3 == y / 3 ? kBlack : kWhite);
    }
  }
}

TEST(ImageGridTest, ClampsValuesAndShowsNanBlack) {
  const auto picture =
      ImageGrid(std::vector<float>{-1, 2, kNan, kInfinity, -kInfinity, 0.5f}, 1,
                1, 6, 1, {.magnification = 1, .gap = 0});
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_THAT(RedLevelsOfRow(*picture, 0),
              testing::ElementsAre(0, 255, 0, 255, 0, 128));
}

TEST(ImageGridTest, HasNoMoreColumnsThanImages) {
  const auto picture = ImageGrid(std::vector<float>{1, 1}, 2, 1, 1, 100,
                                 {.magnification = 1, .gap = 0});
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->width(), 2);
}

TEST(ImageGridTest, BackgroundMayBeAColour) {
  const auto picture =
      ImageGrid(std::vector<float>{1}, 1, 1, 1, 1, {.background = kRed});
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->at(0, 0), kRed);
  EXPECT_EQ(picture->at(2, 2), kWhite);
}

TEST(SignedImageGridTest, ScalesEachImageByItsOwnLargestMagnitude) {
  const std::vector<float> images = {0, 2, -1, 0, 0.01f, -0.02f};
  const auto picture =
      SignedImageGrid(images, 2, 1, 3, 2, {.magnification = 1, .gap = 0});
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_THAT(RedLevelsOfRow(*picture, 0),
              testing::ElementsAre(128, 255, 65, 128, 192, 1));
}

TEST(SignedImageGridTest, ZerosAndNanAreMidGrey) {
  const auto picture = SignedImageGrid(std::vector<float>{0, 0, kNan}, 1, 1, 3,
                                       1, {.magnification = 1, .gap = 0});
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_THAT(RedLevelsOfRow(*picture, 0), testing::Each(128));
}

TEST(SignedImageGridTest, InfinityDoesNotCountInTheScale) {
  const auto picture =
      SignedImageGrid(std::vector<float>{kInfinity, -kInfinity, 1, -0.5f,  //
                                         kInfinity, -kInfinity, 0, 0},
                      2, 1, 4, 1, {.magnification = 1, .gap = 0});
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_THAT(RedLevelsOfRow(*picture, 0),
              testing::ElementsAre(255, 1, 255, 65));
  EXPECT_THAT(RedLevelsOfRow(*picture, 1),
              testing::ElementsAre(255, 1, 128, 128));
}

TEST(ImageGridTest, RefusesSizesThatDoNotFit) {
  const std::vector<float> images(8);
  EXPECT_THAT(ImageGrid(images, 2, 2, 3, 1),
              IsInvalid("2 images of 2 x 3 have 12 values, but 8 are given"));
  for (const auto& [count, height, width, columns] :
       std::vector<std::array<int64_t, 4>>{
           {0, 2, 2, 1}, {2, -2, -2, 1}, {2, 2, 0, 1}, {2, 2, 2, 0}}) {
    EXPECT_THAT(ImageGrid(images, count, height, width, columns),
                IsInvalid("all must be at least 1, gaps at least 0"));
  }
  EXPECT_THAT(SignedImageGrid(images, 2, 2, 2, 1, {.magnification = 0}),
              IsInvalid("magnified 0 times"));
  EXPECT_THAT(SignedImageGrid(images, 2, 2, 2, 1, {.gap = -1}),
              IsInvalid("with gaps of -1"));
}

TEST(ImageGridTest, RefusesAbsurdSizesWithoutAllocatingThem) {
  const std::vector<float> images(8);
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  const auto too_large = IsInvalid("is more than 16384 pixels wide or high");
  EXPECT_THAT(ImageGrid(images, kHuge, 1, 1, kHuge), too_large);
  EXPECT_THAT(ImageGrid(images, kHuge, 1, 1, 1), too_large);
  EXPECT_THAT(ImageGrid(images, 1, kHuge, kHuge, 1), too_large);
  EXPECT_THAT(ImageGrid(images, 1, 1, 8, 1, {.magnification = 1 << 30}),
              too_large);
  EXPECT_THAT(ImageGrid(images, 1, 1, 8, 1, {.gap = 1 << 30}), too_large);
}

}  // namespace
}  // namespace poe::client
