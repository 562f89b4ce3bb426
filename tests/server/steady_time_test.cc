#include "server/steady_time.h"

#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace poe::server {
namespace {

TEST(SteadyTimeTest, WaitsThatCannotBeCountedEndAfterACentury) {
  const SteadyTime end = SteadyTimeAfter(absl::InfiniteDuration());
  EXPECT_GT(TimeUntil(end), absl::Hours(24 * 365 * 99));
  EXPECT_LT(end, SteadyTime::max());
  EXPECT_LE(TimeUntil(SteadyTimeAfter(-absl::InfiniteDuration())),
            absl::ZeroDuration());
}

TEST(SteadyTimeTest, ADeadlineEndsAWait) {
  absl::Mutex mutex;
  SteadyCondition never;
  const SteadyTime begin = SteadyNow();
  absl::MutexLock lock(&mutex);
  EXPECT_FALSE(never.AwaitUntil(mutex, SteadyTimeAfter(absl::Milliseconds(20)),
                                [] { return false; }));
  EXPECT_GE(-TimeUntil(begin), absl::Milliseconds(20));
  mutex.AssertHeld();
}

TEST(SteadyTimeTest, WhoMakesAConditionHoldEndsAWait) {
  absl::Mutex mutex;
  SteadyCondition condition;
  bool holds = false;
  std::thread other;
  {
    absl::MutexLock lock(&mutex);
    other = std::thread([&] {
      absl::MutexLock lock(&mutex);
      holds = true;
      condition.NotifyAll();
    });
    EXPECT_TRUE(
        condition.AwaitUntil(mutex, SteadyTime::max(), [&] { return holds; }));
  }
  other.join();
}

}  // namespace
}  // namespace poe::server
