#include "poe/numerics/workers.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "hwy/cache_control.h"

namespace poe {
namespace {

// How long a thread looks for work, or for the end of the parts of others,
// before it sleeps. To sleep and be woken takes about as long as the shorter.
constexpr std::chrono::microseconds kBriefly{20}, kLong{1000};

// Looks between two offers of the processor to other threads.
constexpr int kLooks = 100;

// Whether `holds` did in time.
template <typename Condition>
bool SpinUntil(std::chrono::microseconds patience, Condition holds) {
  const auto end = std::chrono::steady_clock::now() + patience;
  do {
    for (int look = 0; look < kLooks; ++look) {
      if (holds()) return true;
      hwy::Pause();
    }
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace

// Threads that take parts of the loops of others, first come, first served.
class Workers::Pool {
 public:
  Pool(int threads, Idle idle)
      : patience_(idle == Idle::kStayAwake ? kLong : kBriefly) {
    threads_.reserve(threads - 1);
    for (int i = 1; i < threads; ++i) threads_.emplace_back([this] { Work(); });
  }
  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      there_is_work_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return static_cast<int>(threads_.size()) + 1; }

  // Runs body(part) for each part in [0, parts), some of them in the caller.
  void Run(Index parts, absl::FunctionRef<void(Index)> body) {
    Loop loop = {.body = body, .parts = parts};
    {
      const std::lock_guard lock(mutex_);
      loops_.push_back(&loop);
      waiting_parts_.fetch_add(parts - 1, std::memory_order_release);
      for (Index i = 1; i < parts; ++i) there_is_work_.notify_one();
    }
    body(0);
    for (Index part; (part = TakeOwn(loop)) < parts;) {
      body(part);
      Finish(loop);
    }
    Finish(loop);
    const auto is_done = [&loop] {
      return loop.done.load(std::memory_order_acquire);
    };
    if (SpinUntil(patience_, is_done)) return;
    std::unique_lock lock(mutex_);
    a_loop_is_done_.wait(lock, is_done);
  }

 private:
  // Lives as long as its caller waits: until it is done.
  struct Loop {
    absl::FunctionRef<void(Index)> body;
    Index parts;
    Index next = 1;   // that nobody has taken
    Index ended = 0;  // under the pool's mutex, like next
    std::atomic<bool> done = false;
  };

  // The next part, or how many there are if all are taken. Under the mutex.
  Index TakeNext(Loop& loop) {
    if (loop.next == loop.parts) return loop.parts;
    const Index part = loop.next++;
    waiting_parts_.fetch_sub(1, std::memory_order_relaxed);
    if (loop.next == loop.parts)
      loops_.erase(std::find(loops_.begin(), loops_.end(), &loop));
    return part;
  }

  Index TakeOwn(Loop& loop) {
    const std::lock_guard lock(mutex_);
    return TakeNext(loop);
  }

  void Finish(Loop& loop) {
    const std::lock_guard lock(mutex_);
    if (++loop.ended < loop.parts) return;
    loop.done.store(true, std::memory_order_release);
    a_loop_is_done_.notify_all();
  }

  void Work() {
    while (true) {
      SpinUntil(patience_, [this] {
        return waiting_parts_.load(std::memory_order_acquire) > 0;
      });
      Loop* loop;
      Index part;
      {
        std::unique_lock lock(mutex_);
        there_is_work_.wait(lock,
                            [this] { return !loops_.empty() || stopping_; });
        if (loops_.empty()) return;
        loop = loops_.front();
        part = TakeNext(*loop);
      }
      loop->body(part);
      Finish(*loop);
    }
  }

  const std::chrono::microseconds patience_;
  std::mutex mutex_;
  std::condition_variable there_is_work_, a_loop_is_done_;
  // With parts that nobody has taken; under the mutex, like stopping_.
  std::deque<Loop*> loops_;
  bool stopping_ = false;
  // Of all loops; for those who look without the mutex.
  std::atomic<Index> waiting_parts_ = 0;
  std::vector<std::thread> threads_;
};

Workers::Workers(int threads, Idle idle)
    : pool_(threads > 1 ? std::make_unique<Pool>(threads, idle) : nullptr) {}

Workers::~Workers() = default;

int Workers::threads() const { return pool_ == nullptr ? 1 : pool_->threads(); }

void Workers::ParallelFor(Index total, Index least,
                          absl::FunctionRef<void(Index, Index)> body) const {
  const Index quanta = total / kRowQuantum;
  const Index least_quanta =
      std::max<Index>(1, (least + kRowQuantum - 1) / kRowQuantum);
  const Index parts = std::clamp<Index>(quanta / least_quanta, 1,
                                        static_cast<Index>(threads()));
  if (parts == 1) {
    if (total > 0) body(0, total);
    return;
  }
  // The last part takes the rows beyond the last whole quantum.
  const auto start = [&](Index part) {
    return part == parts ? total : quanta * part / parts * kRowQuantum;
  };
  pool_->Run(parts, [&](Index part) { body(start(part), start(part + 1)); });
}

void Workers::ForEach(Index count, absl::FunctionRef<void(Index)> body) const {
  std::atomic<Index> next = 0;
  const Index parts = std::min<Index>(count, threads());
  ParallelFor(parts * kRowQuantum, kRowQuantum, [&](Index, Index) {
    for (Index i = next++; i < count; i = next++) body(i);
  });
}

void Workers::ForEachInRuns(Index count, Index least,
                            absl::FunctionRef<void(Index)> body) const {
  ParallelFor(count * kRowQuantum, least * kRowQuantum,
              [&](Index begin, Index end) {
                for (Index i = begin / kRowQuantum; i < end / kRowQuantum; ++i)
                  body(i);
              });
}

const Workers& Workers::Inline() {
  static const Workers* const workers = new Workers(1);
  return *workers;
}

}  // namespace poe
