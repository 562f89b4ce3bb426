#include "poe/layer_training.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/core_models.h"

namespace poe {
namespace {

// One column with the numbers of its rows, as data sorted by cluster are.
class InitialRowsTest : public testing::Test {
 protected:
  InitialRowsTest() {
    spec_.family = Family::kStructuredGaussian;
    spec_.dimension = 1;
  }

  Examples Draw(Index size, const std::vector<float>& weights,
                std::uint64_t seed = 1) {
    RowMatrix<float> values(size, 1);
    std::vector<Index> numbers;
    for (Index n = 0; n < size; ++n) {
      values(n, 0) = static_cast<float>(n);
      numbers.push_back(n);
    }
    TrainingRows rows = {RowsOf(values)};
    rows.weights = weights;
    return InitialRows(RowSelection(spec_, rows, numbers), seed,
                       Workers::Inline());
  }

  DataSpec spec_;
};

TEST_F(InitialRowsTest, AreAllIfTheyAreNotTooMany) {
  EXPECT_EQ(Draw(15000, {}).x.size, 15000);
  EXPECT_EQ(Draw(50000, {}).x.size, 50000);
}

TEST_F(InitialRowsTest, AreDrawnFromTheWholeFileIfTheyAreTooMany) {
  constexpr Index kSize = 75000, kDrawn = 50000;
  const Examples drawn = Draw(kSize, {});
  ASSERT_EQ(drawn.x.size, kDrawn);
  std::vector<double> of_third(3, 0);
  for (Index n = 0; n < kDrawn; ++n) {
    const auto number = static_cast<Index>(drawn.x.values(n, 0));
    if (n > 0) EXPECT_GT(drawn.x.values(n, 0), drawn.x.values(n - 1, 0));
    of_third[number / (kSize / 3)] += 1;
  }
  // 6 standard errors, those of draws with replacement, which are greater.
  for (double count : of_third)
    EXPECT_NEAR(count / kDrawn, 1.0 / 3, 6 * std::sqrt(2.0 / 9 / kDrawn));
  EXPECT_EQ(Draw(kSize, {}).x.values, drawn.x.values);
  EXPECT_NE(Draw(kSize, {}, 2).x.values, drawn.x.values);
}

TEST_F(InitialRowsTest, AreFewerWhereRowsAreLong) {
  spec_.dimension = 512;
  const RowMatrix<float> values = RowMatrix<float>::Zero(20000, 512);
  std::vector<Index> numbers;
  for (Index n = 0; n < values.rows(); ++n) numbers.push_back(n);
  const TrainingRows rows = {RowsOf(values)};
  const RowSelection training(spec_, rows, numbers);
  EXPECT_EQ(InitialRows(training, 1, Workers::Inline()).x.size, 16384);
}

TEST_F(InitialRowsTest, HaveTheirWeightsAndNoneHasNoWeight) {
  const Examples drawn = Draw(5, {1, 0, 3, 0, 0.5});
  ASSERT_EQ(drawn.x.size, 3);
  EXPECT_EQ(drawn.x.values(1, 0), 2);
  EXPECT_EQ(drawn.weights, (std::vector<float>{1, 3, 0.5}));
}

}  // namespace
}  // namespace poe
