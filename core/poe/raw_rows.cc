#include "poe/raw_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

namespace poe {
namespace {

// Fewer values are not worth another thread.
constexpr Index kLeastValues = 8192;

// Rounds to float, but not across a bound.
float RoundWithin(double value, double lower, double upper) {
  const auto rounded = static_cast<float>(value);
  if (rounded < lower && value >= lower)
    return std::nextafter(rounded, HUGE_VALF);
  if (rounded > upper && value <= upper)
    return std::nextafter(rounded, -HUGE_VALF);
  return rounded;
}

}  // namespace

Index FindUnobserved(const DataSpec& spec, const RawRows& rows) {
  if (rows.observed.empty()) return -1;
  std::vector<bool> is_input(spec.dimension, false);
  for (Index i : spec.input_coordinates) is_input[i] = true;
  for (Index n = 0; n < rows.size(); ++n) {
    bool known = false;
    for (Index frame = rows.start(n); frame < rows.start(n + 1); ++frame)
      for (Index i = 0; i < spec.dimension && !known; ++i)
        known = !is_input[i] && rows.IsObserved(frame, i);
    if (!known) return n;
  }
  return -1;
}

GatheredRows::GatheredRows(const RawRows& rows, absl::Span<const Index> numbers,
                           const Workers& workers) {
  Index frames = 0;
  for (Index n : numbers) frames += rows.length(n);
  const Index columns = rows.values.cols();
  values_.resize(frames, columns);
  Index frame = 0;
  std::vector<Index> sources;
  sources.reserve(frames);
  for (Index n : numbers) {
    const Index begin = rows.start(n), length = rows.length(n);
    for (Index t = 0; t < length; ++t) sources.push_back(begin + t);
    row_ids_.push_back(rows.row_id(n));
    if (!rows.observed.empty()) {
      const auto part =
          rows.observed.subspan(begin * columns, length * columns);
      observed_.insert(observed_.end(), part.begin(), part.end());
    }
    if (!rows.starts.empty()) starts_.push_back(frame);
    frame += length;
  }
  if (!rows.starts.empty()) starts_.push_back(frame);
  workers.ParallelFor(frames, kLeastValues / std::max<Index>(columns, 1),
                      [&](Index begin, Index end) {
                        for (Index f = begin; f < end; ++f)
                          values_.row(f) = rows.values.row(sources[f]);
                      });
}

RawRows GatheredRows::View() const {
  return RawRows{{values_.data(), values_.rows(), values_.cols()},
                 row_ids_,
                 observed_,
                 starts_};
}

Observations<float> Preprocess(const DataSpec& spec, const RawRows& rows,
                               Index begin, Index end, const Workers& workers) {
  const Index first = rows.start(begin), frames = rows.start(end) - first;
  const Index dimension = spec.dimension, width = spec.width();
  Observations<float> x;
  x.size = end - begin;
  x.values.resize(PaddedRows(frames), width);
  x.values.bottomRows(x.values.rows() - frames).setZero();
  x.row_ids.resize(x.size);
  for (Index n = 0; n < x.size; ++n) x.row_ids[n] = rows.row_id(begin + n);
  for (Index n = begin; !rows.starts.empty() && n < end; ++n)
    x.lengths.push_back(rows.length(n));

  const Preprocessing& preprocessing = spec.preprocessing;
  const bool scaled = !preprocessing.scale.empty();
  auto seen = [&](double raw, Index i) {
    return (raw - preprocessing.shift[i]) / preprocessing.scale[i];
  };
  std::vector<double> lower(dimension, -HUGE_VAL), upper(dimension, HUGE_VAL);
  for (Index i = 0; scaled && spec.box.has_value() && i < dimension; ++i) {
    lower[i] = seen(spec.box->lower[i], i);
    upper[i] = seen(spec.box->upper[i], i);
  }
  const std::vector<Columns> columns = ColumnsOf(spec);
  const auto preprocess = [&](Index frame) {
    const auto raw = rows.values.row(first + frame);
    auto row = x.values.row(frame);
    row.setZero();
    for (Index i = 0; i < dimension; ++i) {
      if (!rows.IsObserved(first + frame, i)) continue;
      const Columns& at = columns[i];
      if (at.is_symbol()) {
        row(at.first + static_cast<Index>(raw(i))) = 1;
        continue;
      }
      float& value = row(at.first) = raw(i);
      if (!scaled) continue;
      value = RoundWithin(seen(value, i), lower[i], upper[i]);
      // Rounding must not carry the ends of a fitted range beyond it.
      if (spec.family == Family::kBernoulli && !at.is_real_input &&
          value > -1e-6f && value < 1 + 1e-6f)
        value = std::clamp(value, 0.0f, 1.0f);
    }
  };
  workers.ParallelFor(frames, kLeastValues / std::max<Index>(dimension, 1),
                      [&](Index from, Index to) {
                        for (Index frame = from; frame < to; ++frame)
                          preprocess(frame);
                      });
  if (!spec.input_coordinates.empty()) {
    const std::vector<std::uint8_t> mask = InputMask(spec);
    for (Index frame = 0; frame < frames; ++frame)
      x.clamped.insert(x.clamped.end(), mask.begin(), mask.end());
  }
  return x;
}

void KeepObserved(const DataSpec& spec, const RawRows& rows, Index begin,
                  Observations<float>& x) {
  const Index frames = x.frames(), width = spec.width();
  const Index first = rows.start(begin);
  const std::vector<Columns> columns = ColumnsOf(spec);
  x.clamped.resize(frames * width, 0);
  for (Index frame = 0; frame < frames; ++frame)
    for (Index i = 0; i < spec.dimension; ++i)
      if (rows.IsObserved(first + frame, i))
        std::fill_n(x.clamped.begin() + frame * width + columns[i].first,
                    columns[i].count, std::uint8_t{1});
}

void CopyObserved(const RawRows& rows, Index begin,
                  RowMatrixRef<float> values) {
  const Index first = rows.start(begin);
  for (Index frame = 0; frame < values.rows(); ++frame)
    for (Index i = 0; i < values.cols(); ++i)
      if (rows.IsObserved(first + frame, i))
        values(frame, i) = rows.values(first + frame, i);
}

RowMatrix<float> Unprocess(const DataSpec& spec,
                           const ConstRowMatrixRef<float>& values) {
  const Preprocessing& preprocessing = spec.preprocessing;
  const bool scaled = !preprocessing.scale.empty();
  const std::vector<Columns> columns = ColumnsOf(spec);
  RowMatrix<float> result(values.rows(), spec.dimension);
  for (Index n = 0; n < values.rows(); ++n) {
    for (Index i = 0; i < spec.dimension; ++i) {
      const Columns& at = columns[i];
      if (at.is_symbol()) {
        Index symbol;
        values.row(n).segment(at.first, at.count).maxCoeff(&symbol);
        result(n, i) = static_cast<float>(symbol);
        continue;
      }
      double raw = values(n, at.first);
      if (scaled) raw = raw * preprocessing.scale[i] + preprocessing.shift[i];
      double lower = -HUGE_VAL, upper = HUGE_VAL;
      if (spec.box.has_value()) {
        lower = spec.box->lower[i];
        upper = spec.box->upper[i];
      }
      result(n, i) = RoundWithin(std::clamp(raw, lower, upper), lower, upper);
    }
  }
  return result;
}

absl::Status ValidateRows(const DataSpec& spec, const RawRows& rows) {
  if (rows.values.cols() != spec.dimension)
    return absl::InvalidArgumentError(
        absl::StrCat("rows have ", rows.values.cols(),
                     " values; the model's have ", spec.dimension));
  if (rows.starts.empty() == spec.sequential)
    return absl::InvalidArgumentError(
        spec.sequential
            ? "observations are dense rows; the model's are sequences"
            : "observations are sequences; the model's are rows");
  const bool grey = spec.family == Family::kBernoulli &&
                    (spec.preprocessing.kind == Preprocessing::Kind::kNone ||
                     spec.real_inputs);
  const std::vector<Columns> columns = ColumnsOf(spec);
  auto is_legal = [&](float value, const Columns& at) {
    if (at.is_symbol())
      return value >= 0 && value < static_cast<float>(spec.num_symbols) &&
             value == std::trunc(value);
    if (grey && !at.is_real_input) return value >= 0 && value <= 1;
    return std::isfinite(value);
  };
  for (Index n = 0; n < rows.values.rows(); ++n) {
    const float* row = rows.values.row(n).data();
    for (Index i = 0; i < spec.dimension; ++i) {
      const float value = row[i];
      if (is_legal(value, columns[i]) || !rows.IsObserved(n, i)) continue;
      if (!std::isfinite(value))
        return absl::InvalidArgumentError(absl::StrCat(
            "values[", n, "][", i, "] is ",
            std::isnan(value) ? "NaN" : "infinite",
            "; values must be finite; mark missing values in the mask"));
      return absl::InvalidArgumentError(
          columns[i].is_symbol()
              ? absl::StrCat("values[", n, "][", i, "] is ", value,
                             "; symbols must be whole numbers from 0 to ",
                             spec.num_symbols - 1)
              : absl::StrCat("values[", n, "][", i, "] is ", value,
                             "; grey levels must be in [0, 1]"));
    }
    for (Index input : spec.input_coordinates)
      if (!rows.IsObserved(n, input))
        return absl::InvalidArgumentError(absl::StrCat(
            "values[", n, "][", input, "] is marked missing; coordinate ",
            input, " is an input, which must be given"));
  }
  return absl::OkStatus();
}

}  // namespace poe
