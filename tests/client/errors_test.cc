#include "client/cpp/errors.h"

#include <string>

#include "absl/status/status.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/support/status.h"
#include "gtest/gtest.h"

namespace poe::client {
namespace {

grpc::Status WithDetails(const std::string& message) {
  google::rpc::ErrorInfo info;
  info.set_reason("SHAPE_MISMATCH");
  google::rpc::BadRequest bad_request;
  auto* violation = bad_request.add_field_violations();
  violation->set_field("observations.dense.shape");
  violation->set_description("has 3 columns, expected 784");
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  details.add_details()->PackFrom(bad_request);
  return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, message,
                      details.SerializeAsString());
}

TEST(ErrorsTest, OkStaysOk) {
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
}

TEST(ErrorsTest, CodeAndMessageStay) {
  EXPECT_EQ(FromGrpcStatus({grpc::StatusCode::NOT_FOUND, "no model x"}),
            absl::NotFoundError("no model x"));
}

TEST(ErrorsTest, ReasonAndViolationsFollowTheMessage) {
  const absl::Status status =
      FromGrpcStatus(WithDetails("the data do not fit"));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "the data do not fit; observations.dense.shape: has 3 columns, "
            "expected 784 [SHAPE_MISMATCH]");
  EXPECT_EQ(ErrorReason(status), "SHAPE_MISMATCH");
}

TEST(ErrorsTest, NothingIsSaidTwice) {
  const std::string message =
      "SHAPE_MISMATCH: observations.dense.shape has 3 columns, expected 784";
  EXPECT_EQ(FromGrpcStatus(WithDetails(message)).message(), message);
}

TEST(ErrorsTest, DetailsThatAreNoneAreIgnored) {
  const grpc::Status status(grpc::StatusCode::INTERNAL, "broken", "\xff\xff");
  EXPECT_EQ(FromGrpcStatus(status), absl::InternalError("broken"));
  EXPECT_EQ(ErrorReason(absl::InternalError("broken")), "");
}

}  // namespace
}  // namespace poe::client
