#include "server/executor.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/errors.h"
#include "server/thread_priority.h"

namespace poe::server {
namespace {

constexpr absl::Duration kRetryDelay = absl::Seconds(1);

}  // namespace

Executor::Executor(int threads, std::size_t queue_capacity, int niceness)
    : queue_capacity_(queue_capacity) {
  threads_.reserve(threads);
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this, niceness] {
      LowerThreadPriority(niceness, "work on files");
      RunTasks();
    });
  }
}

Executor::~Executor() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

absl::Status Executor::Submit(Task task) {
  std::vector<Task> unwanted;
  absl::Status status;
  {
    absl::MutexLock lock(&mutex_);
    if (queue_.size() >= queue_capacity_) unwanted = TakeUnwanted();
    if (queue_.size() < queue_capacity_) {
      queue_.push_back(std::move(task));
    } else {
      status = WithRetryDelay(
          Error(absl::StatusCode::kResourceExhausted, "SERVER_BUSY",
                absl::StrCat("the server is busy: ", queue_.size(),
                             " requests are waiting; try again later")),
          kRetryDelay);
    }
  }
  for (Task& old : unwanted) old.run(old.check());
  return status;
}

std::size_t Executor::QueueDepth() const {
  absl::MutexLock lock(&mutex_);
  return queue_.size();
}

bool Executor::HasTaskOrStops() const { return stopping_ || !queue_.empty(); }

std::vector<Executor::Task> Executor::TakeUnwanted() {
  const auto first_unwanted =
      std::stable_partition(queue_.begin(), queue_.end(),
                            [](const Task& task) { return task.check().ok(); });
  std::vector<Task> unwanted(std::make_move_iterator(first_unwanted),
                             std::make_move_iterator(queue_.end()));
  queue_.erase(first_unwanted, queue_.end());
  return unwanted;
}

void Executor::RunTasks() {
  while (true) {
    Task task;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &Executor::HasTaskOrStops));
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task.run(task.check());
  }
}

}  // namespace poe::server
