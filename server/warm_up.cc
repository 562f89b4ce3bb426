#include "server/warm_up.h"

#include <algorithm>
#include <vector>

#include "poe/numerics/workers.h"
#include "poe/raw_rows.h"
#include "poe/scoring.h"
#include "server/codec/model_codec.h"
#include "server/thread_priority.h"

namespace poe::server {
namespace {

constexpr Index kRows = 16;

// A value that the coordinate can have.
float Middle(const DataSpec& spec, Index i) {
  if (spec.box.has_value()) {
    return static_cast<float>((spec.box->lower[i] + spec.box->upper[i]) / 2);
  }
  const bool is_input = std::binary_search(spec.input_coordinates.begin(),
                                           spec.input_coordinates.end(), i);
  if (spec.family == Family::kCategorical && !(spec.real_inputs && is_input)) {
    return 0;
  }
  const std::vector<double>& shift = spec.preprocessing.shift;
  return shift.empty() ? 0.5f : static_cast<float>(shift[i]);
}

absl::Status WarmUp(const Model& model) {
  const DataSpec& spec = model.data_spec;
  RowMatrix<float> values(kRows, spec.dimension);
  for (Index i = 0; i < spec.dimension; ++i) {
    values.col(i).setConstant(Middle(spec, i));
  }
  RawRows rows = {.values = Eigen::Map<const RowMatrix<float>>(
                      values.data(), values.rows(), values.cols())};
  const std::vector<Index> one_sequence = {0, kRows};
  if (spec.sequential) rows.starts = one_sequence;
  return Score(model, rows, {}, Workers::Inline(), NeverInterrupt).status();
}

}  // namespace

absl::StatusOr<Model> DecodeAndWarmUp(const v1::Model& stored) {
  const FrequentYields yields;
  absl::StatusOr<Model> model = DecodeModel(stored);
  if (!model.ok()) return model;
  if (absl::Status warm = WarmUp(*model); !warm.ok()) return warm;
  return model;
}

}  // namespace poe::server
