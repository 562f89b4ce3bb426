// Client: scores of any number of rows.
#include <cstdint>
#include <random>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/calls.h"
#include "client/cpp/chunks.h"
#include "client/cpp/client.h"
#include "client/cpp/exchange.h"
#include "client/cpp/merge.h"

namespace poe::client {
namespace {

// Makes the draws for missing values what they would be in one request: one
// seed for all rows, and each row known by its own number.
void FixDraws(const v1::ScoreRequest& whole, int64_t begin, int64_t end,
              uint64_t seed, v1::ScoreRequest& piece) {
  if (!whole.has_missing()) return;
  *piece.mutable_missing() = whole.missing();
  piece.mutable_missing()->set_seed(seed);
  if (!whole.observations().row_ids().empty()) return;
  for (int64_t row = begin; row < end; ++row) {
    piece.mutable_observations()->add_row_ids(row);
  }
}

uint64_t SeedOf(const v1::ScoreRequest& request) {
  if (request.missing().has_seed()) return request.missing().seed();
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace

absl::Status Client::ScoreStream(
    int max_unanswered,
    absl::FunctionRef<absl::StatusOr<bool>(v1::ScoreRequest& request)> next,
    absl::FunctionRef<absl::Status(const v1::ScoreResponse& response)> receive,
    const CallOptions& options) {
  grpc::ClientContext context;
  Prepare(options, context);
  const auto stream = stubs_->experts.ScoreStream(&context);
  return Exchange<v1::ScoreRequest, v1::ScoreResponse>(
      context, *stream, max_unanswered, next, receive);
}

absl::StatusOr<v1::ScoreResponse> Client::ScoreAll(
    const v1::ScoreRequest& request, const ScoreAllOptions& options,
    absl::FunctionRef<void(int64_t rows)> progress) {
  const absl::StatusOr<ObservationChunks> chunks =
      ObservationChunks::Create(request.observations());
  if (!chunks.ok()) return chunks.status();
  if (chunks->rows() == 0) return Score(request, options.call);
  const uint64_t seed = SeedOf(request);
  int64_t begin = 0;
  const auto next = [&](v1::ScoreRequest& piece) -> absl::StatusOr<bool> {
    if (begin == chunks->rows()) return false;
    if (begin == 0) *piece.mutable_model() = request.model();
    const int64_t end = chunks->End(begin, options.chunk);
    *piece.mutable_observations() = chunks->Slice(begin, end);
    piece.set_per_expert(request.per_expert());
    FixDraws(request, begin, end, seed, piece);
    begin = end;
    return true;
  };
  v1::ScoreResponse all;
  const auto receive = [&](const v1::ScoreResponse& part) {
    absl::Status status = AppendScores(part, all);
    if (status.ok()) progress(RowCount(all));
    return status;
  };
  const absl::Status status =
      ScoreStream(options.max_unanswered, next, receive, options.call);
  if (!status.ok()) return status;
  if (RowCount(all) != chunks->rows()) {
    return absl::InternalError(
        "the server ended the stream before it had scored all rows");
  }
  return all;
}

}  // namespace poe::client
