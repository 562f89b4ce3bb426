#include "server/services/reconstruct_handler.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "poe/reconstruction.h"
#include "server/codec/response_codec.h"

namespace poe::server {
namespace {

void Encode(const ServedModel& served, const Reconstructions& reconstructions,
            const v1::Observations& asked, std::uint64_t seed,
            v1::ReconstructResponse& response) {
  EncodeReconstructions(*served.model, reconstructions, asked, seed, &response);
  response.mutable_model()->set_name(served.name);
  response.mutable_model()->set_version(served.version);
}

}  // namespace

absl::StatusOr<DecodedQuestion> DecodeQuestion(
    const v1::ReconstructRequest& request, const ServedModel& served,
    const RequestLimits& limits, RequestScope& scope,
    v1::ReconstructResponse& response) {
  absl::StatusOr<DecodedReconstruct> decoded =
      DecodeReconstruct(request, *served.model, limits, FreshSeed());
  if (!decoded.ok()) return decoded.status();
  scope.AddRows(decoded->rows.rows);
  return DecodedQuestion{
      .model = served.model,
      .question = decoded->options,
      .rows = std::make_shared<const DecodedRows>(std::move(decoded->rows)),
      .begin = nullptr,
      .encode = [&request, served, seed = decoded->options.seed,
                 &response](const RowAnswer& answer) {
        Encode(served, std::get<Reconstructions>(answer),
               request.observations(), seed, response);
      }};
}

void ReconstructInBatch(const v1::ReconstructRequest& request,
                        const ServedModel& served, const RequestLimits& limits,
                        const Batching& batching, RequestScope& scope,
                        v1::ReconstructResponse& response,
                        absl::AnyInvocable<void(absl::Status)> done) {
  AnswerInBatch(
      batching, request, scope,
      [&request, served, &limits, &scope, &response] {
        return DecodeQuestion(request, served, limits, scope, response);
      },
      std::move(done));
}

}  // namespace poe::server
