#include "server/inference_statistics.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

namespace poe::server {
namespace {

void Add(absl::Duration duration, inference::StatisticDuration* sum) {
  sum->set_count(sum->count() + 1);
  sum->set_ns(sum->ns() +
              static_cast<std::uint64_t>(absl::ToInt64Nanoseconds(duration)));
}

absl::Duration Total(const InferenceTimes& times) {
  return times.queue + times.input + times.infer + times.output;
}

void SetLast(inference::ModelStatistics& counts) {
  counts.set_last_inference(
      static_cast<std::uint64_t>(absl::ToUnixMillis(absl::Now())));
}

bool IsQuestion(absl::string_view method) {
  return method == "Score" || method == "ScoreStream" ||
         method == "Reconstruct" || method == "Sample";
}

}  // namespace

void InferenceStatistics::OnBatch(const BatchReport& report) {
  if (report.served == nullptr) return;
  absl::MutexLock lock(&mutex_);
  inference::ModelStatistics& counts = Find(*report.served);
  counts.set_execution_count(counts.execution_count() + 1);
}

void InferenceStatistics::OnFinish(const RequestReport& report) {
  if (report.served == nullptr || report.waiting ||
      !IsQuestion(report.method)) {
    return;
  }
  const InferenceTimes times = {.queue = report.queue,
                                .input = {},
                                .infer = report.compute,
                                .output = {}};
  if (report.status.ok()) {
    AddSuccess(*report.served, times);
  } else if (!absl::IsResourceExhausted(report.status)) {
    AddFailure(*report.served, times);
  }
}

void InferenceStatistics::AddSuccess(const ServedModel& served,
                                     const InferenceTimes& times) {
  absl::MutexLock lock(&mutex_);
  inference::ModelStatistics& counts = Find(served);
  SetLast(counts);
  counts.set_inference_count(counts.inference_count() + 1);
  inference::InferStatistics& sums = *counts.mutable_inference_stats();
  Add(Total(times), sums.mutable_success());
  Add(times.queue, sums.mutable_queue());
  Add(times.input, sums.mutable_compute_input());
  Add(times.infer, sums.mutable_compute_infer());
  Add(times.output, sums.mutable_compute_output());
}

void InferenceStatistics::AddFailure(const ServedModel& served,
                                     const InferenceTimes& times) {
  absl::MutexLock lock(&mutex_);
  inference::ModelStatistics& counts = Find(served);
  SetLast(counts);
  Add(Total(times), counts.mutable_inference_stats()->mutable_fail());
}

inference::ModelStatistics InferenceStatistics::Get(
    const ServedModel& served) const {
  inference::ModelStatistics statistics;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = counts_.find(served.model);
    if (found != counts_.end()) statistics = found->second;
  }
  statistics.set_name(served.name);
  statistics.set_version(absl::StrCat(served.version));
  return statistics;
}

inference::ModelStatistics& InferenceStatistics::Find(
    const ServedModel& served) {
  const auto found = counts_.find(served.model);
  if (found != counts_.end()) return found->second;
  std::erase_if(counts_, [](const auto& one) { return one.first.expired(); });
  return counts_[served.model];
}

InferenceTimer::InferenceTimer(InferenceStatistics& statistics,
                               ServedModel served)
    : statistics_(statistics), served_(std::move(served)) {}

void InferenceTimer::End(absl::Duration InferenceTimes::*part) {
  const auto now = std::chrono::steady_clock::now();
  times_.*part += absl::FromChrono(now - part_began_);
  part_began_ = now;
  waits_ = false;
}

void InferenceTimer::Report(const absl::Status& status) {
  if (status.ok()) {
    statistics_.AddSuccess(served_, times_);
  } else if (!waits_) {
    End(&InferenceTimes::infer);
    statistics_.AddFailure(served_, times_);
  }
}

}  // namespace poe::server
