// Threads whose work may wait for that of others.
#ifndef POE_SERVER_THREAD_PRIORITY_H_
#define POE_SERVER_THREAD_PRIORITY_H_

#include <time.h>

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace poe::server {

// Niceness of threads that read and write files and load models: beside answers
// that take all processors they still get a quarter of one, less where they
// yield.
inline constexpr int kFilesNiceness = 5;

// Of threads that train. SCHED_IDLE would be lower yet, but a training then all
// but stands still beside any other program that is busy.
inline constexpr int kTrainingNiceness = 19;

// Makes this thread, and those that it will make, at least as nice, up to 19; 0
// changes nothing. Logs, naming `work`, where that is not possible.
void LowerThreadPriority(int niceness, absl::string_view work);

// When long work begins to yield its processor, and how often.
inline constexpr absl::Duration kFirstYield = absl::Milliseconds(2);
inline constexpr absl::Duration kBetweenYields = absl::Microseconds(250);

// After kFirstYield, and as long as it lives, the thread that made it yields
// its processor every kBetweenYields, by a timer and SIGURG. Without that, a
// thread that Linux lets run goes on until the next tick of the scheduler's
// clock, for 4 ms where there are 250 of them a second, and threads that wait
// for its processor do so as long, however nice it is (seen with Linux 6.18).
// For long computations; not for code that reads files, which some file systems
// then interrupt, or that holds a lock that calls for answers wait for.
class FrequentYields {
 public:
  // Logs where that is not possible.
  FrequentYields();
  ~FrequentYields();
  FrequentYields(const FrequentYields&) = delete;
  FrequentYields& operator=(const FrequentYields&) = delete;

 private:
  std::optional<timer_t> timer_;
};

}  // namespace poe::server

#endif  // POE_SERVER_THREAD_PRIORITY_H_
