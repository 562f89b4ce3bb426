#include "server/batcher.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

constexpr Index kDimension = 12, kExperts = 5;
constexpr double kNeverFull = std::numeric_limits<double>::infinity();

std::shared_ptr<const Model> MakeModel(unsigned seed) {
  return std::make_shared<const Model>(
      RandomModel(kDimension, kExperts, {"two", "three"}, seed));
}

// What a call is told, copied out of its batch.
struct Told {
  absl::Status status = absl::UnknownError("not told yet");
  int times = 0;
  RowMatrix<double> log_scores;
  std::vector<std::int32_t> labels;
  std::vector<double> margins;
  std::vector<RowMatrix<double>> expert_log_scores;
};

// A call with rows and a place for its answer.
class Question {
 public:
  Question(std::shared_ptr<const Model> model, Index rows, unsigned seed)
      : model_(std::move(model)), values_(RandomBits(rows, kDimension, seed)) {}

  Batcher::Call ToCall(const ScoreOptions& options = {}) {
    return {.model = model_,
            .rows = View(),
            .options = options,
            .check = [this] { return check_; },
            .done =
                [this](absl::StatusOr<Batcher::Answer> answer) {
                  ++told_.times;
                  told_.status = answer.status();
                  if (answer.ok()) Copy(*answer->scores, answer->first);
                }};
  }

  void Cancel() { check_ = absl::CancelledError("gone"); }
  const Told& told() const { return told_; }

  void ExpectToldAsAlone(const ScoreOptions& options = {}) const {
    ASSERT_TRUE(told_.status.ok()) << told_.status;
    EXPECT_EQ(told_.times, 1);
    const auto alone =
        poe::Score(*model_, View(), options, Workers::Inline(), NeverInterrupt);
    EXPECT_TRUE(told_.log_scores == alone->log_scores);
    EXPECT_EQ(told_.labels, alone->labels);
    EXPECT_EQ(told_.margins, alone->margins);
    ASSERT_EQ(told_.expert_log_scores.size(), alone->expert_log_scores.size());
    for (std::size_t c = 0; c < told_.expert_log_scores.size(); ++c) {
      EXPECT_TRUE(told_.expert_log_scores[c] == alone->expert_log_scores[c]);
    }
  }

 private:
  RawRows View() const {
    return {.values = {values_.data(), values_.rows(), values_.cols()},
            .row_ids = {},
            .observed = {}};
  }

  void Copy(const Scores& scores, Index first) {
    const Index rows = values_.rows();
    told_.log_scores = scores.log_scores.middleRows(first, rows);
    const auto part = [&](const auto& all) {
      return std::vector(all.begin() + first, all.begin() + first + rows);
    };
    told_.labels = part(scores.labels);
    told_.margins = part(scores.margins);
    for (const RowMatrix<double>& of_class : scores.expert_log_scores) {
      told_.expert_log_scores.emplace_back(of_class.middleRows(first, rows));
    }
  }

  const std::shared_ptr<const Model> model_;
  const RowMatrix<float> values_;
  absl::Status check_;
  Told told_;
};

TEST(BatcherTest, AnswersAreThoseOfACallAloneToTheBit) {
  const auto model = MakeModel(1);
  std::vector<Question> questions;
  for (unsigned i = 0; i < 20; ++i) questions.emplace_back(model, 1 + i % 3, i);
  Batcher batcher(kNeverFull);
  for (Question& question : questions) (void)batcher.Add(question.ToCall());
  batcher.Run();
  for (const Question& question : questions) question.ExpectToldAsAlone();
}

TEST(BatcherTest, DifferentModelsAndOptionsDoNotMix) {
  Question one(MakeModel(1), 1, 1), other(MakeModel(2), 2, 2),
      explained(MakeModel(1), 1, 3);
  Batcher batcher(kNeverFull);
  (void)batcher.Add(one.ToCall());
  (void)batcher.Add(other.ToCall());
  (void)batcher.Add(explained.ToCall({.per_expert = true}));
  batcher.Run();
  one.ExpectToldAsAlone();
  other.ExpectToldAsAlone();
  explained.ExpectToldAsAlone({.per_expert = true});
}

TEST(BatcherTest, OneCallOfABatchIsAskedToRunIt) {
  const auto model = MakeModel(1);
  Question first(model, 1, 1), second(model, 1, 2), third(model, 1, 3);
  Batcher batcher(kNeverFull);
  EXPECT_TRUE(batcher.Add(first.ToCall()));
  EXPECT_FALSE(batcher.Add(second.ToCall()));
  batcher.Run();
  EXPECT_TRUE(batcher.Add(third.ToCall()));
  EXPECT_EQ(third.told().times, 0);
  batcher.Run();
  batcher.Run();
  EXPECT_EQ(third.told().times, 1);
}

TEST(BatcherTest, CallsThatComeOneByOneDoNotWait) {
  const auto model = MakeModel(1);
  Batcher batcher(kNeverFull);
  for (unsigned i = 0; i < Batcher::kAlone; ++i) {
    Question alone(model, 1, i);
    EXPECT_TRUE(batcher.Add(alone.ToCall()));
    batcher.Run();
  }
  for (unsigned i = 0; i < Batcher::kAtOnce; ++i) {
    Question question(model, 1, i);
    EXPECT_FALSE(batcher.Add(question.ToCall()));
    question.ExpectToldAsAlone();
  }
  Question waiting(model, 1, 2);
  EXPECT_TRUE(batcher.Add(waiting.ToCall()));
  EXPECT_EQ(waiting.told().times, 0);
}

TEST(BatcherTest, WhoFillsABatchScoresIt) {
  const auto model = MakeModel(1);
  const auto parameters = static_cast<double>(model->num_parameters());
  Question first(model, 1, 1), second(model, 2, 2), next(model, 1, 3);
  Batcher batcher(2.5 * parameters);
  (void)batcher.Add(first.ToCall());
  EXPECT_EQ(first.told().times, 0);
  (void)batcher.Add(second.ToCall());
  first.ExpectToldAsAlone();
  second.ExpectToldAsAlone();
  (void)batcher.Add(next.ToCall());
  EXPECT_EQ(next.told().times, 0);
  batcher.Run();
  next.ExpectToldAsAlone();
}

TEST(BatcherTest, UnwantedCallsAreDroppedAndHurtNoOther) {
  const auto model = MakeModel(1);
  Question first(model, 1, 1), gone(model, 2, 2), last(model, 1, 3);
  Batcher batcher(kNeverFull);
  for (Question* question : {&first, &gone, &last}) {
    (void)batcher.Add(question->ToCall());
  }
  gone.Cancel();
  batcher.Run();
  EXPECT_EQ(gone.told().status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(gone.told().times, 1);
  first.ExpectToldAsAlone();
  last.ExpectToldAsAlone();
}

TEST(BatcherTest, DestructorAnswersWhatWaits) {
  Question question(MakeModel(1), 1, 1);
  {
    Batcher batcher(kNeverFull);
    (void)batcher.Add(question.ToCall());
  }
  question.ExpectToldAsAlone();
}

TEST(BatcherTest, ManyThreadsGetEachTheirOwn) {
  constexpr int kThreads = 4, kCalls = 200;
  const auto model = MakeModel(1);
  std::vector<std::vector<Question>> questions(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    for (unsigned i = 0; i < kCalls; ++i) {
      questions[t].emplace_back(model, 1 + i % 2, t * kCalls + i);
    }
  }
  {
    Batcher batcher(5 * static_cast<double>(model->num_parameters()));
    std::vector<std::thread> threads;
    for (auto& own : questions) {
      threads.emplace_back([&batcher, &own] {
        for (Question& question : own) {
          if (batcher.Add(question.ToCall())) batcher.Run();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  for (const auto& own : questions) {
    for (const Question& question : own) question.ExpectToldAsAlone();
  }
}

}  // namespace
}  // namespace poe::server
