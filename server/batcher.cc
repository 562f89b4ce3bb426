#include "server/batcher.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "poe/numerics/workers.h"
#include "server/errors.h"

namespace poe::server {
namespace {

double WorkOf(const Batcher::Call& call) {
  return static_cast<double>(call.rows.size()) *
         static_cast<double>(call.model->num_parameters());
}

// The calls that are still wanted; answers the others.
std::vector<Batcher::Call> DropUnwanted(std::vector<Batcher::Call> calls) {
  std::vector<Batcher::Call> wanted;
  wanted.reserve(calls.size());
  for (Batcher::Call& call : calls) {
    if (const absl::Status status = call.check(); status.ok()) {
      wanted.push_back(std::move(call));
    } else {
      call.done(status);
    }
  }
  return wanted;
}

// The rows of several calls, one after another.
class GatheredRows {
 public:
  explicit GatheredRows(const std::vector<Batcher::Call>& calls)
      : columns_(calls.front().rows.values.cols()) {
    Index rows = 0;
    bool named = false;
    for (const Batcher::Call& call : calls) {
      rows += call.rows.size();
      named = named || !call.rows.row_ids.empty();
    }
    values_.reserve(rows * columns_);
    if (named) row_ids_.reserve(rows);
    for (const Batcher::Call& call : calls) {
      const auto& values = call.rows.values;
      values_.insert(values_.end(), values.data(),
                     values.data() + values.size());
      for (Index n = 0; named && n < call.rows.size(); ++n) {
        row_ids_.push_back(call.rows.row_ids.empty()
                               ? static_cast<std::uint64_t>(n)
                               : call.rows.row_ids[n]);
      }
    }
  }

  RawRows View() const {
    return {.values = {values_.data(),
                       static_cast<Index>(values_.size()) / columns_, columns_},
            .row_ids = row_ids_,
            .observed = {}};
  }

 private:
  Index columns_;
  std::vector<float> values_;
  std::vector<std::uint64_t> row_ids_;
};

absl::StatusOr<Scores> ScoreTogether(const std::vector<Batcher::Call>& calls) {
  const Batcher::Call& one = calls.front();
  const auto score = [&one](const RawRows& rows) {
    return poe::Score(*one.model, rows, one.options, Workers::Inline(),
                      NeverInterrupt);
  };
  if (calls.size() == 1) return score(one.rows);
  return score(GatheredRows(calls).View());
}

}  // namespace

bool Batcher::Add(Call call) {
  Batch full;
  {
    absl::MutexLock lock(&mutex_);
    const auto batch = Place(std::move(call));
    const bool at_once = at_once_ > 0;
    if (at_once) --at_once_;
    if (!at_once && batch->work < full_) {
      return !std::exchange(run_is_due_, true);
    }
    full = std::move(*batch);
    open_.erase(batch);
  }
  Score(std::move(full));
  return false;
}

void Batcher::Run() {
  std::vector<Batch> batches;
  {
    absl::MutexLock lock(&mutex_);
    run_is_due_ = false;
    batches.swap(open_);
    const bool alone = batches.size() == 1 && batches[0].calls.size() == 1;
    alone_ = alone ? std::min(alone_ + 1, kAlone) : 0;
    at_once_ = alone_ == kAlone ? kAtOnce : 0;
  }
  for (Batch& batch : batches) Score(std::move(batch));
}

std::vector<Batcher::Batch>::iterator Batcher::Place(Call call) {
  const double work = WorkOf(call);
  auto place =
      std::find_if(open_.begin(), open_.end(), [&call](const Batch& batch) {
        const Call& other = batch.calls.front();
        return other.model == call.model &&
               other.options.per_expert == call.options.per_expert;
      });
  if (place != open_.end()) {
    place->calls.push_back(std::move(call));
  } else {
    Batch fresh;
    fresh.calls.push_back(std::move(call));
    place = open_.insert(place, std::move(fresh));
  }
  place->work += work;
  return place;
}

void Batcher::Score(Batch batch) {
  std::vector<Call> calls = DropUnwanted(std::move(batch.calls));
  if (calls.empty()) return;
  Scores scores;
  const absl::Status status = CatchExceptions([&] {
    absl::StatusOr<Scores> result = ScoreTogether(calls);
    if (result.ok()) scores = *std::move(result);
    return result.status();
  });
  Index first = 0;
  for (Call& call : calls) {
    const Index rows = call.rows.size();
    if (status.ok()) {
      call.done(Answer{&scores, first});
    } else {
      call.done(status);
    }
    first += rows;
  }
}

}  // namespace poe::server
