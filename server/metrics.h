// What is measured, for Prometheus. docs/operating.md lists it all.
#ifndef POE_SERVER_METRICS_H_
#define POE_SERVER_METRICS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/histogram.h"
#include "prometheus/metric_family.h"
#include "prometheus/registry.h"
#include "server/model_repository.h"
#include "server/refusals.h"
#include "server/request_observer.h"
#include "server/training_jobs.h"

namespace poe::server {

// Calls are counted by method, model, version and code. Only versions that are
// loaded are told apart: others, and names of models that there are not, count
// as none, so that clients cannot make up series. Thread-safe.
class Metrics final : public RequestObserver {
 public:
  // Asked whenever the text is made; all must outlive the metrics.
  struct Sources {
    const ModelRepository& repository;
    const TrainingJobs& jobs;
    const Refusals& refusals;
    // Of gRPC, that are open.
    std::function<std::size_t()> connections;
    // By the name of what has them.
    std::vector<std::pair<std::string, std::function<std::size_t()>>> queues;
    // Of HTTP.
    std::function<std::size_t()> http_connections;
    std::function<std::int64_t()> http_body_bytes;
  };

  explicit Metrics(Sources sources);

  // These versions of a model are loaded from now on; what was counted of
  // others is forgotten.
  void SetLoaded(const std::string& model,
                 const std::vector<LoadedVersion>& versions)
      ABSL_LOCKS_EXCLUDED(mutex_);

  void OnStart() override;
  void OnBytes(std::int64_t change) override;
  void OnBatch(const BatchReport& report) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnFinish(const RequestReport& report) override
      ABSL_LOCKS_EXCLUDED(mutex_);

  // All of it, in Prometheus's text format 0.0.4.
  std::string Text() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Of one method, version and code.
  struct Series {
    prometheus::Histogram* total;
    prometheus::Histogram* queue;
    prometheus::Histogram* compute;
    prometheus::Counter* rows;
  };
  using Key = std::tuple<absl::string_view, std::int64_t, absl::StatusCode>;
  // Of one version.
  struct BatchSeries {
    prometheus::Histogram* calls;
    prometheus::Histogram* rows;
  };
  struct Model {
    std::vector<LoadedVersion> loaded;
    std::map<Key, Series> series;
    std::map<std::int64_t, BatchSeries> batches;

    bool IsLoaded(std::int64_t version) const;
  };
  using Models = std::map<std::string, Model, std::less<>>;

  // The one without a name if there is none of that.
  Models::value_type& FindModel(absl::string_view name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  BatchSeries& FindBatchSeries(const BatchReport& report)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Series& FindSeries(const RequestReport& report)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Series that nobody uses.
  void Remove(const Series& series);
  void Remove(const BatchSeries& series);
  void AddModels(std::vector<prometheus::MetricFamily>& families) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  const Sources sources_;
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Histogram>& total_;
  prometheus::Family<prometheus::Histogram>& queue_;
  prometheus::Family<prometheus::Histogram>& compute_;
  prometheus::Family<prometheus::Counter>& rows_;
  prometheus::Family<prometheus::Counter>& errors_;
  prometheus::Family<prometheus::Histogram>& batch_calls_;
  prometheus::Family<prometheus::Histogram>& batch_rows_;
  std::atomic<std::int64_t> calls_in_flight_ = 0;
  std::atomic<std::int64_t> bytes_in_flight_ = 0;

  mutable absl::Mutex mutex_;
  // Those that have a version loaded, and the one without a name.
  Models models_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace poe::server

#endif  // POE_SERVER_METRICS_H_
