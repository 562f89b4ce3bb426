#include "server/batcher.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "server/errors.h"
#include "server/steady_time.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Rows = std::vector<float>;

// Answers each row, of one value, by that value, and remembers the batches.
class Answerer {
 public:
  absl::StatusOr<RowAnswer> operator()(const RawRows& rows,
                                       InterruptCheck check)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    Scores scores;
    scores.log_scores = rows.values.cast<double>();
    absl::MutexLock lock(&mutex_);
    batches_.emplace_back(rows.values.data(),
                          rows.values.data() + rows.values.size());
    if (absl::Status status = check(); !status.ok()) return status;
    return scores;
  }

  std::vector<Rows> batches() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return batches_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<Rows> batches_ ABSL_GUARDED_BY(mutex_);
};

// One call and what became of it.
struct Submitted {
  explicit Submitted(Rows values) : rows(std::move(values)) {}

  Rows rows;
  ScoreOptions options;
  std::atomic<bool> gone = false;
  absl::Notification answered;
  absl::Status status;
  Rows answer;

  void Done(const absl::StatusOr<RowAnswer>& got) {
    status = got.status();
    if (got.ok()) {
      const RowMatrix<double>& scores = std::get<Scores>(*got).log_scores;
      answer.assign(scores.data(), scores.data() + scores.size());
    }
    answered.Notify();
  }
};

class BatcherTest : public ::testing::Test {
 protected:
  void Start(Batcher::Options options) {
    batcher_ = std::make_unique<Batcher>(
        options,
        [this](const Model&, const RawRows& rows, const RowQuestion&,
               InterruptCheck check) { return answerer_(rows, check); });
  }

  Batcher::Call CallOf(Submitted& asked,
                       const std::shared_ptr<const Model>& model) const {
    return {.model = model,
            .question = asked.options,
            .rows = RawRows{{asked.rows.data(),
                             static_cast<Index>(asked.rows.size()), 1}},
            .check =
                [&asked] {
                  return asked.gone ? absl::CancelledError("gone")
                                    : absl::OkStatus();
                },
            .done =
                [&asked](const absl::StatusOr<RowAnswer>& answer) {
                  asked.Done(answer);
                }};
  }

  void Submit(Submitted& asked) { Submit(asked, model_); }
  void Submit(Submitted& asked, const std::shared_ptr<const Model>& model) {
    batcher_->Submit(CallOf(asked, model));
  }

  // Keeps the only thread busy until `release_` is notified.
  void Occupy() {
    absl::Notification started;
    Batcher::Call call = CallOf(occupant_, other_model_);
    call.done = [&](const absl::StatusOr<RowAnswer>&) {
      started.Notify();
      release_.WaitForNotification();
    };
    batcher_->Submit(std::move(call));
    started.WaitForNotification();
  }

  // Lets the thread go on and returns when all calls have been answered.
  void Finish() {
    release_.Notify();
    batcher_.reset();
  }

  // Those after the one that occupied the thread.
  std::vector<Rows> Batches() const {
    std::vector<Rows> batches = answerer_.batches();
    batches.erase(batches.begin());
    return batches;
  }

  const std::shared_ptr<const Model> model_ = std::make_shared<Model>();
  const std::shared_ptr<const Model> other_model_ = std::make_shared<Model>();
  Submitted occupant_{{0}};
  absl::Notification release_;
  Answerer answerer_;
  std::unique_ptr<Batcher> batcher_;
};

TEST_F(BatcherTest, WhatHasComeMeanwhileIsAnsweredTogetherInItsOrder) {
  Start({});
  Occupy();
  Submitted first({1, 2}), second({3}), third({4, 5, 6});
  for (Submitted* asked : {&first, &second, &third}) Submit(*asked);
  EXPECT_EQ(batcher_->waiting_calls(), 3);
  Finish();
  EXPECT_THAT(Batches(), ElementsAre(Rows{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(first.answer, first.rows);
  EXPECT_EQ(second.answer, second.rows);
  EXPECT_EQ(third.answer, third.rows);
}

TEST_F(BatcherTest, RowsOfACallStayTogetherAndBatchesAreBounded) {
  Start({.rows = 4});
  Occupy();
  Submitted first({1, 2}), second({3, 4, 5}), third({6}), large(Rows(9, 7));
  for (Submitted* asked : {&first, &second, &third, &large}) Submit(*asked);
  Finish();
  EXPECT_THAT(Batches(), ElementsAre(Rows{1, 2}, Rows{3, 4, 5, 6}, Rows(9, 7)));
  EXPECT_EQ(large.answer, large.rows);
}

TEST_F(BatcherTest, TheFirstCallOfABatchIsToldItsSize) {
  Start({.rows = 5});
  Occupy();
  Submitted first({1, 2}), second({3, 4, 5}), third({6});
  // Only the batcher's thread adds to it.
  std::vector<std::tuple<const Submitted*, std::size_t, Index>> leads;
  for (Submitted* asked : {&first, &second, &third}) {
    Batcher::Call call = CallOf(*asked, model_);
    call.lead = [&leads, asked](std::size_t calls, Index rows) {
      leads.emplace_back(asked, calls, rows);
    };
    batcher_->Submit(std::move(call));
  }
  Finish();
  EXPECT_THAT(
      leads, ElementsAre(std::tuple(&first, 2u, 5), std::tuple(&third, 1u, 1)));
}

TEST_F(BatcherTest, OneRowABatchIsEachCallByItself) {
  Start({.rows = 1});
  Occupy();
  Submitted first({1}), second({2, 3});
  Submit(first);
  Submit(second);
  Finish();
  EXPECT_THAT(Batches(), ElementsAre(Rows{1}, Rows{2, 3}));
}

TEST_F(BatcherTest, OnlyCallsThatAskTheSameShareABatch) {
  Start({});
  Occupy();
  Submitted first({1}), other({2}), masked({3}), last({4});
  other.options.per_expert = true;
  const std::vector<std::uint8_t> mask = {0};
  Submit(first);
  Submit(other);
  Batcher::Call call = CallOf(masked, model_);
  call.rows.observed = mask;
  batcher_->Submit(std::move(call));
  Submit(last);
  Finish();
  EXPECT_THAT(Batches(), ElementsAre(Rows{1, 4}, Rows{2}, Rows{3}));
}

TEST_F(BatcherTest, ABusyModelDoesNotKeepOthersWaiting) {
  Start({.rows = 1});
  Occupy();
  Submitted first({1}), second({2}), third({3}), other({4});
  for (Submitted* asked : {&first, &second, &third}) Submit(*asked);
  Submit(other, std::make_shared<Model>());
  Finish();
  EXPECT_THAT(Batches(), ElementsAre(Rows{1}, Rows{4}, Rows{2}, Rows{3}));
}

TEST_F(BatcherTest, CallsThatNobodyWaitsForAreNotAnswered) {
  Start({});
  Occupy();
  Submitted first({1}), cancelled({2}), last({3});
  for (Submitted* asked : {&first, &cancelled, &last}) Submit(*asked);
  cancelled.gone = true;
  Finish();
  EXPECT_THAT(Batches(), ElementsAre(Rows{1, 3}));
  EXPECT_EQ(cancelled.status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(last.answer, Rows{3});
}

// Batches take at least this long, and whoever waits behind the first one while
// it is answered has a deadline that is over by then, or none.
class LateBatcherTest : public BatcherTest {
 protected:
  static constexpr absl::Duration kBatchTime = absl::Milliseconds(20);

  void Start(Batcher::Options options) {
    batcher_ = std::make_unique<Batcher>(
        options, [this](const Model&, const RawRows& rows, const RowQuestion&,
                        InterruptCheck check) {
          absl::SleepFor(kBatchTime);
          return answerer_(rows, check);
        });
  }

  void SubmitLate(Submitted& asked) {
    Batcher::Call call = CallOf(asked, model_);
    call.deadline = SteadyTimeAfter(kBatchTime);
    batcher_->Submit(std::move(call));
  }
};

TEST_F(LateBatcherTest, CallsThatABatchWouldOutlastComeLast) {
  Start({.rows = 1});
  Occupy();
  Submitted first({1}), late({2}), patient({3}), endless({4});
  Submit(first);
  SubmitLate(late);
  Batcher::Call call = CallOf(patient, model_);
  call.deadline = SteadyTimeAfter(absl::Hours(1));
  batcher_->Submit(std::move(call));
  Submit(endless);
  Finish();
  EXPECT_THAT(Batches(), ElementsAre(Rows{1}, Rows{3}, Rows{4}, Rows{2}));
  EXPECT_EQ(late.answer, Rows{2});
}

TEST_F(LateBatcherTest, CallsThatABatchWouldOutlastTakeTheRoomThatIsLeft) {
  Start({.rows = 3});
  Occupy();
  Submitted first({1, 1, 1}), late({2}), patient({3}), too_late({4, 4});
  Submit(first);
  SubmitLate(late);
  Submit(patient);
  SubmitLate(too_late);
  Finish();
  EXPECT_THAT(Batches(), ElementsAre(Rows{1, 1, 1}, Rows{3, 2}, Rows{4, 4}));
}

TEST_F(BatcherTest, ABatchEndsEarlyOnlyIfAllItsCallsAreGone) {
  Submitted first({1}), second({2});
  std::vector<absl::StatusCode> checks;
  batcher_ = std::make_unique<Batcher>(
      Batcher::Options(),
      [&](const Model&, const RawRows& rows, const RowQuestion&,
          InterruptCheck check) -> absl::StatusOr<RowAnswer> {
        if (rows.size() < 2) return RowAnswer();
        for (Submitted* asked : {&first, &second}) {
          asked->gone = true;
          checks.push_back(check().code());
        }
        return check();
      });
  Occupy();
  Submit(first);
  Submit(second);
  Finish();
  EXPECT_THAT(checks,
              ElementsAre(absl::StatusCode::kOk, absl::StatusCode::kCancelled));
  EXPECT_EQ(first.status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(second.status.code(), absl::StatusCode::kCancelled);
}

TEST_F(BatcherTest, WhatGoesWrongIsToldToAllWhoStillWait) {
  Submitted first({1}), second({2});
  batcher_ = std::make_unique<Batcher>(
      Batcher::Options(),
      [&](const Model&, const RawRows& rows, const RowQuestion&,
          InterruptCheck) -> absl::StatusOr<RowAnswer> {
        if (rows.size() < 2) return RowAnswer();
        second.gone = true;
        throw std::bad_alloc();
      });
  Occupy();
  Submit(first);
  Submit(second);
  Finish();
  EXPECT_EQ(first.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(second.status.code(), absl::StatusCode::kCancelled);
}

TEST_F(BatcherTest, AFullLineRefusesAtOnceAndSaysWhenToTryAgain) {
  Start({.waiting_calls = 2});
  Occupy();
  Submitted first({1}), second({2}), third({3}), other({4});
  for (Submitted* asked : {&first, &second, &third}) Submit(*asked);
  ASSERT_TRUE(third.answered.HasBeenNotified());
  EXPECT_EQ(third.status.code(), absl::StatusCode::kResourceExhausted);
  google::rpc::Status details;
  ASSERT_TRUE(
      details.ParseFromString(ToGrpcStatus(third.status).error_details()));
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(
      std::any_of(details.details().begin(), details.details().end(),
                  [&](const auto& any) { return any.UnpackTo(&retry); }));
  const double seconds =
      static_cast<double>(retry.retry_delay().seconds()) +
      1e-9 * static_cast<double>(retry.retry_delay().nanos());
  EXPECT_GE(seconds, 0.01);
  EXPECT_LE(seconds, 5);
  // Lines of other models have places of their own.
  Submit(other, std::make_shared<Model>());
  EXPECT_FALSE(other.answered.HasBeenNotified());
  Finish();
  EXPECT_EQ(first.answer, Rows{1});
  EXPECT_EQ(second.answer, Rows{2});
  EXPECT_EQ(other.answer, Rows{4});
}

TEST_F(BatcherTest, UnwantedCallsMakeRoomInAFullLine) {
  Start({.waiting_calls = 1});
  Occupy();
  Submitted cancelled({1}), wanted({2});
  Submit(cancelled);
  cancelled.gone = true;
  Submit(wanted);
  EXPECT_TRUE(cancelled.answered.HasBeenNotified());
  EXPECT_EQ(cancelled.status.code(), absl::StatusCode::kCancelled);
  Finish();
  EXPECT_THAT(Batches(), ElementsAre(Rows{2}));
  EXPECT_EQ(wanted.answer, Rows{2});
}

TEST_F(BatcherTest, WithADelayABatchWaitsUntilItIsFull) {
  Start({.rows = 3, .delay = absl::Hours(1)});
  Submitted first({1}), second({2, 3});
  Submit(first);
  Submit(second);
  first.answered.WaitForNotification();
  second.answered.WaitForNotification();
  EXPECT_THAT(answerer_.batches(), ElementsAre(Rows{1, 2, 3}));
}

TEST_F(BatcherTest, ABatchThatIsNotFullLeavesAfterTheDelay) {
  Start({.rows = 3, .delay = absl::Milliseconds(1)});
  Submitted only({1});
  Submit(only);
  only.answered.WaitForNotification();
  EXPECT_EQ(only.answer, Rows{1});
}

TEST_F(BatcherTest, TheEndAnswersWhoeverWaits) {
  Start({.threads = 2, .delay = absl::Hours(1)});
  Submitted first({1}), second({2});
  Submit(first);
  Submit(second, std::make_shared<Model>());
  EXPECT_EQ(batcher_->waiting_calls(), 2);
  EXPECT_THAT(answerer_.batches(), IsEmpty());
  batcher_.reset();
  EXPECT_EQ(first.answer, Rows{1});
  EXPECT_EQ(second.answer, Rows{2});
}

TEST_F(BatcherTest, ManyThreadsGetTheirOwnAnswersEachOnce) {
  constexpr int kCallers = 4, kCalls = 500;
  Start({.threads = 2, .rows = 8, .waiting_calls = kCallers * kCalls});
  std::vector<std::unique_ptr<Submitted>> asked;
  for (int i = 0; i < kCallers * kCalls; ++i) {
    asked.push_back(
        std::make_unique<Submitted>(Rows(1 + i % 3, static_cast<float>(i))));
  }
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < kCalls; ++i) Submit(*asked[caller * kCalls + i]);
    });
  }
  for (std::thread& caller : callers) caller.join();
  batcher_.reset();
  for (const auto& one : asked) {
    ASSERT_TRUE(one->answered.HasBeenNotified());
    ASSERT_EQ(one->answer, one->rows);
  }
  std::size_t rows = 0;
  for (const Rows& batch : answerer_.batches()) {
    EXPECT_LE(batch.size(), 8);
    rows += batch.size();
  }
  std::size_t expected = 0;
  for (const auto& one : asked) expected += one->rows.size();
  EXPECT_EQ(rows, expected);
}

}  // namespace
}  // namespace poe::server
