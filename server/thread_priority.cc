#include "server/thread_priority.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

void YieldOnSignal(int) {
  const int error = errno;
  sched_yield();
  errno = error;
}

void WarnOfYields() {
  spdlog::warn("long loads do not yield the processor: {}", strerror(errno));
}

// Whether SIGURG makes the thread that it reaches yield.
bool HandleSignal() {
  struct sigaction action = {};
  action.sa_handler = YieldOnSignal;
  action.sa_flags = SA_RESTART;
  if (sigaction(SIGURG, &action, nullptr) == 0) return true;
  WarnOfYields();
  return false;
}

// A timer that sends SIGURG to this thread again and again.
std::optional<timer_t> StartTimer() {
  struct sigevent event = {};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGURG;
  event._sigev_un._tid = gettid();  // glibc has no other name for it
  timer_t timer;
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) {
    WarnOfYields();
    return std::nullopt;
  }
  const struct itimerspec times = {
      .it_interval = absl::ToTimespec(kBetweenYields),
      .it_value = absl::ToTimespec(kFirstYield)};
  if (timer_settime(timer, 0, &times, nullptr) == 0) return timer;
  WarnOfYields();
  timer_delete(timer);
  return std::nullopt;
}

}  // namespace

void LowerThreadPriority(int niceness, absl::string_view work) {
  if (niceness == 0) return;
  // On Linux, process 0 is this thread.
  const int wanted = std::max(niceness, getpriority(PRIO_PROCESS, 0));
  if (setpriority(PRIO_PROCESS, 0, wanted) != 0) {
    spdlog::warn("{} runs at normal priority: {}",
                 std::string_view(work.data(), work.size()), strerror(errno));
  }
}

FrequentYields::FrequentYields() {
  static const bool is_handled = HandleSignal();
  if (is_handled) timer_ = StartTimer();
}

FrequentYields::~FrequentYields() {
  if (timer_.has_value()) timer_delete(*timer_);
}

}  // namespace poe::server
