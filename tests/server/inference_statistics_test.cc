#include "server/inference_statistics.h"

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"

namespace poe::server {
namespace {

ServedModel Serve(std::int64_t version) {
  return {.name = "digits",
          .version = version,
          .model = std::make_shared<const Model>()};
}

TEST(InferenceStatisticsTest, CallsAddUp) {
  InferenceStatistics statistics;
  const ServedModel served = Serve(2);
  const auto before =
      static_cast<std::uint64_t>(absl::ToUnixMillis(absl::Now()));
  const InferenceTimes times = {
      .queue = absl::Nanoseconds(1),
      .input = absl::Nanoseconds(20),
      .infer = absl::Nanoseconds(300),
      .output = absl::Nanoseconds(4000),
  };
  statistics.AddSuccess(served, times);
  statistics.AddSuccess(served, times);
  statistics.AddFailure(served, {.queue = absl::Nanoseconds(5)});
  const inference::ModelStatistics counts = statistics.Get(served);
  EXPECT_EQ(counts.name(), "digits");
  EXPECT_EQ(counts.version(), "2");
  EXPECT_EQ(counts.inference_count(), 2);
  EXPECT_EQ(counts.execution_count(), 0);
  EXPECT_GE(counts.last_inference(), before);
  const inference::InferStatistics& sums = counts.inference_stats();
  EXPECT_EQ(sums.success().count(), 2);
  EXPECT_EQ(sums.success().ns(), 8642);
  EXPECT_EQ(sums.fail().count(), 1);
  EXPECT_EQ(sums.fail().ns(), 5);
  EXPECT_EQ(sums.queue().ns(), 2);
  EXPECT_EQ(sums.compute_input().ns(), 40);
  EXPECT_EQ(sums.compute_infer().ns(), 600);
  EXPECT_EQ(sums.compute_output().ns(), 8000);
  EXPECT_EQ(sums.compute_output().count(), 2);
}

TEST(InferenceStatisticsTest, ABatchIsOneExecutionOfAnyNumberOfCalls) {
  InferenceStatistics statistics;
  const ServedModel served = Serve(2);
  for (const std::size_t calls : {1, 7}) {
    statistics.OnBatch({.model = served.name,
                        .version = served.version,
                        .served = &served,
                        .calls = calls,
                        .rows = 9});
  }
  EXPECT_EQ(statistics.Get(served).execution_count(), 2);
  EXPECT_EQ(statistics.Get(served).inference_count(), 0);
}

TEST(InferenceStatisticsTest, CallsThatWereTurnedAwayAreNotCounted) {
  InferenceStatistics statistics;
  const ServedModel served = Serve(1);
  InferenceTimer never_taken(statistics, served);
  never_taken.Report(absl::ResourceExhaustedError("busy"));
  InferenceTimer expired_in_line(statistics, served);
  expired_in_line.End(&InferenceTimes::queue);
  expired_in_line.End(&InferenceTimes::input);
  expired_in_line.Wait();
  expired_in_line.Report(absl::DeadlineExceededError("late"));
  EXPECT_EQ(statistics.Get(served).inference_stats().fail().count(), 0);

  InferenceTimer malformed(statistics, served);
  malformed.End(&InferenceTimes::queue);
  malformed.Report(absl::InvalidArgumentError("malformed"));
  EXPECT_EQ(statistics.Get(served).inference_stats().fail().count(), 1);
}

TEST(InferenceStatisticsTest, ACallThatExpiredInLineIsNoFailure) {
  InferenceStatistics statistics;
  const ServedModel served = Serve(1);
  const absl::Status late = absl::DeadlineExceededError("late");
  const grpc::CallbackServerContext context;
  const auto finish = [&](bool waiting) {
    statistics.OnFinish({.method = "Score",
                         .model = served.name,
                         .version = served.version,
                         .rows = 1,
                         .served = &served,
                         .status = late,
                         .waiting = waiting,
                         .total = absl::Seconds(1),
                         .queue = absl::Seconds(1),
                         .compute = absl::ZeroDuration(),
                         .request_id = "",
                         .context = context});
    return statistics.Get(served).inference_stats().fail().count();
  };
  EXPECT_EQ(finish(/*waiting=*/true), 0);
  EXPECT_EQ(finish(/*waiting=*/false), 1);
}

TEST(InferenceStatisticsTest, PartsOfACallAreItsTime) {
  InferenceStatistics statistics;
  const ServedModel served = Serve(1);
  InferenceTimer timer(statistics, served);
  absl::SleepFor(absl::Milliseconds(2));
  timer.End(&InferenceTimes::queue);
  timer.End(&InferenceTimes::input);
  timer.Wait();
  absl::SleepFor(absl::Milliseconds(2));
  timer.End(&InferenceTimes::queue);
  timer.Report(absl::OkStatus());
  const inference::ModelStatistics counts = statistics.Get(served);
  EXPECT_EQ(counts.inference_count(), 1);
  EXPECT_GE(counts.inference_stats().queue().ns(), 4'000'000);
}

TEST(InferenceStatisticsTest, EachModelHasItsOwn) {
  InferenceStatistics statistics;
  const ServedModel first = Serve(1), second = Serve(2),
                    loaded_again = Serve(1);
  statistics.AddSuccess(first, {});
  statistics.AddSuccess(second, {});
  statistics.AddSuccess(second, {});
  EXPECT_EQ(statistics.Get(first).inference_count(), 1);
  EXPECT_EQ(statistics.Get(second).inference_count(), 2);
  EXPECT_EQ(statistics.Get(loaded_again).inference_count(), 0);
}

TEST(InferenceStatisticsTest, OneModelStaysWhenOthersGo) {
  InferenceStatistics statistics;
  const ServedModel kept = Serve(1);
  statistics.AddSuccess(kept, {});
  for (std::int64_t version = 2; version < 100; ++version)
    statistics.AddSuccess(Serve(version), {});
  EXPECT_EQ(statistics.Get(kept).inference_count(), 1);
}

}  // namespace
}  // namespace poe::server
