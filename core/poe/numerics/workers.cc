#include "poe/numerics/workers.h"

#include <algorithm>
#include <atomic>

#define EIGEN_USE_THREADS
#include "unsupported/Eigen/CXX11/ThreadPool"

namespace poe {

class Workers::Pool {
 public:
  explicit Pool(int threads) : threads_(threads), pool_(threads - 1) {}
  int threads() const { return threads_; }
  Eigen::ThreadPool& pool() { return pool_; }

 private:
  int threads_;
  Eigen::ThreadPool pool_;
};

Workers::Workers(int threads)
    : pool_(threads > 1 ? std::make_unique<Pool>(threads) : nullptr) {}

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
  auto start = [&](Index part) {
    return part == parts ? total : quanta * part / parts * kRowQuantum;
  };
  Eigen::Barrier barrier(static_cast<unsigned>(parts - 1));
  for (Index part = 1; part < parts; ++part) {
    pool_->pool().Schedule([&, part] {
      body(start(part), start(part + 1));
      barrier.Notify();
    });
  }
  body(start(0), start(1));
  barrier.Wait();
}

void Workers::ForEach(Index count, absl::FunctionRef<void(Index)> body) const {
  std::atomic<Index> next = 0;
  const Index parts = std::min<Index>(count, threads());
  ParallelFor(parts * kRowQuantum, kRowQuantum, [&](Index, Index) {
    for (Index i = next++; i < count; i = next++) body(i);
  });
}

const Workers& Workers::Inline() {
  static const Workers* const workers = new Workers(1);
  return *workers;
}

}  // namespace poe
