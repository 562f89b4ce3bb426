#include "server/services/sample_handler.h"

#include "absl/status/statusor.h"
#include "poe/sampling.h"
#include "server/codec/response_codec.h"

namespace poe::server {

absl::Status AnswerSample(const v1::SampleRequest& request,
                          const ServedModel& served,
                          const RequestLimits& limits, const Workers& workers,
                          RequestScope& scope, v1::SampleResponse& response,
                          absl::FunctionRef<absl::Status()> send) {
  const absl::StatusOr<DecodedSample> sample =
      DecodeSample(request, *served.model, limits, FreshSeed());
  if (!sample.ok()) return sample.status();
  scope.AddRows(sample->options.chains);
  scope.ReportBatch(1, sample->options.chains);
  const RawRows start =
      sample->start.has_value() ? sample->start->View() : RawRows();
  return Sample(
      *served.model, sample->options,
      sample->start.has_value() ? &start : nullptr, sample->clamp, workers,
      [&](const SampledChains& chains) {
        response.Clear();
        EncodeSampledChains(*served.model, chains, sample->options.seed,
                            &response);
        response.mutable_model()->set_name(served.name);
        response.mutable_model()->set_version(served.version);
        return send();
      },
      [&scope] { return scope.Check(); });
}

}  // namespace poe::server
