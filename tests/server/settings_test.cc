#include "server/settings.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::server {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(SettingsTest, AFileSaysSomeOfThem) {
  const auto values = ParseConfig(R"(
    # Of the east.
    listen: "localhost:9000"
    threads: 2
    drain_seconds: 1.5
    read_only: true
    max_message_bytes: 10000000000
  )");
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_THAT(*values,
              UnorderedElementsAre(
                  Pair("listen", "localhost:9000"), Pair("threads", "2"),
                  Pair("drain_seconds", "1.5"), Pair("read_only", "true"),
                  Pair("max_message_bytes", "10000000000")));
  EXPECT_THAT(*ParseConfig(""), IsEmpty());
}

TEST(SettingsTest, ErrorsOfAFileHaveTheirPlace) {
  const auto refusal = [](const char* text) {
    const absl::Status status = ParseConfig(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(refusal("threads: 2\nthread: 3\n"),
              HasSubstr("line 2, column 7"));
  EXPECT_THAT(refusal("threads: \"x\""), HasSubstr("line 1"));
  EXPECT_THAT(refusal("threads: 2 threads: 3"), HasSubstr("line 1"));
  EXPECT_THAT(refusal("{"), HasSubstr("line 1"));
}

TEST(SettingsTest, VariablesAreNamedLikeFlags) {
  const auto values = ParseEnvironment(
      {"HOME=/", "POE_SERVER=localhost:1", "POE_SERVER_LISTEN=localhost:2",
       "POE_SERVER_CONFIG=a=b", "POE_SERVER_PORT=tcp://10.0.0.1:8500",
       "POE_SERVER_PORT_8500_TCP=x", "POE_SERVER_SERVICE_HOST=10.0.0.1"});
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_THAT(*values, UnorderedElementsAre(Pair("listen", "localhost:2"),
                                            Pair("config", "a=b")));
  const absl::Status status =
      ParseEnvironment({"POE_SERVER_LISTENS=x"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("POE_SERVER_LISTENS"));
}

TEST(SettingsTest, NamesOnACommandLine) {
  EXPECT_THAT(NamesOnCommandLine({"--threads=2", "-listen", "localhost:1",
                                  "--read_only", "--", "--http=x"}),
              ElementsAre("threads", "listen", "read_only"));
  EXPECT_THAT(NamesOnCommandLine({"--noread_only"}), Contains("read_only"));
  EXPECT_THAT(NamesOnCommandLine({"threads"}), Not(Contains("threads")));
}

TEST(SettingsTest, WhatHasNoEffectBesideAnotherIsRefused) {
  Settings settings = {{"read_only", {"true", "command line", true}},
                       {"keep_versions", {"3", "a.txtpb", true}},
                       {"http", {"", "default"}},
                       {"http_connections_per_client", {"32", "a.txtpb"}}};
  const absl::Status refused = CheckTogether(settings);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("keep_versions is 3 (a.txtpb)"),
                    HasSubstr("read_only is \"true\" (command line)")));
  settings["read_only"] = {"false", "default"};
  EXPECT_TRUE(CheckTogether(settings).ok());
  settings["http_connections_per_client"] = {"64", "a.txtpb", true};
  EXPECT_THAT(std::string(CheckTogether(settings).message()),
              HasSubstr("http is \"\" (default)"));
  settings["http"] = {"localhost:8501", "command line", true};
  EXPECT_TRUE(CheckTogether(settings).ok());
}

TEST(SettingsTest, WhatIsPrintedCanBeRead) {
  const std::string text = FormatSettings(
      {{"listen", {"a\"b:1", "command line"}}, {"threads", {"2", "default"}}});
  EXPECT_THAT(text, HasSubstr("listen: \"a\\\"b:1\""));
  EXPECT_THAT(text, HasSubstr("# default\n"));
  const auto values = ParseConfig(text);
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_THAT(*values, UnorderedElementsAre(Pair("listen", "a\"b:1"),
                                            Pair("threads", "2")));
}

}  // namespace
}  // namespace poe::server
