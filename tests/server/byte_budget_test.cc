#include "server/byte_budget.h"

#include <utility>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "server/errors.h"

namespace poe::server {
namespace {

TEST(ByteBudgetTest, BytesAreTakenUpToTheLimitAndGoBack) {
  ByteBudget budget(100);
  auto first = budget.Take(60);
  ASSERT_TRUE(first.ok());
  auto second = budget.Take(40);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(budget.in_flight(), 100);
  const absl::Status refused = budget.Take(1).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused), "TOO_MANY_BYTES");
  EXPECT_EQ(budget.in_flight(), 100);
  ByteBudget::Hold moved = *std::move(first);
  EXPECT_EQ(budget.in_flight(), 100);
  moved.reset();
  EXPECT_EQ(budget.in_flight(), 40);
  EXPECT_TRUE(budget.Take(60).ok());
  EXPECT_EQ(budget.in_flight(), 40);
}

TEST(ByteBudgetTest, HoldsGrowAndShrink) {
  ByteBudget budget(100);
  ByteBudget::Hold hold;
  ASSERT_TRUE(budget.Resize(30, hold).ok());
  ASSERT_TRUE(budget.Resize(70, hold).ok());
  EXPECT_EQ(budget.in_flight(), 70);
  {
    const auto other = budget.Take(20);
    ASSERT_TRUE(other.ok());
    EXPECT_EQ(ReasonOf(budget.Resize(81, hold)), "TOO_MANY_BYTES");
    EXPECT_EQ(budget.in_flight(), 90);
    EXPECT_TRUE(budget.Resize(80, hold).ok());
    EXPECT_TRUE(budget.Resize(10, hold).ok());
    EXPECT_EQ(budget.in_flight(), 30);
  }
  EXPECT_EQ(budget.in_flight(), 10);
  hold.reset();
  EXPECT_EQ(budget.in_flight(), 0);
  ASSERT_TRUE(budget.Resize(100, hold).ok());
  EXPECT_EQ(budget.in_flight(), 100);
}

}  // namespace
}  // namespace poe::server
