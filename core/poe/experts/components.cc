#include "poe/experts/components.h"

#include <cmath>
#include <vector>

#include "poe/numerics/elementwise.h"

namespace poe {

void NormalizeComponents(RowMatrixRef<double> joints,
                         RowMatrixRef<double> log_scores) {
  const Index experts = log_scores.cols();
  const Index components = joints.cols() / experts;
  Vector<double> sums(experts), scales(experts);
  for (Index n = 0; n < joints.rows(); ++n) {
    double* const row = joints.row(n).data();
    double* const scores = log_scores.row(n).data();
    for (Index m = 0; m < experts; ++m) {
      double* const part = row + m * components;
      double greatest = part[0];
      for (Index k = 1; k < components; ++k)
        greatest = std::max(greatest, part[k]);
      for (Index k = 0; k < components; ++k) part[k] -= greatest;
      scores[m] = greatest;
    }
    Exp(absl::Span<double>(row, joints.cols()));
    for (Index m = 0; m < experts; ++m) {
      const double* const part = row + m * components;
      double sum = 0;
      for (Index k = 0; k < components; ++k) sum += part[k];
      sums(m) = sum;
    }
    scales = sums.cwiseInverse();
    for (Index m = 0; m < experts; ++m) {
      double* const part = row + m * components;
      for (Index k = 0; k < components; ++k) part[k] *= scales(m);
    }
    Log(absl::Span<double>(sums.data(), sums.size()));
    for (Index m = 0; m < experts; ++m) scores[m] += sums(m);
  }
}

void DrawComponents(const Draws& draws, std::uint64_t row, Index first,
                    absl::Span<const double> probabilities,
                    absl::Span<Index> chosen) {
  if (chosen.empty()) return;
  const std::size_t components = probabilities.size() / chosen.size();
  const auto before = static_cast<std::size_t>(first);
  std::vector<double> uniform(before + chosen.size());
  FillUniform(draws, row, absl::MakeSpan(uniform));
  for (std::size_t m = 0; m < chosen.size(); ++m) {
    // Where rounding leaves a rest, the last component that can be.
    std::size_t component = 0;
    double rest = uniform[before + m];
    for (std::size_t k = 0; k < components; ++k) {
      const double probability = probabilities[m * components + k];
      component = rest >= 0 && probability > 0 ? k : component;
      rest -= probability;
    }
    chosen[m] = static_cast<Index>((before + m) * components + component);
  }
}

template <typename Scalar>
Vector<double> LogShares(const ConstRowMatrixRef<Scalar>& logits) {
  Vector<double> shares(logits.size());
  for (Index m = 0; m < logits.rows(); ++m) {
    auto part = shares.segment(m * logits.cols(), logits.cols());
    part = logits.row(m).transpose().template cast<double>();
    part.array() -= LogSumExp(absl::MakeConstSpan(part.data(), part.size()));
  }
  return shares;
}

template Vector<double> LogShares<float>(const ConstRowMatrixRef<float>&);
template Vector<double> LogShares<double>(const ConstRowMatrixRef<double>&);

}  // namespace poe
