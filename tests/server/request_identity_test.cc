#include "server/request_identity.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::server {
namespace {

using ::testing::MatchesRegex;

constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";

CallHeaders Headers(const char* name, const std::string& value) {
  return {{name, {value.data(), value.size()}}};
}

std::string TraceIdIn(const std::string& traceparent) {
  return std::string(TraceIdOf(Headers("traceparent", traceparent)));
}

TEST(RequestIdentityTest, IdsOfClientsAreTakenOver) {
  for (const std::string& id :
       std::vector<std::string>{"7", "a-b_c.d:e/f+g=h@i", "ABC"}) {
    EXPECT_EQ(RequestIdOf(Headers("x-request-id", id)), id);
  }
  const std::string longest(128, 'x');
  EXPECT_EQ(RequestIdOf(Headers("x-request-id", longest)), longest);
}

TEST(RequestIdentityTest, OthersAreReplacedByNewOnes) {
  for (const std::string& id : std::vector<std::string>{
           "", "a b", "a\"b", "a\nb", std::string(129, 'x')}) {
    EXPECT_THAT(RequestIdOf(Headers("x-request-id", id)),
                MatchesRegex("[0-9a-f]{32}"));
  }
  EXPECT_THAT(RequestIdOf({{"x-request-id", "one"}, {"x-request-id", "two"}}),
              MatchesRegex("[0-9a-f]{32}"));
  EXPECT_NE(RequestIdOf({}), RequestIdOf({}));
}

TEST(RequestIdentityTest, TraceIdsAreThoseOfTraceContext) {
  const std::string trace = kTrace;
  EXPECT_EQ(TraceIdIn("00-" + trace + "-00f067aa0ba902b7-01"), trace);
  // A version to come.
  EXPECT_EQ(TraceIdIn("cc-" + trace + "-00f067aa0ba902b7-01-more"), trace);
  for (const std::string& traceparent : std::vector<std::string>{
           "", trace, "ff-" + trace + "-00f067aa0ba902b7-01",
           "00-" + trace + "-00f067aa0ba902b7-01-more",
           "00-" + trace + "-0000000000000000-01",
           "00-" + std::string(32, '0') + "-00f067aa0ba902b7-01",
           "00-" + std::string(32, 'A') + "-00f067aa0ba902b7-01",
           "00-" + trace + "-00f067aa0ba902b7"}) {
    EXPECT_EQ(TraceIdIn(traceparent), "") << traceparent;
  }
  EXPECT_EQ(TraceIdOf({}), "");
}

}  // namespace
}  // namespace poe::server
