#include "server/byte_budget.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "google/protobuf/unknown_field_set.h"
#include "gtest/gtest.h"
#include "inference/open_inference.pb.h"
#include "poe/v1/scoring.pb.h"
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

TEST(ByteBudgetTest, AMessageOfNumbersCountsByItsBytes) {
  v1::ScoreRequest request;
  v1::Tensor& dense = *request.mutable_observations()->mutable_dense();
  dense.set_data(std::string(100'000, '\1'));
  const auto bytes = static_cast<std::int64_t>(request.ByteSizeLong());
  ByteBudget budget(bytes);
  const auto hold = budget.Take(request);
  ASSERT_TRUE(hold.ok()) << hold.status();
  EXPECT_EQ(budget.in_flight(), bytes);
}

TEST(ByteBudgetTest, EmptyPartsCountByTheMemoryThatTheyTake) {
  constexpr std::int64_t kParts = 10'000;
  inference::ModelInferRequest inputs, contents, unknown;
  for (std::int64_t n = 0; n < kParts; ++n) {
    inputs.add_inputs();
    contents.add_raw_input_contents();
    unknown.GetReflection()->MutableUnknownFields(&unknown)->AddLengthDelimited(
        15);
  }
  for (const auto& request : {inputs, contents, unknown}) {
    ASSERT_EQ(request.ByteSizeLong(), 2 * kParts);
    ByteBudget budget(8 * kParts);
    EXPECT_EQ(ReasonOf(budget.Take(request).status()), "TOO_MANY_BYTES");
    EXPECT_EQ(budget.in_flight(), 0);
  }
}

}  // namespace
}  // namespace poe::server
