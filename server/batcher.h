// Calls that ask the same of the same model are answered together: the
// parameters are read once for all of their rows.
#ifndef POE_SERVER_BATCHER_H_
#define POE_SERVER_BATCHER_H_

#include <cstddef>
#include <list>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "poe/interrupt_check.h"
#include "poe/model.h"
#include "poe/raw_rows.h"
#include "server/row_answers.h"
#include "server/steady_time.h"

namespace poe::server {

// Threads that answer calls, and a bounded line of waiting calls for each model
// version. A free thread takes a batch from the line whose turn it is: the call
// that has waited longest and, in their order, those behind it that ask the
// same, as long as they do not make too many rows. Calls whose deadline is
// nearer than twice the time of such a batch come last, where there is room:
// else a line that is longer than its callers are patient would be answered
// from the end at which each answer comes too late. Lines take turns, so that a
// busy model does not keep others waiting. Thread-safe.
class Batcher {
 public:
  struct Options {
    int threads = 1;  // >= 1
    // The most rows in a batch of several calls, >= 1; of sequences, the rows
    // of all together. The rows of one call are never parted.
    Index rows = 1024;
    // How long a call may wait for others to fill its batch. Zero: batches are
    // what has come while all threads were busy.
    absl::Duration delay = absl::ZeroDuration();
    // Calls that may wait for one model version, >= 1.
    std::size_t waiting_calls = 256;
  };

  struct Call {
    std::shared_ptr<const Model> model;
    RowQuestion question;
    // Have passed ValidateRows. Must stay until `done` is called.
    RawRows rows;
    // Whether the answer is still wanted; once it is not, it never is again.
    // Called from any thread, until `done` is.
    absl::AnyInvocable<absl::Status() const> check;
    // From when on it is not, as far as that is known.
    SteadyTime deadline = SteadyTime::max();
    // Called once, when its batch is about to be answered; null is allowed.
    absl::AnyInvocable<void()> begin;
    // Called after that of the first call of a batch alone, with how many calls
    // the batch has and how many rows, as Options counts them; null is allowed.
    absl::AnyInvocable<void(std::size_t calls, Index rows)> lead;
    // Called exactly once: in a thread of the batcher with the answer or what
    // `answer` said instead; or in any thread, and without an answer having
    // been sought, with the status of `check` or ResourceExhausted.
    absl::AnyInvocable<void(absl::StatusOr<RowAnswer>)> done;
  };

  // How rows are answered: Ask, with workers. Called from several threads at
  // once; the check fails only if nobody waits for any of the rows.
  using Answer = absl::AnyInvocable<absl::StatusOr<RowAnswer>(
      const Model& model, const RawRows& rows, const RowQuestion& question,
      InterruptCheck check) const>;

  Batcher(const Options& options, Answer answer);
  // Answers what waits, then returns.
  ~Batcher();
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // Queues the call. If as many as may wait for its model and still want an
  // answer, it is done at once: ResourceExhausted, with a RetryInfo of about
  // the time that those who wait will take.
  void Submit(Call call) ABSL_LOCKS_EXCLUDED(mutex_);

  // Calls that wait now, for all models.
  std::size_t waiting_calls() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiting {
    Call call;
    SteadyTime due;  // has waited long enough then
  };

  // Calls for one model, by arrival; never empty.
  struct Line {
    std::shared_ptr<const Model> model;
    std::list<Waiting> calls;
    Index rows = 0;
    // Of a batch, a mean over the latest; zero before the first that has left
    // others waiting.
    absl::Duration batch_time = absl::ZeroDuration();
  };
  struct Batch {
    std::list<Waiting> calls;
    Index rows = 0;
  };

  void AnswerCalls() ABSL_LOCKS_EXCLUDED(mutex_);
  void AnswerBatch(std::list<Waiting>& batch) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::vector<RowAnswer>> AskTogether(
      const std::list<Waiting>& batch) const;

  bool HasCallsOrStops() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether some line need not wait for more calls.
  bool HasFullLineOrStops() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // When the call that has waited longest will have waited long enough.
  SteadyTime EndOfDelay() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsDue(const Line& line, SteadyTime now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Moves calls out of the first line that is due, and makes it the last.
  // Moves none if none is due yet.
  void TakeBatch(std::list<Waiting>& batch, std::list<Waiting>& unwanted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Moves calls of no earlier deadline into a batch, as long as there is room.
  // False if there is none left for one.
  bool FillBatch(Line& line, SteadyTime earliest_deadline, Batch& batch,
                 std::list<Waiting>& unwanted) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The end if no call waits for the model.
  std::list<Line>::iterator FindLine(const std::shared_ptr<const Model>& model)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Moves out what nobody waits for any more.
  static void TakeUnwanted(Line& line, std::list<Waiting>& unwanted);
  static void Dismiss(std::list<Waiting>& unwanted);
  // How long it takes to answer those who wait.
  absl::Duration RetryDelay() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::size_t CountWaiting() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const Answer answer_;
  mutable absl::Mutex mutex_;
  // HasFullLineOrStops.
  SteadyCondition full_line_or_stops_;
  // The next to be served first.
  std::list<Line> lines_ ABSL_GUARDED_BY(mutex_);
  // Of a thread, a mean over the latest batches; zero before the first.
  absl::Duration time_per_call_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace poe::server

#endif  // POE_SERVER_BATCHER_H_
