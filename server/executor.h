// Threads that compute, apart from those that receive and send.
#ifndef POE_SERVER_EXECUTOR_H_
#define POE_SERVER_EXECUTOR_H_

#include <cstddef>
#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace poe::server {

// A fixed number of threads and a bounded queue, first in, first out.
// Thread-safe.
class Executor {
 public:
  struct Task {
    // Whether the answer is still wanted. Asked before the task runs, and when
    // the queue is full.
    absl::AnyInvocable<absl::Status() const> check;
    // Called exactly once: with OK, in a thread of the executor, to do the
    // work; or with the status of `check`, in any thread, to answer without
    // doing it.
    absl::AnyInvocable<void(absl::Status)> run;
  };

  // Threads and capacity are at least 1; of niceness see thread_priority.h.
  Executor(int threads, std::size_t queue_capacity, int niceness = 0);
  // Runs what is queued, then returns.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Queues the task. ResourceExhausted at once, and the task is not called, if
  // the queue is full of tasks that are still wanted.
  absl::Status Submit(Task task) ABSL_LOCKS_EXCLUDED(mutex_);

  // Tasks that wait for a thread.
  std::size_t QueueDepth() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void RunTasks() ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasTaskOrStops() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes out of the queue what nobody waits for any more.
  std::vector<Task> TakeUnwanted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::size_t queue_capacity_;
  mutable absl::Mutex mutex_;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace poe::server

#endif  // POE_SERVER_EXECUTOR_H_
