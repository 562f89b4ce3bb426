#include "poe/numerics/workers.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace poe {
namespace {

TEST(WorkersTest, RangesCoverEverythingOnce) {
  for (int threads : {1, 2, 3, 8}) {
    const Workers workers(threads);
    for (Index total : {0, 1, 3, 4, 7, 8, 100, 1001}) {
      for (Index least : {1, 4, 30}) {
        std::vector<std::atomic<int>> seen(total);
        workers.ParallelFor(total, least, [&](Index begin, Index end) {
          EXPECT_EQ(begin % kRowQuantum, 0);
          EXPECT_GE(end - begin, std::min(total, std::max(least, kRowQuantum)));
          for (Index i = begin; i < end; ++i) ++seen[i];
        });
        for (const std::atomic<int>& count : seen) EXPECT_EQ(count, 1);
      }
    }
  }
}

TEST(WorkersTest, EachPartIsDoneOnce) {
  for (int threads : {1, 2, 3, 8}) {
    const Workers workers(threads);
    for (Index count : {0, 1, 2, 7, 100}) {
      std::vector<std::atomic<int>> seen(count);
      workers.ForEach(count, [&](Index i) { ++seen[i]; });
      for (const std::atomic<int>& times : seen) EXPECT_EQ(times, 1);
    }
  }
}

TEST(WorkersTest, RunsOfNeighboursStayOnOneThread) {
  const Workers workers(3);
  for (const Index count : {0, 1, 2, 3, 7, 100}) {
    std::vector<std::atomic<int>> seen(count);
    std::vector<std::thread::id> by(count);
    workers.ForEachInRuns(count, 1, [&](Index i) {
      ++seen[i];
      by[i] = std::this_thread::get_id();
    });
    int runs = 0;
    for (Index i = 0; i < count; ++i) {
      EXPECT_EQ(seen[i], 1) << i << " of " << count;
      if (i == 0 || by[i] != by[i - 1]) ++runs;
    }
    EXPECT_LE(runs, 3) << count;
  }
}

TEST(WorkersTest, SeveralThreadsMayLoopAtOnce) {
  for (const auto idle : {Workers::Idle::kSleep, Workers::Idle::kStayAwake}) {
    const Workers workers(3, idle);
    std::atomic<Index> sum = 0;
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller) {
      callers.emplace_back([&] {
        for (int loop = 0; loop < 200; ++loop)
          workers.ParallelFor(
              64, 4, [&](Index begin, Index end) { sum += end - begin; });
      });
    }
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(sum, 4 * 200 * 64);
  }
}

}  // namespace
}  // namespace poe
