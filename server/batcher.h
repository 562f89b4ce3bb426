// Small questions of many calls, scored together.
#ifndef POE_SERVER_BATCHER_H_
#define POE_SERVER_BATCHER_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "poe/scoring.h"

namespace poe::server {

// Gathers the rows of calls that ask the same model the same, so that the core
// reads its weights once for all of them. A row gets the same bits as alone.
//
// It has no threads: batches are scored in the threads of those who call Add
// and Run. Nothing is refused and the memory is bounded, because whoever fills
// a batch scores it at once. When kAlone calls in a row have had a batch to
// themselves, the next kAtOnce are scored at once too: where calls come one by
// one, waiting gains nothing. Thread-safe.
class Batcher {
 public:
  static constexpr int kAlone = 8;
  static constexpr int kAtOnce = 15;

  // Where the answer to a call stands among those of its batch: as many rows
  // as the call has, from `first` on. Valid while `done` runs.
  struct Answer {
    const Scores* scores;
    Index first;
  };

  struct Call {
    std::shared_ptr<const Model> model;
    // As poe::Score takes them. Valid until `done` has been called.
    RawRows rows;
    ScoreOptions options;
    // Whether the answer is still wanted; asked before the rows are scored.
    absl::AnyInvocable<absl::Status() const> check;
    // Called exactly once: with the answer, with the status of `check`, or with
    // ResourceExhausted if memory runs out. Must not throw.
    absl::AnyInvocable<void(absl::StatusOr<Answer>)> done;
  };

  // A batch is full when its multiply-adds, about its rows times the parameters
  // of its model, are this many.
  explicit Batcher(double full) : full_(full) {}
  // Runs what waits.
  ~Batcher() { Run(); }
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // Takes the call into a batch. If the result is true, the caller must see to
  // it that Run is called once, as soon as no more calls are expected; then
  // Add says so no more until that happens.
  [[nodiscard]] bool Add(Call call) ABSL_LOCKS_EXCLUDED(mutex_);

  // Answers all calls that wait.
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Batch {
    std::vector<Call> calls;  // of one model and equal options
    double work = 0;          // multiply-adds
  };

  // Puts the call into the batch that it belongs to; its place in open_.
  std::vector<Batch>::iterator Place(Call call)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void Score(Batch batch);

  const double full_;
  absl::Mutex mutex_;
  // Few: one for each model and options that are asked at this moment.
  std::vector<Batch> open_ ABSL_GUARDED_BY(mutex_);
  // Whether somebody has been told to call Run.
  bool run_is_due_ ABSL_GUARDED_BY(mutex_) = false;
  // How many batches in a row were of one call, up to now.
  int alone_ ABSL_GUARDED_BY(mutex_) = 0;
  // How many calls to come are scored at once.
  int at_once_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace poe::server

#endif  // POE_SERVER_BATCHER_H_
