#include "server/batcher.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/errors.h"

namespace poe::server {
namespace {

constexpr absl::Duration kLeastRetryDelay = absl::Milliseconds(10);
constexpr absl::Duration kMostRetryDelay = absl::Seconds(5);
// What the newest counts for in a mean time.
constexpr double kNewest = 0.125;
// Times of a batch that a call must have left to be answered in its turn: half
// of the batches take longer than the mean.
constexpr double kBatchesLeft = 2;

void AddToMean(absl::Duration newest, absl::Duration& mean) {
  mean =
      mean == absl::ZeroDuration() ? newest : mean + kNewest * (newest - mean);
}

Index FramesOf(const Batcher::Call& call) { return call.rows.values.rows(); }

bool CanShareBatch(const Batcher::Call& one, const Batcher::Call& other) {
  return CanJoin(one.rows, other.rows) && one.question == other.question;
}

// Moves one element to the end of another list.
template <typename T>
void MoveTo(std::list<T>& to, std::list<T>& from,
            typename std::list<T>::iterator element) {
  to.splice(to.end(), from, element);
}

}  // namespace

Batcher::Batcher(const Options& options, Answer answer)
    : options_(options), answer_(std::move(answer)) {
  threads_.reserve(options.threads);
  for (int i = 0; i < options.threads; ++i) {
    threads_.emplace_back([this] { AnswerCalls(); });
  }
}

Batcher::~Batcher() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    full_line_or_stops_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

void Batcher::Submit(Call call) {
  std::list<Waiting> added, unwanted;
  added.push_back({std::move(call), SteadyTimeAfter(options_.delay)});
  const Call& mine = added.front().call;
  absl::Status refusal;
  {
    absl::MutexLock lock(&mutex_);
    auto line = FindLine(mine.model);
    if (line == lines_.end()) {
      line =
          lines_.insert(lines_.end(), Line{.model = mine.model, .calls = {}});
    }
    if (line->calls.size() >= options_.waiting_calls) {
      TakeUnwanted(*line, unwanted);
    }
    if (line->calls.size() < options_.waiting_calls) {
      line->rows += FramesOf(mine);
      line->calls.splice(line->calls.end(), added);
      if (line->rows >= options_.rows) full_line_or_stops_.NotifyAll();
    } else {
      const absl::Duration delay = RetryDelay();
      refusal = WithRetryDelay(
          Error(absl::StatusCode::kResourceExhausted, "SERVER_BUSY",
                absl::StrCat("the model is busy: ", line->calls.size(),
                             " requests are waiting for it; try again in ",
                             absl::FormatDuration(delay))),
          delay);
    }
  }
  if (!refusal.ok()) added.front().call.done(refusal);
  Dismiss(unwanted);
}

std::size_t Batcher::waiting_calls() const {
  absl::MutexLock lock(&mutex_);
  return CountWaiting();
}

void Batcher::AnswerCalls() {
  while (true) {
    std::list<Waiting> batch, unwanted;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &Batcher::HasCallsOrStops));
      if (lines_.empty()) return;
      TakeBatch(batch, unwanted);
      if (batch.empty() && unwanted.empty()) {
        full_line_or_stops_.AwaitUntil(
            mutex_, EndOfDelay(),
            [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
              return HasFullLineOrStops();
            });
      }
    }
    Dismiss(unwanted);
    if (!batch.empty()) AnswerBatch(batch);
  }
}

void Batcher::AnswerBatch(std::list<Waiting>& batch) {
  const SteadyTime start = SteadyNow();
  Index rows = 0;
  for (Waiting& waiting : batch) {
    if (waiting.call.begin != nullptr) waiting.call.begin();
    rows += FramesOf(waiting.call);
  }
  if (Call& first = batch.front().call; first.lead != nullptr) {
    first.lead(batch.size(), rows);
  }
  absl::StatusOr<std::vector<RowAnswer>> answers;
  absl::Status status = CatchExceptions([&] {
    answers = AskTogether(batch);
    return answers.status();
  });
  std::size_t next = 0;
  for (Waiting& waiting : batch) {
    if (status.ok()) {
      waiting.call.done(std::move((*answers)[next++]));
    } else {
      // Who has gone is told so, and not what became of the others.
      absl::Status gone = waiting.call.check();
      waiting.call.done(gone.ok() ? status : std::move(gone));
    }
  }
  const absl::Duration took = absl::FromChrono(SteadyNow() - start);
  absl::MutexLock lock(&mutex_);
  AddToMean(took / static_cast<double>(batch.size()), time_per_call_);
  const auto line = FindLine(batch.front().call.model);
  if (line != lines_.end()) AddToMean(took, line->batch_time);
}

absl::StatusOr<std::vector<RowAnswer>> Batcher::AskTogether(
    const std::list<Waiting>& batch) const {
  const auto check = [&batch] {
    absl::Status status;
    for (const Waiting& waiting : batch) {
      status = waiting.call.check();
      if (status.ok()) break;
    }
    return status;
  };
  const Call& first = batch.front().call;
  std::vector<RawRows> parts;
  parts.reserve(batch.size());
  for (const Waiting& waiting : batch) parts.push_back(waiting.call.rows);
  std::optional<JoinedRows> joined;
  if (parts.size() > 1) joined.emplace(parts);
  const RawRows rows = joined.has_value() ? joined->View() : first.rows;
  absl::StatusOr<RowAnswer> whole =
      answer_(*first.model, rows, first.question, check);
  if (!whole.ok()) return whole.status();
  std::vector<RowAnswer> answers;
  if (parts.size() == 1) {
    answers.push_back(*std::move(whole));
    return answers;
  }
  Index begin = 0;
  for (const RawRows& part : parts) {
    answers.push_back(Part(*whole, rows, begin, begin + part.size()));
    begin += part.size();
  }
  return answers;
}

bool Batcher::HasCallsOrStops() const { return stopping_ || !lines_.empty(); }

bool Batcher::HasFullLineOrStops() const {
  return stopping_ ||
         std::any_of(lines_.begin(), lines_.end(), [this](const Line& line) {
           return line.rows >= options_.rows;
         });
}

SteadyTime Batcher::EndOfDelay() const {
  SteadyTime end = SteadyTime::max();
  for (const Line& line : lines_) {
    end = std::min(end, line.calls.front().due);
  }
  return end;
}

bool Batcher::IsDue(const Line& line, SteadyTime now) const {
  return stopping_ || line.rows >= options_.rows ||
         line.calls.front().due <= now;
}

void Batcher::TakeBatch(std::list<Waiting>& batch,
                        std::list<Waiting>& unwanted) {
  const SteadyTime now = SteadyNow();
  const auto line = std::find_if(
      lines_.begin(), lines_.end(),
      [&](const Line& one)
          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return IsDue(one, now); });
  if (line == lines_.end()) return;
  Batch taken;
  const SteadyTime in_time =
      now + absl::ToChronoNanoseconds(kBatchesLeft * line->batch_time);
  if (FillBatch(*line, in_time, taken, unwanted)) {
    FillBatch(*line, SteadyTime::min(), taken, unwanted);
  }
  batch = std::move(taken.calls);
  if (line->calls.empty()) {
    lines_.erase(line);
  } else {
    MoveTo(lines_, lines_, line);
  }
}

bool Batcher::FillBatch(Line& line, SteadyTime earliest_deadline, Batch& batch,
                        std::list<Waiting>& unwanted) const {
  for (auto next = line.calls.begin(); next != line.calls.end();) {
    const auto waiting = next++;
    const Call& call = waiting->call;
    const Index more = FramesOf(call);
    if (!batch.calls.empty() &&
        !CanShareBatch(batch.calls.front().call, call)) {
      continue;
    }
    if (!call.check().ok()) {
      line.rows -= more;
      MoveTo(unwanted, line.calls, waiting);
      continue;
    }
    if (call.deadline < earliest_deadline) continue;
    if (!batch.calls.empty() && batch.rows + more > options_.rows) return false;
    batch.rows += more;
    line.rows -= more;
    MoveTo(batch.calls, line.calls, waiting);
  }
  return true;
}

std::list<Batcher::Line>::iterator Batcher::FindLine(
    const std::shared_ptr<const Model>& model) {
  return std::find_if(lines_.begin(), lines_.end(),
                      [&](const Line& line) { return line.model == model; });
}

void Batcher::TakeUnwanted(Line& line, std::list<Waiting>& unwanted) {
  for (auto next = line.calls.begin(); next != line.calls.end();) {
    const auto waiting = next++;
    if (waiting->call.check().ok()) continue;
    line.rows -= FramesOf(waiting->call);
    MoveTo(unwanted, line.calls, waiting);
  }
}

void Batcher::Dismiss(std::list<Waiting>& unwanted) {
  for (Waiting& waiting : unwanted) waiting.call.done(waiting.call.check());
}

absl::Duration Batcher::RetryDelay() const {
  const auto calls = static_cast<double>(CountWaiting());
  return std::clamp(time_per_call_ * (calls / options_.threads),
                    kLeastRetryDelay, kMostRetryDelay);
}

std::size_t Batcher::CountWaiting() const {
  std::size_t calls = 0;
  for (const Line& line : lines_) calls += line.calls.size();
  return calls;
}

}  // namespace poe::server
