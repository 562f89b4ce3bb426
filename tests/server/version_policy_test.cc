#include "server/version_policy.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = VersionPolicy::Kind;

TEST(VersionPolicyTest, ThereAreThreeKinds) {
  const auto latest = ParseVersionPolicy("latest:3");
  ASSERT_TRUE(latest.ok()) << latest.status();
  EXPECT_EQ(latest->kind, Kind::kLatest);
  EXPECT_EQ(latest->latest, 3);
  EXPECT_EQ(ParseVersionPolicy("all")->kind, Kind::kAll);
  const auto specific = ParseVersionPolicy("specific:7,2");
  ASSERT_TRUE(specific.ok()) << specific.status();
  EXPECT_EQ(specific->kind, Kind::kSpecific);
  EXPECT_THAT(specific->versions, ElementsAre(2, 7));
  EXPECT_TRUE(specific->MayWant(7));
  EXPECT_FALSE(specific->MayWant(3));
  EXPECT_TRUE(latest->MayWant(3));
}

TEST(VersionPolicyTest, ModelsMayHaveTheirOwn) {
  const auto policies =
      ParseVersionPolicies("latest:2;fashion=all;digits=specific:5");
  ASSERT_TRUE(policies.ok()) << policies.status();
  EXPECT_EQ(policies->Of("other").latest, 2);
  EXPECT_EQ(policies->Of("fashion").kind, Kind::kAll);
  EXPECT_THAT(policies->Of("digits").versions, ElementsAre(5));
  EXPECT_EQ(ParseVersionPolicies("fashion=all")->Of("other").latest, 1);
}

TEST(VersionPolicyTest, AnythingElseIsRefused) {
  for (const char* text : {"", "latest", "latest:0", "latest:x", "latest:-1",
                           "none", "specific:", "specific:0", "specific:1,,2",
                           "specific:1 2", "fashion=", "fashion", "../x=all",
                           "=all", "all;", "all;latest:1", "a=all;a=all"}) {
    const auto policies = ParseVersionPolicies(text);
    EXPECT_EQ(policies.status().code(), absl::StatusCode::kInvalidArgument)
        << text;
  }
  EXPECT_THAT(std::string(ParseVersionPolicies("newest").status().message()),
              HasSubstr("\"newest\" is no version policy; must be latest:N"));
}

}  // namespace
}  // namespace poe::server
