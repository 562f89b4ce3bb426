#include "server/request_log.h"

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "server/json_formatter.h"
#include "server/manifest.h"
#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"
#include "tests/server/certificates.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

// The log of a server with the model "density".
class RequestLogTest : public ServingTest {
 protected:
  RequestLogTest() {
    logger_->set_pattern("[%l] %v");
    spdlog::set_default_logger(logger_);
    Publish("density", RandomModel(kDimension, 5, {"data"}, 1));
  }
  ~RequestLogTest() override {
    StopServer();
    spdlog::set_default_logger(before_);
    spdlog::set_level(spdlog::level::info);
  }

  static constexpr Index kDimension = 12;

  void StartLogging(const RequestLogOptions& options,
                    const std::string& tokens = "") {
    if (options.json) logger_->set_formatter(std::make_unique<JsonFormatter>());
    ServerOptions server;
    server.request_log = options;
    server.tokens = tokens;
    StartServer(server);
    log_.str("");
  }

  grpc::Status Score(const std::string& model, grpc::ClientContext& context) {
    v1::ScoreRequest request;
    request.mutable_model()->set_name(model);
    *request.mutable_observations() =
        ToObservations(RandomBits(3, kDimension, 1));
    v1::ScoreResponse response;
    return stub().Score(&context, request, &response);
  }
  grpc::Status Score(const std::string& model) {
    grpc::ClientContext context;
    return Score(model, context);
  }

  // What has been logged since the server started or this was called last.
  std::vector<std::string> TakeLines() {
    const std::vector<std::string> lines =
        absl::StrSplit(log_.str(), '\n', absl::SkipEmpty());
    log_.str("");
    return lines;
  }

 private:
  const std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
  std::ostringstream log_;
  const std::shared_ptr<spdlog::logger> logger_ =
      std::make_shared<spdlog::logger>(
          "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_));
};

TEST_F(RequestLogTest, AJsonLineSaysWhatTheCallWas) {
  StartLogging({.json = true, .sample = 1});
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "shop-17");
  context.AddMetadata(
      "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  ASSERT_TRUE(Score("density", context).ok());
  const auto& answered = context.GetServerTrailingMetadata();
  const auto id = answered.find("x-request-id");
  ASSERT_NE(id, answered.end());
  EXPECT_EQ(std::string(id->second.data(), id->second.size()), "shop-17");

  const std::vector<std::string> lines = TakeLines();
  ASSERT_THAT(lines, SizeIs(1));
  const json line = json::parse(lines[0]);
  EXPECT_THAT(line["time"].get<std::string>(),
              MatchesRegex("[0-9-]+T[0-9:]+[.][0-9]{3}Z"));
  EXPECT_EQ(line["level"], "info");
  EXPECT_EQ(line["message"], "request");
  EXPECT_EQ(line["request_id"], "shop-17");
  EXPECT_EQ(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(line["method"], "Score");
  EXPECT_EQ(line["model"], "density");
  EXPECT_EQ(line["version"], 1);
  EXPECT_EQ(line["code"], "OK");
  EXPECT_EQ(line["rows"], 3);
  EXPECT_GT(line["total_seconds"], 0);
  EXPECT_GE(line["queue_seconds"], 0);
  EXPECT_GT(line["compute_seconds"], 0);
  EXPECT_THAT(line["peer"].get<std::string>(), HasSubstr("ip"));
  EXPECT_FALSE(line.contains("reason"));
}

TEST_F(RequestLogTest, ALineNamesTheTokenAndDoesNotHoldIt) {
  const std::string file = (folder() / "tokens").string();
  WriteTestFile(
      file, absl::StrCat("score alice sha256:", Sha256("opensesame"), "\n"));
  for (const bool json : {false, true}) {
    StopServer();
    StartLogging({.json = json, .sample = 1}, file);
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer opensesame");
    ASSERT_TRUE(Score("density", context).ok());
    const std::vector<std::string> lines = TakeLines();
    ASSERT_THAT(lines, SizeIs(1));
    EXPECT_THAT(lines[0],
                HasSubstr(json ? R"("token":"alice")" : " token=alice"));
    EXPECT_THAT(lines[0], Not(HasSubstr("opensesame")));
  }
}

TEST_F(RequestLogTest, AJsonLineOfAFailureHasItsReason) {
  StartLogging({.json = true, .sample = 1000});
  grpc::ClientContext context;
  EXPECT_EQ(Score("cats", context).error_code(), grpc::NOT_FOUND);
  const std::vector<std::string> lines = TakeLines();
  ASSERT_THAT(lines, SizeIs(1));
  const json line = json::parse(lines[0]);
  EXPECT_EQ(line["code"], "NOT_FOUND");
  EXPECT_EQ(line["reason"], "MODEL_NOT_FOUND");
  EXPECT_FALSE(line.contains("error"));
  // The client hears the id that was made for it.
  const auto& answered = context.GetServerTrailingMetadata();
  const auto id = answered.find("x-request-id");
  ASSERT_NE(id, answered.end());
  EXPECT_EQ(line["request_id"],
            std::string(id->second.data(), id->second.size()));
}

TEST_F(RequestLogTest, OneInSoManySuccessesIsLoggedAndEveryFailure) {
  StartLogging({.sample = 3});
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(Score("density").ok());
  EXPECT_THAT(TakeLines(),
              ElementsAre(StartsWith("[info] Score model=density version=1 "
                                     "rows=3 code=OK ms="),
                          StartsWith("[info] "), StartsWith("[info] ")));
  for (int i = 0; i < 2; ++i) ASSERT_FALSE(Score("cats").ok());
  EXPECT_THAT(TakeLines(), SizeIs(2));
}

TEST_F(RequestLogTest, ATextLineHasTheTraceIfThereIsOne) {
  StartLogging({.sample = 1});
  ASSERT_TRUE(Score("density").ok());
  EXPECT_THAT(TakeLines(), ElementsAre(Not(HasSubstr("trace_id"))));
  grpc::ClientContext context;
  context.AddMetadata(
      "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  ASSERT_TRUE(Score("density", context).ok());
  EXPECT_THAT(
      TakeLines(),
      ElementsAre(HasSubstr(" trace_id=4bf92f3577b34da6a3ce929d0e0e4736")));
}

TEST_F(RequestLogTest, WithoutASampleRequestsAreLoggedAtDebug) {
  StartLogging({});
  ASSERT_TRUE(Score("density").ok());
  ASSERT_FALSE(Score("cats").ok());
  EXPECT_THAT(TakeLines(), IsEmpty());
  spdlog::set_level(spdlog::level::debug);
  ASSERT_TRUE(Score("density").ok());
  EXPECT_THAT(TakeLines(), ElementsAre(StartsWith("[debug] Score ")));
}

TEST_F(RequestLogTest, TheLevelOfTheJsonLogChangesAtRunTime) {
  StartLogging({.json = true});
  ASSERT_TRUE(Score("density").ok());
  EXPECT_THAT(TakeLines(), IsEmpty());
  spdlog::set_level(spdlog::level::debug);
  ASSERT_TRUE(Score("density").ok());
  const std::vector<std::string> lines = TakeLines();
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(json::parse(lines[0])["level"], "debug");
}

TEST_F(RequestLogTest, NamesThatClientsMakeUpStayInTheirLine) {
  StartLogging({.sample = 1});
  v1::UnloadModelRequest request;
  request.set_name("a\nb");
  grpc::ClientContext context;
  v1::ModelInfo info;
  EXPECT_FALSE(registry().UnloadModel(&context, request, &info).ok());
  EXPECT_THAT(TakeLines(), ElementsAre(HasSubstr("model=a\\nb ")));
}

TEST_F(RequestLogTest, OtherLinesAreObjectsToo) {
  StartLogging({.json = true});
  spdlog::warn("\"quoted\"\nand \xff broken");
  const std::vector<std::string> lines = TakeLines();
  ASSERT_THAT(lines, SizeIs(1));
  const json line = json::parse(lines[0]);
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["message"], "\"quoted\"\nand \xef\xbf\xbd broken");
}

}  // namespace
}  // namespace poe::server
