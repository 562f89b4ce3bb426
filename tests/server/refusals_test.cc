#include "server/refusals.h"

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RefusalsTest : public ::testing::Test {
 protected:
  RefusalsTest() {
    const auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_));
    logger->set_pattern("%l %v");
    spdlog::set_default_logger(logger);
  }
  ~RefusalsTest() override { spdlog::set_default_logger(before_); }

  const std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
  std::ostringstream log_;
  Refusals refusals_;
};

TEST_F(RefusalsTest, AreCountedByPortAndReason) {
  for (int i = 0; i < 3; ++i) {
    refusals_.Add(Refusals::Port::kGrpc, "TOKEN_UNKNOWN");
  }
  refusals_.Add(Refusals::Port::kHttp, "TOKEN_UNKNOWN");
  refusals_.Add(Refusals::Port::kHttp, "BODY_TOO_LARGE");
  std::vector<std::string> counts;
  for (const Refusals::Count& count : refusals_.Counts()) {
    counts.push_back(
        absl::StrCat(count.where, " ", count.reason, " ", count.refusals));
  }
  EXPECT_THAT(counts,
              ElementsAre("grpc TOKEN_UNKNOWN 3", "http BODY_TOO_LARGE 1",
                          "http TOKEN_UNKNOWN 1"));
}

TEST_F(RefusalsTest, ManyOfOneKindAreOneLineAndOthersHaveTheirOwn) {
  for (int i = 0; i < 1000; ++i) {
    refusals_.Add(Refusals::Port::kGrpc, "TOKEN_UNKNOWN");
  }
  refusals_.Add(Refusals::Port::kHttp, "TOKEN_UNKNOWN");
  EXPECT_EQ(
      log_.str(),
      "warning grpc: refused TOKEN_UNKNOWN, 1 since the last such line\n"
      "warning http: refused TOKEN_UNKNOWN, 1 since the last such line\n");
}

TEST_F(RefusalsTest, ALineNamesTheClientOnce) {
  for (int i = 0; i < 3; ++i) {
    refusals_.Add(Refusals::Port::kGrpc, "TOO_MANY_CONNECTIONS", "10.0.0.1");
  }
  EXPECT_EQ(log_.str(),
            "warning grpc: refused TOO_MANY_CONNECTIONS, 1 since the last such "
            "line, from 10.0.0.1\n");
}

TEST_F(RefusalsTest, NoLineNamesManyClients) {
  Refusals refusals(absl::Milliseconds(20));
  const absl::Time end = absl::Now() + absl::Seconds(30);
  while (!absl::StrContains(log_.str(), " and others\n") && absl::Now() < end) {
    for (int i = 0; i < 9; ++i) {
      refusals.Add(Refusals::Port::kHttp, "TOO_MANY_CONNECTIONS",
                   absl::StrCat("10.0.0.", i));
    }
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_THAT(log_.str(), HasSubstr(" and others\n"));
  const std::string log = log_.str();
  for (const absl::string_view line :
       absl::StrSplit(log, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(line, "10.0.0.");
    EXPECT_LE(parts.size(), Refusals::kMostClients + 1) << line;
  }
}

}  // namespace
}  // namespace poe::server
