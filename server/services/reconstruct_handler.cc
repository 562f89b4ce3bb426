#include "server/services/reconstruct_handler.h"

#include "absl/status/statusor.h"
#include "poe/reconstruction.h"
#include "server/codec/response_codec.h"

namespace poe::server {

absl::Status AnswerReconstruct(const v1::ReconstructRequest& request,
                               const ServedModel& served,
                               const RequestLimits& limits,
                               const Workers& workers, RequestScope& scope,
                               v1::ReconstructResponse& response) {
  const absl::StatusOr<DecodedReconstruct> decoded =
      DecodeReconstruct(request, *served.model, limits, FreshSeed());
  if (!decoded.ok()) return decoded.status();
  scope.AddRows(decoded->rows.rows);
  const absl::StatusOr<Reconstructions> reconstructions =
      Reconstruct(*served.model, decoded->rows.View(), decoded->options,
                  workers, [&scope] { return scope.Check(); });
  if (!reconstructions.ok()) return reconstructions.status();
  EncodeReconstructions(*served.model, *reconstructions, request.observations(),
                        decoded->options.seed, &response);
  response.mutable_model()->set_name(served.name);
  response.mutable_model()->set_version(served.version);
  return absl::OkStatus();
}

}  // namespace poe::server
