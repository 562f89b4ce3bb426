#include "server/errors.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"

namespace poe::server {
namespace {

using testing::HasSubstr;

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.code(), static_cast<int>(status.error_code()));
  EXPECT_EQ(details.message(), status.error_message());
  return details;
}

template <typename Detail>
std::vector<Detail> All(const grpc::Status& status) {
  std::vector<Detail> all;
  const google::rpc::Status details = DetailsOf(status);
  for (const auto& any : details.details()) {
    Detail detail;
    if (any.UnpackTo(&detail)) all.push_back(detail);
  }
  return all;
}

TEST(ErrorsTest, OkStaysOkWithoutDetails) {
  const grpc::Status status = ToGrpcStatus(absl::OkStatus());
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.error_details(), "");
}

TEST(ErrorsTest, ErrorLeavesWithItsReasonAndMetadata) {
  const grpc::Status status =
      ToGrpcStatus(Error(absl::StatusCode::kNotFound, "MODEL_NOT_FOUND",
                         "there is no model \"x\"", {{"model", "x"}}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "there is no model \"x\"");
  const auto infos = All<google::rpc::ErrorInfo>(status);
  ASSERT_EQ(infos.size(), 1u);
  EXPECT_EQ(infos[0].reason(), "MODEL_NOT_FOUND");
  EXPECT_EQ(infos[0].domain(), "poe.v1");
  EXPECT_EQ(infos[0].metadata().at("model"), "x");
}

TEST(ErrorsTest, ErrorWithoutReasonIsNamedByItsCode) {
  const grpc::Status status =
      ToGrpcStatus(absl::DeadlineExceededError("too late"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  const auto infos = All<google::rpc::ErrorInfo>(status);
  ASSERT_EQ(infos.size(), 1u);
  EXPECT_EQ(infos[0].reason(), "DEADLINE_EXCEEDED");
  EXPECT_EQ(infos[0].domain(), "poe.v1");
}

TEST(ErrorsTest, FieldErrorNamesTheFieldInTextAndDetail) {
  const grpc::Status status = ToGrpcStatus(
      FieldError("steps", "OUT_OF_RANGE", "is -1; must be at least 0"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "steps is -1; must be at least 0");
  EXPECT_EQ(All<google::rpc::ErrorInfo>(status).size(), 1u);
  const auto requests = All<google::rpc::BadRequest>(status);
  ASSERT_EQ(requests.size(), 1u);
  ASSERT_EQ(requests[0].field_violations().size(), 1);
  EXPECT_EQ(requests[0].field_violations(0).field(), "steps");
  EXPECT_EQ(requests[0].field_violations(0).description(),
            "is -1; must be at least 0");
}

TEST(ErrorsTest, CoreErrorWithAPathBecomesAFieldError) {
  const absl::Status status = AsFieldError(
      "stages[1]", "INVALID_SETTINGS",
      absl::InvalidArgumentError("products[0].groups[2]: power is 0"));
  EXPECT_EQ(status.message(), "stages[1].products[0].groups[2]: power is 0");
  EXPECT_EQ(ReasonOf(status), "INVALID_SETTINGS");
  const auto requests = All<google::rpc::BadRequest>(ToGrpcStatus(status));
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].field_violations(0).field(),
            "stages[1].products[0].groups[2]");
  EXPECT_EQ(requests[0].field_violations(0).description(), "power is 0");
}

TEST(ErrorsTest, CoreErrorWithoutAPathIsTheFieldsAround) {
  const absl::Status status =
      AsFieldError("data_spec", "INVALID_DATA_SPEC",
                   absl::InvalidArgumentError("the box is empty"));
  EXPECT_EQ(status.message(), "data_spec: the box is empty");
  const auto requests = All<google::rpc::BadRequest>(ToGrpcStatus(status));
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].field_violations(0).field(), "data_spec");
}

TEST(ErrorsTest, CoreErrorOfAnotherCodeKeepsIt) {
  EXPECT_EQ(AsFieldError("a", "B", absl::UnimplementedError("no such kind")),
            absl::UnimplementedError("a: no such kind"));
  EXPECT_EQ(AsFieldError("a", "B", absl::OkStatus()), absl::OkStatus());
}

TEST(ErrorsTest, PrefixKeepsDetails) {
  const absl::Status status =
      WithPrefix("model \"x\"", FieldError("classes", "REQUIRED", "is empty"));
  EXPECT_EQ(status.message(), "model \"x\": classes is empty");
  EXPECT_EQ(ReasonOf(status), "REQUIRED");
  EXPECT_EQ(All<google::rpc::BadRequest>(ToGrpcStatus(status)).size(), 1u);
}

TEST(ErrorsTest, RetryDelayTravels) {
  const grpc::Status status = ToGrpcStatus(
      WithRetryDelay(Error(absl::StatusCode::kUnavailable, "BUSY", "later"),
                     absl::Milliseconds(1500)));
  const auto retries = All<google::rpc::RetryInfo>(status);
  ASSERT_EQ(retries.size(), 1u);
  EXPECT_EQ(retries[0].retry_delay().seconds(), 1);
  EXPECT_EQ(retries[0].retry_delay().nanos(), 500'000'000);
}

TEST(ErrorsTest, LongTextsFitIntoTrailers) {
  std::string field;
  for (int i = 0; i < 10000; ++i) field += "\u00e9";
  const grpc::Status status =
      ToGrpcStatus(FieldError(field, "REASON", field, {{"key", field}}));
  EXPECT_LT(status.error_message().size(), 1001u);
  EXPECT_LT(status.error_details().size(), 4000u);
  EXPECT_EQ(All<google::rpc::ErrorInfo>(status).size(), 1u);
  const grpc::Status plain = ToGrpcStatus(absl::InternalError(field));
  EXPECT_LT(plain.error_message().size(), 1001u);
  // Not cut inside a character: two bytes each, then the dots.
  EXPECT_EQ((plain.error_message().size() - 3) % 2, 0u);
}

TEST(ErrorsTest, QuotedTextIsEscapedAndShort) {
  EXPECT_EQ(Quoted("two\n\"words\""), "\"two\\n\\\"words\\\"\"");
  EXPECT_LT(Quoted(std::string(1000, 'x')).size(), 100u);
  EXPECT_THAT(Quoted(std::string(1000, 'x')), HasSubstr("..."));
}

}  // namespace
}  // namespace poe::server
