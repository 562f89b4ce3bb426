#include "poe/exact_incomplete_scoring.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "poe/experts/gaussian_tree_partition.h"
#include "poe/experts/gaussian_tree_product.h"
#include "poe/experts/hidden_markov.h"
#include "poe/experts/hidden_markov_partition.h"
#include "poe/experts/hidden_markov_product.h"
#include "poe/experts/linear_dynamical_product.h"
#include "poe/experts/selected_coordinates.h"
#include "poe/numerics/elementwise.h"
#include "poe/numerics/sparse_gaussian.h"

namespace poe {
namespace {

// Observations between two looks at the interrupt check, and those whose terms
// are kept at a time.
constexpr Index kMarginalsAtATime = 256, kTreeRowsAtATime = 16;

// Which values of a frame are clamped; empty where none is in x.
template <typename Scalar>
absl::Span<const std::uint8_t> MaskOfFrame(const Observations<Scalar>& x,
                                           Index frame) {
  return x.clamped.empty() ? absl::Span<const std::uint8_t>()
                           : absl::MakeConstSpan(x.clamped).subspan(
                                 frame * x.dimension(), x.dimension());
}

template <typename Scalar>
double MarkovMarginal(const HiddenMarkovProduct<Scalar>& markov,
                      const Observations<Scalar>& x, Index start,
                      Index length) {
  Vector<double> integrals;
  const auto frame = [&](Index t) -> const Vector<double>& {
    const Scalar* values = x.values.data() + (start + t) * x.dimension();
    integrals = markov.LogFrameIntegrals(
        absl::MakeConstSpan(values, x.dimension()), MaskOfFrame(x, start + t));
    return integrals;
  };
  return markov.LogSumsOverPaths(absl::MakeConstSpan(&length, 1), frame)[0];
}

// Of rows [begin, end). Rows with the same values missing that follow each
// other share a factor.
template <typename Scalar>
void AddTreeMarginals(const GaussianTreeProduct<Scalar>& trees,
                      Index combinations, const Observations<Scalar>& x,
                      Index begin, Index end, SparseGaussian& gaussian,
                      absl::Span<double> marginals) {
  std::vector<std::vector<double>> terms(end - begin);
  for (Index c = 0; c < combinations; ++c) {
    const auto natural = trees.Given(trees.States(c));
    for (Index n = begin; n < end; ++n) {
      const Vector<double> row =
          x.values.row(n).transpose().template cast<double>();
      terms[n - begin].push_back(
          natural.constant +
          gaussian.LogIntegral(natural.information, natural.precision,
                               natural.coupling, MaskOfFrame(x, n), row));
    }
  }
  for (Index n = begin; n < end; ++n)
    marginals[n] = LogSumExp(terms[n - begin]);
}

// Runs body(begin, end) over disjoint ranges of all observations.
absl::Status ForAll(Index size, const Workers& workers, InterruptCheck check,
                    absl::FunctionRef<void(Index, Index)> body) {
  for (Index begin = 0; begin < size; begin += kMarginalsAtATime) {
    if (absl::Status status = check(); !status.ok()) return status;
    workers.ParallelFor(
        std::min(size - begin, kMarginalsAtATime), 1,
        [&](Index first, Index last) { body(begin + first, begin + last); });
  }
  return absl::OkStatus();
}

// The same for observations one by one: marginal(first frame, frames).
template <typename Scalar>
absl::Status ForEachSequence(const Observations<Scalar>& x,
                             const Workers& workers, InterruptCheck check,
                             absl::FunctionRef<double(Index, Index)> marginal,
                             absl::Span<double> marginals) {
  const std::vector<Index> starts = x.FrameStarts();
  return ForAll(x.size, workers, check, [&](Index begin, Index end) {
    for (Index n = begin; n < end; ++n)
      marginals[n] = marginal(starts[n], x.length(n));
  });
}

template <typename Scalar>
absl::Status MarkovMarginals(const Product<Scalar>& product,
                             const Observations<Scalar>& x, Index most,
                             const Workers& workers, InterruptCheck check,
                             absl::Span<double> marginals) {
  const auto markov = HiddenMarkovProduct<Scalar>::View(
      product, std::min(most, kMostJointStates));
  if (!markov.ok()) return markov.status();
  return ForEachSequence(
      x, workers, check,
      [&](Index start, Index length) {
        return MarkovMarginal(*markov, x, start, length);
      },
      marginals);
}

template <typename Scalar>
absl::Status DynamicalMarginals(const Product<Scalar>& product,
                                const Observations<Scalar>& x, Index most,
                                const Workers& workers, InterruptCheck check,
                                absl::Span<double> marginals) {
  const auto systems = LinearDynamicalProduct<Scalar>::View(product);
  if (!systems.ok()) return systems.status();
  const Index latents = systems->latents().latents();
  if (latents * systems->sources() > most)
    return absl::FailedPreconditionError(
        absl::StrCat("the experts have ", latents,
                     " latent dimensions together, too many for one filter"));
  return ForEachSequence(
      x, workers, check,
      [&](Index start, Index length) {
        return systems->LogMarginal(x, start, length);
      },
      marginals);
}

template <typename Scalar>
absl::Status TreeMarginals(const Product<Scalar>& product,
                           const Observations<Scalar>& x, Index most,
                           const Workers& workers, InterruptCheck check,
                           absl::Span<double> marginals) {
  const auto trees = GaussianTreeProduct<Scalar>::View(product);
  if (!trees.ok()) return trees.status();
  const auto combinations =
      trees->CountCombinations(std::min(most, kMostTreeCombinations));
  if (!combinations.ok()) return combinations.status();
  return ForAll(x.size, workers, check, [&](Index begin, Index end) {
    SparseGaussian gaussian(trees->dimension(), trees->couplings());
    for (Index n = begin; n < end; n += kTreeRowsAtATime)
      AddTreeMarginals(*trees, *combinations, x, n,
                       std::min(end, n + kTreeRowsAtATime), gaussian,
                       marginals);
  });
}

}  // namespace

template <typename Scalar>
absl::StatusOr<std::vector<double>> ExactIncompleteLogScores(
    const Product<Scalar>& product, const Observations<Scalar>& x, Index most,
    const Workers& workers, InterruptCheck check) {
  const ExpertGroup<Scalar>* first = Unwrap(product.group(0)).group;
  const auto add = !product.sequential() ? TreeMarginals<Scalar>
                   : dynamic_cast<const HiddenMarkov<Scalar>*>(first) != nullptr
                       ? MarkovMarginals<Scalar>
                       : DynamicalMarginals<Scalar>;
  std::vector<double> of_base(x.size, 0), marginals(x.size, 0);
  const absl::Status status =
      add(product, x, most, workers, check, absl::MakeSpan(marginals));
  if (!status.ok()) return status;
  product.base().AddLogNormalizers(x, absl::MakeSpan(of_base));
  for (Index n = 0; n < x.size; ++n)
    if (!std::isfinite(of_base[n])) marginals[n] = of_base[n];
  return marginals;
}

template absl::StatusOr<std::vector<double>> ExactIncompleteLogScores<float>(
    const Product<float>&, const Observations<float>&, Index, const Workers&,
    InterruptCheck);
template absl::StatusOr<std::vector<double>> ExactIncompleteLogScores<double>(
    const Product<double>&, const Observations<double>&, Index, const Workers&,
    InterruptCheck);

}  // namespace poe
