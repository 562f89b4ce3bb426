#include "server/version_store.h"

#include <filesystem>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/server/repository_testing.h"

namespace poe::server {
namespace {

TEST(VersionStoreTest, AFolderWithoutAVersionIsNotAdopted) {
  const TemporaryFolder temporary;
  const auto store = VersionStore::Open(temporary / "models");
  ASSERT_TRUE(store.ok()) << store.status();
  const auto folder = store->MakeTemporary();
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(store->Adopt("digits", 1, *folder).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_TRUE(std::filesystem::exists(*folder));
  EXPECT_FALSE(std::filesystem::exists(temporary / "models/digits"));
}

TEST(VersionStoreTest, WhatWasWrittenHasTheStampsOfItsFiles) {
  const TemporaryFolder temporary;
  const auto store = VersionStore::Open(temporary / "models");
  ASSERT_TRUE(store.ok()) << store.status();
  const auto written = store->Write("digits", 1, TwoBits(0.5));
  ASSERT_TRUE(written.ok()) << written.status();
  const auto found = store->Inspect("digits", 1);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(written->stamps, found->stamps);
  EXPECT_EQ(written->created, found->created);
}

}  // namespace
}  // namespace poe::server
