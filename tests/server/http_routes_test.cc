#include "server/http_routes.h"

#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "server/http_openapi.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(HttpRoutesTest, PartsOfThePathAreFields) {
  const RouteMatch match = FindRoute("DELETE", "/v1/models/digits/versions/12");
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.route->rpc, "/poe.v1.ModelRegistry/DeleteModel");
  EXPECT_THAT(match.values,
              ElementsAre(Pair("name", "digits"), Pair("version", "12")));
}

TEST(HttpRoutesTest, WhatFollowsAColonIsNotOfTheName) {
  const RouteMatch load = FindRoute("POST", "/v1/models/digits:load");
  ASSERT_NE(load.route, nullptr);
  EXPECT_THAT(load.values, ElementsAre(Pair("name", "digits")));
  EXPECT_THAT(FindRoute("GET", "/v1/models/digits:load").methods,
              ElementsAre("POST"));
  EXPECT_THAT(FindRoute("POST", "/v1/models/digits:eat").methods, IsEmpty());
  EXPECT_THAT(FindRoute("POST", "/v1/models/:load").methods, IsEmpty());
}

TEST(HttpRoutesTest, JobsHaveTheirPrefix) {
  const RouteMatch match = FindRoute("GET", "/v1/jobs/7");
  ASSERT_NE(match.route, nullptr);
  EXPECT_THAT(match.values, ElementsAre(Pair("name", "jobs/7")));
}

TEST(HttpRoutesTest, StatisticsOfAllModelsAreNoModelOfThatName) {
  const RouteMatch all = FindRoute("GET", "/v2/models/stats");
  ASSERT_NE(all.route, nullptr);
  EXPECT_EQ(all.route->rpc, "/inference.GRPCInferenceService/ModelStatistics");
  EXPECT_THAT(all.values, IsEmpty());
  EXPECT_THAT(FindRoute("PUT", "/v2/models/stats").methods, ElementsAre("GET"));
  const RouteMatch one = FindRoute("GET", "/v2/models/stats/stats");
  ASSERT_NE(one.route, nullptr);
  EXPECT_THAT(one.values, ElementsAre(Pair("name", "stats")));
}

TEST(HttpRoutesTest, OtherMethodsAndPathsAreNotFound) {
  EXPECT_NE(FindRoute("HEAD", "/v1/models").route, nullptr);
  const RouteMatch match = FindRoute("PATCH", "/v1/models/digits");
  EXPECT_EQ(match.route, nullptr);
  EXPECT_THAT(match.methods, ElementsAre("GET", "DELETE"));
  for (const char* path : {"", "/", "//", "/v1", "/v1/score/", "/v1//score",
                           "/v1/models/", "/v1/models/a/versions/"}) {
    EXPECT_THAT(FindRoute("GET", path).methods, IsEmpty()) << path;
  }
}

// The path with its parts in braces nameless.
std::string Nameless(absl::string_view path) {
  std::string nameless;
  bool inside = false;
  for (const char c : path) {
    if (c == '}') inside = false;
    if (!inside) nameless.push_back(c);
    if (c == '{') inside = true;
  }
  return nameless;
}

TEST(HttpRoutesTest, TheDescriptionListsExactlyTheRoutes) {
  std::set<std::string> routes, described;
  for (const Route& route : HttpRoutes())
    routes.insert(absl::StrCat(route.method, " ", Nameless(route.path)));
  const auto json = nlohmann::json::parse(OpenApiJson());
  for (const auto& [path, methods] : json["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      described.insert(
          absl::StrCat(absl::AsciiStrToUpper(method), " ", Nameless(path)));
    }
  }
  EXPECT_EQ(routes, described);
}

}  // namespace
}  // namespace poe::server
