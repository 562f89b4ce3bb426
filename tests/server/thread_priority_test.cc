#include "server/thread_priority.h"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#include <atomic>
#include <thread>

#include "gtest/gtest.h"

namespace poe::server {
namespace {

constexpr double kSeconds = 0.05;

// Both threads of a test run here.
void RunOnOneProcessor() {
  cpu_set_t allowed, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  int processor = 0;
  while (!CPU_ISSET(processor, &allowed)) ++processor;
  CPU_ZERO(&one);
  CPU_SET(processor, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
}

double ProcessorSeconds() {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_nsec) * 1e-9;
}

// How often others get the processor from a thread that computes for kSeconds
// and yields.
long Switches() {
  std::atomic<bool> stop = false;
  std::thread other([&stop] {
    RunOnOneProcessor();
    while (!stop) {
    }
  });
  long switches = 0;
  std::thread computing([&switches] {
    RunOnOneProcessor();
    const FrequentYields yields;
    while (ProcessorSeconds() < kSeconds) {
    }
    struct rusage usage;
    EXPECT_EQ(getrusage(RUSAGE_THREAD, &usage), 0);
    switches = usage.ru_nvcsw + usage.ru_nivcsw;
  });
  computing.join();
  stop = true;
  other.join();
  return switches;
}

// 200 are due. Without yields the ticks of the scheduler's clock make 12 where
// there are 250 a second, and 50 where there are 1000.
TEST(FrequentYieldsTest, OthersGetTheProcessorInTheMiddleOfATick) {
  EXPECT_GE(Switches(), 60);
}

}  // namespace
}  // namespace poe::server
