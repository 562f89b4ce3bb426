#include "server/metrics.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "prometheus/text_serializer.h"
#include "server/errors.h"
#include "server/process_usage.h"

namespace poe::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Seconds: from a small Score to a long Sample.
const prometheus::Histogram::BucketBoundaries& Buckets() {
  static const auto* const buckets =
      new prometheus::Histogram::BucketBoundaries{
          0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
          0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30,    60};
  return *buckets;
}

// Calls or rows of a batch: up to the default of --batch_rows in powers of 2,
// then those of a single call.
const prometheus::Histogram::BucketBoundaries& BatchBuckets() {
  static const auto* const buckets =
      new prometheus::Histogram::BucketBoundaries{
          1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384, 65536};
  return *buckets;
}

constexpr struct {
  v1::Job::State state;
  const char* name;
} kJobStates[] = {
    {v1::Job::STATE_RECEIVING, "receiving"},
    {v1::Job::STATE_QUEUED, "queued"},
    {v1::Job::STATE_RUNNING, "running"},
    {v1::Job::STATE_SUCCEEDED, "succeeded"},
    {v1::Job::STATE_FAILED, "failed"},
    {v1::Job::STATE_CANCELLED, "cancelled"},
};

constexpr struct {
  v1::VersionInfo::State state;
  const char* name;
} kVersionStates[] = {
    {v1::VersionInfo::STATE_UNLOADED, "unloaded"},
    {v1::VersionInfo::STATE_LOADING, "loading"},
    {v1::VersionInfo::STATE_AVAILABLE, "available"},
    {v1::VersionInfo::STATE_FAILED, "failed"},
};

std::string VersionLabel(std::int64_t version) {
  return version == 0 ? "" : absl::StrCat(version);
}

// A value of this moment.
ClientMetric Value(double value, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.gauge.value = value;
  metric.counter.value = value;
  return metric;
}

MetricFamily Gauge(std::string name, std::string help,
                   std::vector<ClientMetric> values) {
  return {std::move(name), std::move(help), MetricType::Gauge,
          std::move(values)};
}

// One value for each state of `states`, 0 where there is nothing in it.
template <typename State, typename States>
std::vector<ClientMetric> ByState(const std::map<State, int>& counts,
                                  const States& states) {
  std::vector<ClientMetric> values;
  for (const auto& [state, name] : states) {
    const auto count = counts.find(state);
    values.push_back(
        Value(count == counts.end() ? 0 : count->second, {{"state", name}}));
  }
  return values;
}

MetricFamily RefusalsByReason(const Refusals& refusals) {
  std::vector<ClientMetric> values;
  for (const Refusals::Count& count : refusals.Counts()) {
    values.push_back(Value(static_cast<double>(count.refusals),
                           {{"where", count.where}, {"reason", count.reason}}));
  }
  return {"poe_refusals_total",
          "Requests and connections refused before they became a call.",
          MetricType::Counter, std::move(values)};
}

void AddProcess(std::vector<MetricFamily>& families) {
  const ProcessUsage usage = ReadProcessUsage();
  families.push_back(Gauge("process_resident_memory_bytes",
                           "Resident memory size in bytes.",
                           {Value(static_cast<double>(usage.resident_bytes))}));
  families.push_back({"process_cpu_seconds_total",
                      "Total user and system CPU time spent in seconds.",
                      MetricType::Counter,
                      {Value(absl::ToDoubleSeconds(usage.cpu))}});
  families.push_back(Gauge("process_open_fds",
                           "Number of open file descriptors.",
                           {Value(usage.open_files)}));
  families.push_back(
      Gauge("process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            {Value(absl::ToDoubleSeconds(usage.start - absl::UnixEpoch()))}));
}

}  // namespace

Metrics::Metrics(Sources sources)
    : sources_(std::move(sources)),
      total_(prometheus::BuildHistogram()
                 .Name("poe_request_duration_seconds")
                 .Help("Time from the arrival of a call to its answer.")
                 .Register(registry_)),
      queue_(prometheus::BuildHistogram()
                 .Name("poe_request_queue_seconds")
                 .Help("Of it, waiting for a thread.")
                 .Register(registry_)),
      compute_(prometheus::BuildHistogram()
                   .Name("poe_request_compute_seconds")
                   .Help("Of it, working.")
                   .Register(registry_)),
      rows_(prometheus::BuildCounter()
                .Name("poe_request_rows_total")
                .Help("Rows that calls brought, or samples they asked for.")
                .Register(registry_)),
      errors_(prometheus::BuildCounter()
                  .Name("poe_request_errors_total")
                  .Help("Calls that failed, by what was wrong.")
                  .Register(registry_)),
      batch_calls_(prometheus::BuildHistogram()
                       .Name("poe_batch_calls")
                       .Help("Calls that were answered together.")
                       .Register(registry_)),
      batch_rows_(prometheus::BuildHistogram()
                      .Name("poe_batch_rows")
                      .Help("Rows of the calls that were answered together.")
                      .Register(registry_)) {
  models_.try_emplace("");
}

void Metrics::SetLoaded(const std::string& model,
                        const std::vector<LoadedVersion>& versions) {
  absl::MutexLock lock(&mutex_);
  Model& known = models_[model];
  known.loaded = versions;
  const auto stays = [&](std::int64_t version) {
    return !versions.empty() && (version == 0 || known.IsLoaded(version));
  };
  std::erase_if(known.series, [&](const auto& entry) {
    if (stays(std::get<std::int64_t>(entry.first))) return false;
    Remove(entry.second);
    return true;
  });
  std::erase_if(known.batches, [&](const auto& entry) {
    if (stays(entry.first)) return false;
    Remove(entry.second);
    return true;
  });
  if (versions.empty()) models_.erase(model);
}

void Metrics::Remove(const Series& series) {
  total_.Remove(series.total);
  queue_.Remove(series.queue);
  compute_.Remove(series.compute);
  rows_.Remove(series.rows);
}

void Metrics::Remove(const BatchSeries& series) {
  batch_calls_.Remove(series.calls);
  batch_rows_.Remove(series.rows);
}

bool Metrics::Model::IsLoaded(std::int64_t version) const {
  return std::any_of(
      loaded.begin(), loaded.end(),
      [&](const LoadedVersion& one) { return one.version == version; });
}

Metrics::Models::value_type& Metrics::FindModel(absl::string_view name) {
  const auto model = models_.find(name);
  return model == models_.end() ? *models_.find("") : *model;
}

Metrics::BatchSeries& Metrics::FindBatchSeries(const BatchReport& report) {
  auto& [name, known] = FindModel(report.model);
  const std::int64_t version =
      known.IsLoaded(report.version) ? report.version : 0;
  const auto [found, is_new] = known.batches.try_emplace(version);
  if (is_new) {
    const prometheus::Labels labels = {{"model", name},
                                       {"version", VersionLabel(version)}};
    found->second = {.calls = &batch_calls_.Add(labels, BatchBuckets()),
                     .rows = &batch_rows_.Add(labels, BatchBuckets())};
  }
  return found->second;
}

Metrics::Series& Metrics::FindSeries(const RequestReport& report) {
  auto& [name, known] = FindModel(report.model);
  const std::int64_t version =
      known.IsLoaded(report.version) ? report.version : 0;
  const auto [found, is_new] = known.series.try_emplace(
      Key(report.method, version, report.status.code()));
  if (is_new) {
    const prometheus::Labels labels = {
        {"method", std::string(report.method)},
        {"model", name},
        {"version", VersionLabel(version)},
        {"code", absl::StatusCodeToString(report.status.code())}};
    found->second = {.total = &total_.Add(labels, Buckets()),
                     .queue = &queue_.Add(labels, Buckets()),
                     .compute = &compute_.Add(labels, Buckets()),
                     .rows = &rows_.Add(labels)};
  }
  return found->second;
}

void Metrics::OnStart() { ++calls_in_flight_; }

void Metrics::OnBytes(std::int64_t change) { bytes_in_flight_ += change; }

void Metrics::OnBatch(const BatchReport& report) {
  absl::MutexLock lock(&mutex_);
  const BatchSeries& series = FindBatchSeries(report);
  series.calls->Observe(static_cast<double>(report.calls));
  series.rows->Observe(static_cast<double>(report.rows));
}

void Metrics::OnFinish(const RequestReport& report) {
  --calls_in_flight_;
  {
    absl::MutexLock lock(&mutex_);
    const Series& series = FindSeries(report);
    series.total->Observe(absl::ToDoubleSeconds(report.total));
    series.queue->Observe(absl::ToDoubleSeconds(report.queue));
    series.compute->Observe(absl::ToDoubleSeconds(report.compute));
    series.rows->Increment(static_cast<double>(report.rows));
  }
  if (report.status.ok()) return;
  // Reasons are the server's own: there are as many as errors.h knows.
  errors_
      .Add({{"method", std::string(report.method)},
            {"code", absl::StatusCodeToString(report.status.code())},
            {"reason", ReasonOf(report.status)}})
      .Increment();
}

void Metrics::AddModels(std::vector<MetricFamily>& families) const {
  std::vector<ClientMetric> bytes;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [name, model] : models_) {
      for (const LoadedVersion& one : model.loaded) {
        bytes.push_back(
            Value(static_cast<double>(one.bytes),
                  {{"model", name}, {"version", VersionLabel(one.version)}}));
      }
    }
  }
  families.push_back(Gauge("poe_models_loaded",
                           "Versions of models that answer.",
                           {Value(static_cast<double>(bytes.size()))}));
  families.push_back(Gauge("poe_model_bytes",
                           "Size of the files of each version that answers.",
                           std::move(bytes)));
}

std::string Metrics::Text() const {
  std::vector<MetricFamily> families = registry_.Collect();
  std::vector<ClientMetric> depths;
  for (const auto& [name, depth] : sources_.queues) {
    depths.push_back(Value(static_cast<double>(depth()), {{"queue", name}}));
  }
  families.push_back(Gauge("poe_queue_depth", "Calls that wait for a thread.",
                           std::move(depths)));
  families.push_back(Gauge("poe_requests_in_flight",
                           "Calls that have arrived and have no answer yet.",
                           {Value(static_cast<double>(calls_in_flight_))}));
  families.push_back(Gauge("poe_request_bytes_in_flight",
                           "Bytes of the messages that they have brought.",
                           {Value(static_cast<double>(bytes_in_flight_))}));
  families.push_back(
      Gauge("poe_connections", "Connections of gRPC that are open.",
            {Value(static_cast<double>(sources_.connections()))}));
  families.push_back(
      Gauge("poe_http_connections", "HTTP connections that are open.",
            {Value(static_cast<double>(sources_.http_connections()))}));
  families.push_back(
      Gauge("poe_http_body_bytes_in_flight",
            "Bytes of HTTP bodies that are being read or answered.",
            {Value(static_cast<double>(sources_.http_body_bytes()))}));
  families.push_back(RefusalsByReason(sources_.refusals));
  families.push_back(
      Gauge("poe_training_jobs",
            "Training jobs by state; of those that have ended, the ones that "
            "are still known.",
            ByState(sources_.jobs.CountByState(), kJobStates)));
  families.push_back(
      Gauge("poe_model_versions", "Stored versions of all models, by state.",
            ByState(sources_.repository.CountByState(), kVersionStates)));
  AddModels(families);
  families.push_back(Gauge("poe_build_info", "1, labelled with the version.",
                           {Value(1, {{"version", POE_VERSION}})}));
  AddProcess(families);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace poe::server
