#include "tests/fuzz/answers.h"

#include <algorithm>
#include <cstdint>
#include <functional>

#include "poe/numerics/workers.h"
#include "poe/reconstruction.h"
#include "poe/sampling.h"
#include "poe/scoring.h"
#include "server/codec/response_codec.h"
#include "tests/fuzz/require.h"

namespace poe::fuzz {
namespace {

constexpr std::uint64_t kSeed = 7;

}  // namespace

void RequireRows(const server::DecodedRows& rows, const DataSpec& spec,
                 std::int64_t limit) {
  const auto count = static_cast<std::size_t>(rows.rows);
  const auto values = static_cast<std::size_t>(rows.frames() * rows.columns);
  Require(rows.rows >= 1 && rows.frames() <= limit,
          "there are rows, and not more than allowed");
  Require(rows.columns == spec.dimension && rows.values.size() == values,
          "there is a value for each coordinate");
  Require(rows.row_ids.empty() || rows.row_ids.size() == count,
          "there is an id for each row, or none");
  Require(rows.weights.empty() || rows.weights.size() == count,
          "there is a weight for each row, or none");
  Require(rows.observed.empty() || rows.observed.size() == values,
          "there is a byte of the mask for each value, or none");
  Require(
      spec.sequential ? rows.starts.size() == count + 1 : rows.starts.empty(),
      "sequences have starts, and rows none");
  Require(std::adjacent_find(rows.starts.begin(), rows.starts.end(),
                             std::greater_equal<>()) == rows.starts.end(),
          "no sequence is empty");
  Require(ValidateRows(spec, rows.View()).ok(), "the core takes the rows");
}

std::optional<v1::ScoreResponse> Answer(const v1::ScoreRequest& request,
                                        const Model& model) {
  const auto decoded = server::DecodeScore(request, model, kLimits, kSeed);
  if (!decoded.ok()) return std::nullopt;
  RequireRows(decoded->rows, model.data_spec, kLimits.rows);
  Require(decoded->rows.weights.empty(), "rows to score have no weights");
  const auto scores = Score(model, decoded->rows.View(), decoded->options,
                            Workers::Inline(), NeverInterrupt);
  if (!scores.ok()) return std::nullopt;
  Require(scores->log_scores.rows() == decoded->rows.rows,
          "each row has a score");
  for (const std::int32_t label : scores->labels)
    Require(label >= -1 && label < model.num_classes(), "labels are classes");
  v1::ScoreResponse response;
  server::EncodeScores(model, *scores, &response);
  return response;
}

std::optional<v1::ReconstructResponse> Answer(
    const v1::ReconstructRequest& request, const Model& model) {
  const auto decoded =
      server::DecodeReconstruct(request, model, kLimits, kSeed);
  if (!decoded.ok()) return std::nullopt;
  RequireRows(decoded->rows, model.data_spec, kLimits.rows);
  const auto reconstructions =
      Reconstruct(model, decoded->rows.View(), decoded->options,
                  Workers::Inline(), NeverInterrupt);
  if (!reconstructions.ok()) return std::nullopt;
  Require(reconstructions->values.rows() == decoded->rows.frames() &&
              reconstructions->values.cols() == decoded->rows.columns,
          "each value has a reconstruction");
  v1::ReconstructResponse response;
  server::EncodeReconstructions(model, *reconstructions, request.observations(),
                                decoded->options.seed, &response);
  return response;
}

std::optional<v1::SampleResponse> Answer(const v1::SampleRequest& request,
                                         const Model& model) {
  const auto decoded = server::DecodeSample(request, model, kLimits, kSeed);
  if (!decoded.ok()) return std::nullopt;
  if (decoded->start.has_value())
    RequireRows(*decoded->start, model.data_spec, kLimits.rows);
  const RawRows start =
      decoded->start.has_value() ? decoded->start->View() : RawRows();
  std::optional<v1::SampleResponse> response;
  const absl::Status status = Sample(
      model, decoded->options, decoded->start.has_value() ? &start : nullptr,
      decoded->clamp, Workers::Inline(),
      [&](const SampledChains& chains) {
        server::EncodeSampledChains(model, chains, decoded->options.seed,
                                    &response.emplace());
        return absl::OkStatus();
      },
      NeverInterrupt);
  Require(!status.ok() || response.has_value(), "chains are shown at the end");
  return response;
}

}  // namespace poe::fuzz
