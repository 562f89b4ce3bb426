// Threads that share loops over rows.
#ifndef POE_NUMERICS_WORKERS_H_
#define POE_NUMERICS_WORKERS_H_

#include <memory>

#include "absl/functional/function_ref.h"
#include "poe/numerics/matrix_product.h"

namespace poe {

// Rows of one pass over observations that are worth a thread's while.
inline constexpr Index kLeastRows = 16;

// A fixed number of threads. ParallelFor may be called from several threads at
// once; loops then share the threads. Results never depend on the number of
// threads, because loops are only ever split between independent rows, or
// between parts of sums that do not depend on it.
class Workers {
 public:
  // What threads do between loops.
  enum class Idle {
    kSleep,
    // For a millisecond they look for work, giving way to others: for one
    // caller whose loops follow close upon each other, as in training.
    kStayAwake
  };

  // `threads` counts the calling thread; 1 makes every loop run in the caller.
  explicit Workers(int threads, Idle idle = Idle::kSleep);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int threads() const;

  // Runs body(begin, end) over disjoint ranges that cover [0, total), each
  // beginning at a multiple of kRowQuantum, and returns when all are done. No
  // range is shorter than `least` or than kRowQuantum unless `total` is.
  void ParallelFor(Index total, Index least,
                   absl::FunctionRef<void(Index, Index)> body) const;

  // Runs body(i) for each i in [0, count), each on the next free thread, and
  // returns when all are done.
  void ForEach(Index count, absl::FunctionRef<void(Index)> body) const;

  // Runs body(i) for each i in [0, count), each thread a run of neighbours, the
  // same at every call with as many, so that it finds its own in its cache; no
  // run is shorter than `least` unless `count` is. Returns when all are done.
  void ForEachInRuns(Index count, Index least,
                     absl::FunctionRef<void(Index)> body) const;

  // Workers without threads of their own.
  static const Workers& Inline();

 private:
  class Pool;
  std::unique_ptr<Pool> pool_;
};

}  // namespace poe

#endif  // POE_NUMERICS_WORKERS_H_
