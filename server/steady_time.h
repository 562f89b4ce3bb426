// Deadlines by the clock that nobody sets. Those of Abseil, of mutexes and
// notifications alike, go by the system's clock: when it is put back an hour,
// they come an hour later.
#ifndef POE_SERVER_STEADY_TIME_H_
#define POE_SERVER_STEADY_TIME_H_

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace poe::server {

using SteadyTime = std::chrono::steady_clock::time_point;

inline SteadyTime SteadyNow() { return std::chrono::steady_clock::now(); }

// So long from now: at once if `wait` is negative, and after a century if it is
// longer than that.
inline SteadyTime SteadyTimeAfter(absl::Duration wait) {
  constexpr absl::Duration kCentury = absl::Hours(24 * 365 * 100);
  return SteadyNow() + absl::ToChronoNanoseconds(
                           std::clamp(wait, absl::ZeroDuration(), kCentury));
}

// From now until then; negative if that is over.
inline absl::Duration TimeUntil(SteadyTime deadline) {
  return absl::FromChrono(deadline - SteadyNow());
}

// Something that threads wait for until a deadline. Thread-safe.
class SteadyCondition {
 public:
  // Releases `mutex` meanwhile. Returns when `holds` does, which is asked again
  // after each NotifyAll, or at the deadline; whether it holds then.
  template <typename Predicate>
  bool AwaitUntil(absl::Mutex& mutex, SteadyTime deadline, Predicate holds)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    Lockable lockable{mutex};
    return changed_.wait_until(lockable, deadline, std::move(holds));
  }

  // For whoever has made it hold, and holds the mutex or has held it since.
  void NotifyAll() { changed_.notify_all(); }

 private:
  // As the standard library names it.
  struct Lockable {
    absl::Mutex& mutex;
    void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Lock(); }
    void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.Unlock(); }
  };

  std::condition_variable_any changed_;
};

}  // namespace poe::server

#endif  // POE_SERVER_STEADY_TIME_H_
