#include "server/metrics.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "google/protobuf/empty.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class MetricsTest : public DigitsServingTest {
 protected:
  std::string Text() { return server().MetricsText(); }

  grpc::Status Score(const std::string& model) {
    v1::ScoreRequest request;
    request.mutable_model()->set_name(model);
    *request.mutable_observations() =
        ToObservations(RandomBits(3, kDimension, 1));
    grpc::ClientContext context;
    v1::ScoreResponse response;
    return stub().Score(&context, request, &response);
  }

  grpc::Status Unload(const std::string& model, int version) {
    v1::UnloadModelRequest request;
    request.set_name(model);
    request.set_version(version);
    grpc::ClientContext context;
    v1::ModelInfo info;
    return registry().UnloadModel(&context, request, &info);
  }

  grpc::Status Delete(const std::string& model) {
    v1::DeleteModelRequest request;
    request.set_name(model);
    grpc::ClientContext context;
    google::protobuf::Empty response;
    return registry().DeleteModel(&context, request, &response);
  }
};

TEST_F(MetricsTest, CallsAreCountedByMethodModelVersionAndCode) {
  ASSERT_TRUE(Score("digits").ok());
  ASSERT_TRUE(Score("digits").ok());
  EXPECT_EQ(Score("large").error_code(), grpc::INVALID_ARGUMENT);
  const std::string text = Text();
  const std::string digits =
      R"({code="OK",method="Score",model="digits",version="2"})";
  for (const char* metric :
       {"poe_request_duration_seconds_count", "poe_request_queue_seconds_count",
        "poe_request_compute_seconds_count"}) {
    EXPECT_THAT(text, HasSubstr(absl::StrCat(metric, digits, " 2\n")));
  }
  EXPECT_THAT(text,
              HasSubstr(absl::StrCat("poe_request_rows_total", digits, " 6")));
  EXPECT_THAT(
      text, HasSubstr(R"(poe_request_duration_seconds_count{)"
                      R"(code="INVALID_ARGUMENT",method="Score",model="large",)"
                      R"(version="1"} 1)"));
}

TEST_F(MetricsTest, BatchesAreMeasuredByVersionUntilItIsUnloaded) {
  ASSERT_TRUE(Score("digits").ok());
  ASSERT_TRUE(Score("digits").ok());
  const std::string digits = R"({model="digits",version="2"})";
  const std::string text = Text();
  EXPECT_THAT(text,
              HasSubstr(absl::StrCat("poe_batch_calls_count", digits, " 2\n")));
  EXPECT_THAT(text,
              HasSubstr(absl::StrCat("poe_batch_calls_sum", digits, " 2\n")));
  EXPECT_THAT(text,
              HasSubstr(absl::StrCat("poe_batch_rows_sum", digits, " 6\n")));
  ASSERT_TRUE(Unload("digits", 2).ok());
  EXPECT_THAT(Text(), Not(HasSubstr(absl::StrCat("_sum", digits))));
}

TEST_F(MetricsTest, NamesThatClientsMakeUpAreNoLabels) {
  for (const char* name : {"cats", "dogs"}) {
    EXPECT_EQ(Score(name).error_code(), grpc::NOT_FOUND);
    EXPECT_EQ(Unload(name, 7).error_code(), grpc::NOT_FOUND);
  }
  const std::string text = Text();
  EXPECT_THAT(text, Not(HasSubstr("cats")));
  EXPECT_THAT(text, Not(HasSubstr("dogs")));
  EXPECT_THAT(text, HasSubstr(R"(poe_request_duration_seconds_count{)"
                              R"(code="NOT_FOUND",method="UnloadModel",)"
                              R"(model="",version=""} 2)"));
  EXPECT_THAT(
      text,
      HasSubstr(R"(poe_request_errors_total{code="NOT_FOUND",method="Score",)"
                R"(reason="MODEL_NOT_FOUND"} 2)"));
}

TEST_F(MetricsTest, WhatIsUnloadedIsForgotten) {
  ASSERT_TRUE(Score("digits").ok());
  ASSERT_TRUE(Score("density").ok());
  EXPECT_THAT(Text(), HasSubstr(R"(model="digits",version="2")"));
  EXPECT_THAT(Text(), HasSubstr("poe_models_loaded 4\n"));
  EXPECT_THAT(Text(), HasSubstr(R"(poe_model_versions{state="available"} 4)"));
  ASSERT_TRUE(Unload("digits", 2).ok());
  EXPECT_THAT(Text(), HasSubstr(R"(poe_model_versions{state="unloaded"} 1)"));
  // Version 1 is still there.
  EXPECT_THAT(Text(), Not(HasSubstr(R"(model="digits",version="2")")));
  EXPECT_THAT(Text(), HasSubstr(R"(poe_model_bytes{model="digits",)"
                                R"(version="1"})"));
  ASSERT_TRUE(Delete("density").ok());
  EXPECT_THAT(Text(), Not(HasSubstr("density")));
  EXPECT_THAT(Text(), HasSubstr("poe_models_loaded 2\n"));
}

TEST_F(MetricsTest, AVersionThatCannotBeLoadedIsCounted) {
  EXPECT_THAT(Text(), HasSubstr(R"(poe_model_versions{state="failed"} 0)"));
  StopServer();
  ASSERT_TRUE(std::filesystem::remove(folder() / "models/density/1/model.pb"));
  StartServer();
  EXPECT_THAT(Text(), HasSubstr(R"(poe_model_versions{state="failed"} 1)"));
}

TEST_F(MetricsTest, CallsInFlightAreSeen) {
  EXPECT_THAT(Text(), HasSubstr("poe_requests_in_flight 0\n"));
  v1::SampleRequest request;
  request.mutable_model()->set_name("large");
  request.set_chains(100);
  request.set_steps(50'000);
  request.set_thinning(1);
  grpc::ClientContext context;
  auto reader = stub().Sample(&context, request);
  v1::SampleResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_THAT(Text(), HasSubstr("poe_requests_in_flight 1\n"));
  EXPECT_THAT(Text(), HasSubstr(absl::StrCat("poe_request_bytes_in_flight ",
                                             request.ByteSizeLong(), "\n")));
  context.TryCancel();
  while (reader->Read(&response)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::CANCELLED);
}

TEST_F(MetricsTest, TheServerAndItsProcessAreMeasured) {
  const std::string text = Text();
  for (const char* line : {R"(poe_queue_depth{queue="batches"} 0)",
                           R"(poe_queue_depth{queue="compute"} 0)",
                           R"(poe_queue_depth{queue="sampling"} 0)",
                           R"(poe_queue_depth{queue="files"} 0)",
                           R"(poe_queue_depth{queue="uploads"} 0)",
                           R"(poe_training_jobs{state="running"} 0)",
                           "# TYPE poe_connections gauge",
                           "# TYPE poe_request_duration_seconds histogram",
                           "# TYPE process_cpu_seconds_total counter",
                           R"(poe_build_info{version=")"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  for (const char* metric :
       {"process_resident_memory_bytes", "process_open_fds",
        "process_cpu_seconds_total", "process_start_time_seconds"}) {
    bool found = false;
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      if (!absl::StartsWith(line, absl::StrCat(metric, " "))) continue;
      found = true;
      EXPECT_GT(std::stod(std::string(line.substr(line.find(' ')))), 0) << line;
    }
    EXPECT_TRUE(found) << metric;
  }
}

}  // namespace
}  // namespace poe::server
