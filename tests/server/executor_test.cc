#include "server/executor.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;

Executor::Task Wanted(absl::AnyInvocable<void(absl::Status)> run) {
  return {[] { return absl::OkStatus(); }, std::move(run)};
}

// Keeps the only thread of `executor` busy until `release` is notified.
void Occupy(Executor& executor, absl::Notification& release) {
  absl::Notification started;
  ASSERT_TRUE(executor
                  .Submit(Wanted([&](absl::Status) {
                    started.Notify();
                    release.WaitForNotification();
                  }))
                  .ok());
  started.WaitForNotification();
}

TEST(ExecutorTest, RunsEveryTaskOnceInItsOwnThreads) {
  std::atomic<int> runs = 0;
  std::atomic<int> in_this_thread = 0;
  {
    Executor executor(/*threads=*/3, /*queue_capacity=*/1000);
    for (int i = 0; i < 1000; ++i) {
      const auto caller = std::this_thread::get_id();
      ASSERT_TRUE(executor
                      .Submit(Wanted([&, caller](absl::Status status) {
                        EXPECT_TRUE(status.ok());
                        ++runs;
                        if (std::this_thread::get_id() == caller) {
                          ++in_this_thread;
                        }
                      }))
                      .ok());
    }
  }
  EXPECT_EQ(runs, 1000);
  EXPECT_EQ(in_this_thread, 0);
}

TEST(ExecutorTest, OneThreadRunsTasksInTheirOrder) {
  std::vector<int> order;
  {
    Executor executor(1, 10);
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(
          executor
              .Submit(Wanted([&order, i](absl::Status) { order.push_back(i); }))
              .ok());
    }
  }
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3));
}

TEST(ExecutorTest, AFullQueueRefusesAtOnce) {
  absl::Notification release;
  std::atomic<int> runs = 0;
  {
    Executor executor(1, 2);
    Occupy(executor, release);
    auto count = [&runs](absl::Status) { ++runs; };
    EXPECT_TRUE(executor.Submit(Wanted(count)).ok());
    EXPECT_TRUE(executor.Submit(Wanted(count)).ok());
    EXPECT_EQ(executor.Submit(Wanted(count)).code(),
              absl::StatusCode::kResourceExhausted);
    release.Notify();
  }
  EXPECT_EQ(runs, 2);
}

TEST(ExecutorTest, UnwantedTasksAreAnsweredWithoutBeingDone) {
  absl::Notification release;
  std::atomic<bool> cancelled = false;
  std::vector<absl::StatusCode> codes;
  {
    Executor executor(1, 10);
    Occupy(executor, release);
    ASSERT_TRUE(executor
                    .Submit({[&] {
                               return cancelled ? absl::CancelledError("gone")
                                                : absl::OkStatus();
                             },
                             [&](absl::Status status) {
                               codes.push_back(status.code());
                             }})
                    .ok());
    cancelled = true;
    release.Notify();
  }
  EXPECT_THAT(codes, ElementsAre(absl::StatusCode::kCancelled));
}

TEST(ExecutorTest, UnwantedTasksMakeRoomInAFullQueue) {
  absl::Notification release;
  std::atomic<bool> cancelled = false;
  std::vector<absl::StatusCode> codes;
  {
    Executor executor(1, 1);
    Occupy(executor, release);
    ASSERT_TRUE(executor
                    .Submit({[&] {
                               return cancelled ? absl::CancelledError("gone")
                                                : absl::OkStatus();
                             },
                             [&](absl::Status status) {
                               codes.push_back(status.code());
                             }})
                    .ok());
    cancelled = true;
    EXPECT_TRUE(executor
                    .Submit(Wanted([&](absl::Status status) {
                      codes.push_back(status.code());
                    }))
                    .ok());
    EXPECT_THAT(codes, ElementsAre(absl::StatusCode::kCancelled));
    release.Notify();
  }
  EXPECT_THAT(codes,
              ElementsAre(absl::StatusCode::kCancelled, absl::StatusCode::kOk));
}

TEST(ExecutorTest, ThreadsAreAsNiceAsAsked) {
  int niceness = 0;
  {
    Executor executor(1, 1, 10);
    ASSERT_TRUE(executor
                    .Submit(Wanted([&](absl::Status) {
                      niceness = getpriority(PRIO_PROCESS, 0);
                    }))
                    .ok());
  }
  EXPECT_EQ(niceness, std::max(10, getpriority(PRIO_PROCESS, 0)));
}

}  // namespace
}  // namespace poe::server
