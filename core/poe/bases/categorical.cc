#include "poe/bases/categorical.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/numerics/elementwise.h"

namespace poe {

template <typename Scalar>
absl::StatusOr<std::unique_ptr<CategoricalBase<Scalar>>>
CategoricalBase<Scalar>::Create(const RowMatrix<Scalar>& logits,
                                Index num_real_inputs) {
  if (logits.cols() < 2)
    return absl::InvalidArgumentError(absl::StrCat(
        "a categorical base has ", logits.cols(), " symbols; at least 2"));
  auto base = absl::WrapUnique(new CategoricalBase());
  base->num_symbols_ = logits.cols();
  const Vector<Scalar> flat =
      Eigen::Map<const Vector<Scalar>>(logits.data(), logits.size());
  if (absl::Status status = base->SetBias(flat, num_real_inputs); !status.ok())
    return status;
  return base;
}

template <typename Scalar>
std::unique_ptr<Base<Scalar>> CategoricalBase<Scalar>::Clone() const {
  return absl::WrapUnique(new CategoricalBase(*this));
}

template <typename Scalar>
bool CategoricalBase<Scalar>::InSupport(absl::Span<const Scalar> row) const {
  for (Scalar value : row.first(this->num_outputs()))
    if (!(value >= 0 && value <= 1)) return false;
  return true;
}

template <typename Scalar>
std::optional<double> CategoricalBase<Scalar>::LogNormalizer() const {
  const Vector<double> logits = this->parameters().template cast<double>();
  double sum = 0;
  for (Index first = 0; first < logits.size(); first += num_symbols_)
    sum += LogSumExp(absl::MakeConstSpan(logits.data() + first, num_symbols_));
  return sum;
}

template <typename Scalar>
void CategoricalBase<Scalar>::AddLogNormalizers(
    const Observations<Scalar>& x, absl::Span<double> log_normalizers) const {
  const Vector<double> logits = this->parameters().template cast<double>();
  const std::vector<Index> starts = x.FrameStarts();
  for (Index n = 0; n < x.size; ++n) {
    for (Index frame = starts[n]; frame < starts[n + 1]; ++frame) {
      for (Index first = 0; first < logits.size(); first += num_symbols_) {
        const auto part = logits.segment(first, num_symbols_);
        log_normalizers[n] +=
            x.IsClamped(frame, first)
                ? part.dot(x.values.row(frame)
                               .segment(first, num_symbols_)
                               .transpose()
                               .template cast<double>())
                : LogSumExp(absl::MakeConstSpan(part.data(), num_symbols_));
      }
    }
  }
}

template <typename Scalar>
void CategoricalBase<Scalar>::Reconstruct(const Messages<Scalar>& messages,
                                          Reconstruction reconstruction,
                                          const Draws& draws,
                                          const Workers& workers,
                                          Observations<Scalar>& x) const {
  const bool sample = reconstruction == Reconstruction::kSample;
  const Index symbols = num_symbols_;
  const Index coordinates = this->num_outputs() / symbols;
  const std::vector<Index> starts = x.FrameStarts();
  workers.ParallelFor(x.size, 8, [&](Index begin, Index end) {
    std::vector<double> uniform;
    Vector<double> shares(coordinates * symbols);
    for (Index n = begin; n < end; ++n) {
      if (sample) {
        uniform.resize(x.length(n) * coordinates);
        FillUniform(draws, x.row_ids[n], absl::MakeSpan(uniform));
      }
      for (Index frame = starts[n]; frame < starts[n + 1]; ++frame) {
        const Scalar* logits = messages.linear.row(frame).data();
        for (Index i = 0; i < shares.size(); i += symbols) {
          const Scalar greatest =
              *std::max_element(logits + i, logits + i + symbols);
          for (Index s = i; s < i + symbols; ++s)
            shares(s) = static_cast<double>(logits[s]) - greatest;
        }
        Exp(absl::Span<double>(shares.data(), shares.size()));
        for (Index i = 0; i < coordinates; ++i) {
          if (x.IsClamped(frame, i * symbols)) continue;
          const double* own = shares.data() + i * symbols;
          Scalar* row = x.values.row(frame).data() + i * symbols;
          double total = 0;
          for (Index s = 0; s < symbols; ++s) total += own[s];
          if (!sample) {
            for (Index s = 0; s < symbols; ++s)
              row[s] = static_cast<Scalar>(own[s] / total);
            continue;
          }
          double rest = uniform[(frame - starts[n]) * coordinates + i] * total;
          Index symbol = 0;
          while (symbol + 1 < symbols && (rest -= own[symbol]) > 0) ++symbol;
          std::fill_n(row, symbols, Scalar{0});
          row[symbol] = 1;
        }
      }
    }
  });
}

template class CategoricalBase<float>;
template class CategoricalBase<double>;

}  // namespace poe
