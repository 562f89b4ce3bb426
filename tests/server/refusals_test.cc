#include "server/refusals.h"

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;

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

}  // namespace
}  // namespace poe::server
