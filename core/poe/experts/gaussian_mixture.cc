#include "poe/experts/gaussian_mixture.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/components.h"
#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

// Rows whose messages are summed in one go, and are then still in the cache.
constexpr Index kSampledRows = 64;

// Rows that are turned into responsibilities while they are in the cache.
constexpr Index kInferredRows = 64;

// A matrix whose left columns lie apart from the right ones: of two threads
// that have a side each, neither slows the other down by reading ahead.
class SplitMatrix {
 public:
  void Resize(Index rows, Index left, Index right) {
    sides_[0].resize(rows, left);
    sides_[1].resize(rows, right);
  }

  // 0 is the left one.
  const RowMatrix<double>& side(int side) const { return sides_[side]; }

  // To and from the block that begins at (row, column).
  void Set(Index row, Index column, const ConstRowMatrixRef<double>& block) {
    ForSides(column, block.cols(), [&](int side, auto its, auto of_block) {
      sides_[side].middleRows(row, block.rows())(Eigen::all, its) =
          block(Eigen::all, of_block);
    });
  }
  template <typename Scalar>
  void Get(Index row, Index column, RowMatrixRef<Scalar> block) const {
    ForSides(column, block.cols(), [&](int side, auto its, auto of_block) {
      block(Eigen::all, of_block) =
          sides_[side]
              .middleRows(row, block.rows())(Eigen::all, its)
              .template cast<Scalar>();
    });
  }

 private:
  // body(side, columns of it, which of `count` they are) for the columns from
  // `first` on.
  template <typename Body>
  void ForSides(Index first, Index count, Body body) const {
    const Index middle = sides_[0].cols();
    const Index left = std::clamp<Index>(middle - first, 0, count);
    if (left > 0) body(0, Eigen::seqN(first, left), Eigen::seqN(0, left));
    if (left < count)
      body(1, Eigen::seqN(first + left - middle, count - left),
           Eigen::seqN(left, count - left));
  }

  RowMatrix<double> sides_[2];
};

// The sides are those of the two halves of the experts.
struct Responsibilities : Posterior {
  SplitMatrix values;      // PaddedRows(N) x M K: P(component | x)
  SplitMatrix log_scores;  // PaddedRows(N) x M: log f
  double exponent = 1;     // power x inverse temperature
  Index size = 0;          // N
};

const Responsibilities& ResponsibilitiesOf(const Posterior& posterior) {
  return static_cast<const Responsibilities&>(posterior);
}

}  // namespace

template <typename Scalar>
absl::StatusOr<std::unique_ptr<GaussianMixture<Scalar>>>
GaussianMixture<Scalar>::Create(Settings settings) {
  const Index experts = settings.mixing_logit.rows();
  const Index components = settings.mixing_logit.cols();
  const Index dimension = settings.mean.cols();
  if (experts == 0 || components == 0)
    return absl::InvalidArgumentError(absl::StrCat(
        "mixing logits of Gaussian mixtures are ", experts, " x ", components,
        "; there must be at least 1 expert of 1 component"));
  if (settings.mean.rows() != experts * components || dimension == 0)
    return absl::InvalidArgumentError(
        absl::StrCat("means of Gaussian mixtures are ", settings.mean.rows(),
                     " x ", dimension, "; ", experts, " experts of ",
                     components, " components need ", experts * components,
                     " rows, of at least 1 coordinate"));
  if (settings.log_variance.rows() != settings.mean.rows() ||
      settings.log_variance.cols() != dimension)
    return absl::InvalidArgumentError(absl::StrCat(
        "log variances of Gaussian mixtures are ", settings.log_variance.rows(),
        " x ", settings.log_variance.cols(), "; they must be ",
        settings.mean.rows(), " x ", dimension, " like the means"));
  if (!settings.mean.allFinite() || !settings.log_variance.allFinite() ||
      !settings.mixing_logit.allFinite())
    return absl::InvalidArgumentError(
        "a parameter of Gaussian mixtures is not finite");
  if (!(settings.least_log_variance < settings.greatest_log_variance))
    return absl::InvalidArgumentError(
        "the bounds on log variances of Gaussian mixtures are out of order");
  if (!(settings.power > 0) || !std::isfinite(settings.power))
    return absl::InvalidArgumentError(
        absl::StrCat("the power of Gaussian mixtures is ", settings.power,
                     "; it must be positive"));
  auto group = absl::WrapUnique(new GaussianMixture());
  group->least_log_variance_ = settings.least_log_variance;
  group->greatest_log_variance_ = settings.greatest_log_variance;
  group->power_ = settings.power;
  group->AddBlock(ParameterKind::kMean, experts * components, dimension);
  group->AddBlock(ParameterKind::kLogVariance, experts * components, dimension);
  group->AddBlock(ParameterKind::kMixingLogit, experts, components);
  group->UpdateParameters(Workers::Inline(), [&](auto) {
    group->mutable_block(0) = settings.mean;
    group->mutable_block(1) = settings.log_variance;
    group->mutable_block(2) = settings.mixing_logit;
  });
  return group;
}

template <typename Scalar>
void GaussianMixture<Scalar>::ParametersChanged(const Workers& workers) {
  BoundLogVariances<Scalar>(least_log_variance_, greatest_log_variance_,
                            workers, this->mutable_block(1));
  log_share_ = LogShares<Scalar>(this->block(2));
  gaussians_.Update(this->block(0), this->block(1), log_share_, workers);
}

template <typename Scalar>
std::unique_ptr<ExpertGroup<Scalar>> GaussianMixture<Scalar>::Clone() const {
  return absl::WrapUnique(new GaussianMixture(*this));
}

template <typename Scalar>
std::unique_ptr<Posterior> GaussianMixture<Scalar>::NewPosterior() const {
  return std::make_unique<Responsibilities>();
}

template <typename Scalar>
void GaussianMixture<Scalar>::Infer(const Observations<Scalar>& x, Scalar beta,
                                    const Workers& workers,
                                    Posterior& posterior) const {
  auto& responsibilities = static_cast<Responsibilities&>(posterior);
  const Index rows = x.values.rows();
  responsibilities.size = x.size;
  responsibilities.exponent = static_cast<double>(power_) * beta;
  const Index components = num_components();
  const Index left = FirstOfSecondHalf(num_experts(), components);
  const Index right = num_experts() - left;
  responsibilities.values.Resize(rows, left * components, right * components);
  responsibilities.log_scores.Resize(rows, left, right);
  ShareGaussians(rows, num_experts(), components, workers,
                 [&](Index row, Index count, Index expert, Index experts) {
                   const Index first = expert * components;
                   const Index most = std::min(kInferredRows, count);
                   RowMatrix<double> all_joints(most, experts * components);
                   RowMatrix<double> all_scores(most, experts);
                   for (Index begin = row; begin < row + count; begin += most) {
                     const Index some = std::min(most, row + count - begin);
                     auto joints = all_joints.topRows(some);
                     auto scores = all_scores.topRows(some);
                     gaussians_.LogDensities(x.values.middleRows(begin, some),
                                             first, joints);
                     joints *= responsibilities.exponent;
                     NormalizeComponents(joints, scores);
                     responsibilities.values.Set(begin, first, joints);
                     responsibilities.log_scores.Set(begin, expert, scores);
                   }
                 });
}

template <typename Scalar>
void GaussianMixture<Scalar>::AddLogScores(
    const Posterior& posterior, absl::Span<double> log_scores) const {
  for (Index n = 0; n < ResponsibilitiesOf(posterior).size; ++n)
    for (const int side : {0, 1})
      for (const double of_expert :
           ResponsibilitiesOf(posterior).log_scores.side(side).row(n))
        log_scores[n] += of_expert;
}

template <typename Scalar>
void GaussianMixture<Scalar>::ExpertLogScores(
    const Posterior& posterior, RowMatrixRef<double> log_scores) const {
  const Index size = ResponsibilitiesOf(posterior).size;
  ResponsibilitiesOf(posterior).log_scores.Get<double>(
      0, 0, log_scores.topRows(size));
}

// The messages of the first half of the experts and those of the second are
// summed apart and added in this order, so that two threads can each sum those
// which they have in their caches, with the same bits as one.
template <typename Scalar>
void GaussianMixture<Scalar>::AddSampledMessages(
    const Observations<Scalar>& x, const Posterior& posterior,
    const Draws& draws, const Workers& workers,
    Messages<Scalar>& messages) const {
  const Responsibilities& responsibilities = ResponsibilitiesOf(posterior);
  const auto exponent = static_cast<Scalar>(responsibilities.exponent);
  const Index width = 2 * dimension(), components = num_components();
  const Index middle = FirstOfSecondHalf(num_experts(), components);
  const auto span_of = [](auto row) {
    return absl::MakeSpan(row.data(), static_cast<std::size_t>(row.size()));
  };
  const auto sum = [&](Index first_row, int half, RowMatrixRef<Scalar> sums) {
    const Index first = half == 0 ? 0 : middle;
    const Index experts = half == 0 ? middle : num_experts() - middle;
    RowMatrix<Index> chosen(sums.rows(), experts);
    for (Index n = 0; n < chosen.rows(); ++n)
      DrawComponents(
          draws, x.row_ids[first_row + n], first,
          span_of(responsibilities.values.side(half).row(first_row + n)),
          span_of(chosen.row(n)));
    gaussians_.SumMessages(chosen, sums);
  };
  const auto add = [&](Index n, absl::Span<const Scalar> sums) {
    const std::size_t half = sums.size() / 2;
    AddScaled<Scalar>(exponent, sums.first(half),
                      span_of(messages.linear.row(n)));
    AddScaled<Scalar>(exponent, sums.subspan(half),
                      span_of(messages.precision.row(n)));
  };
  if (!SharesExperts(x.size, num_experts(), components, workers)) {
    workers.ParallelFor(x.size, kLeastRows, [&](Index begin, Index end) {
      RowMatrix<Scalar> sums(std::min(kSampledRows, end - begin), width);
      for (Index row = begin; row < end; row += kSampledRows) {
        const Index rows = std::min(kSampledRows, end - row);
        for (const int half : {0, 1}) {
          sum(row, half, sums.topRows(rows));
          for (Index n = 0; n < rows; ++n) add(row + n, span_of(sums.row(n)));
        }
      }
    });
    return;
  }
  RowMatrix<Scalar> sums[] = {RowMatrix<Scalar>(x.size, width),
                              RowMatrix<Scalar>(x.size, width)};
  // Blocks of rows of the first half, then the same of the second.
  const Index blocks = workers.threads();
  workers.ForEachInRuns(2 * blocks, 1, [&](Index cell) {
    const int half = cell < blocks ? 0 : 1;
    const Index block = cell - half * blocks;
    const Index first = x.size * block / blocks;
    const Index last = x.size * (block + 1) / blocks;
    sum(first, half, sums[half].middleRows(first, last - first));
  });
  workers.ParallelFor(x.size, kLeastRows, [&](Index begin, Index end) {
    for (Index n = begin; n < end; ++n)
      for (const RowMatrix<Scalar>& of_half : sums)
        add(n, span_of(of_half.row(n)));
  });
}

template <typename Scalar>
void GaussianMixture<Scalar>::AddGradient(
    const Observations<Scalar>& x, const Posterior& posterior,
    absl::Span<const Scalar> weights, const Workers& workers,
    Eigen::Ref<Vector<Scalar>> gradient) const {
  const Responsibilities& responsibilities = ResponsibilitiesOf(posterior);
  const auto weight_of = [&](Index n) {
    return n < x.size ? weights[n] * responsibilities.exponent : 0;
  };
  const auto set_shares = [&](Index row, Index first,
                              RowMatrixRef<Scalar> shares) {
    responsibilities.values.Get<Scalar>(row, first, shares);
    for (Index n = 0; n < shares.rows(); ++n)
      shares.row(n) *= static_cast<Scalar>(weight_of(row + n));
  };
  double total_weight = 0;
  for (Index n = 0; n < x.size; ++n) total_weight += weight_of(n);
  const Vector<double> total = gaussians_.AddGradient(
      x.values, set_shares, workers, this->BlockOf(gradient, 0),
      this->BlockOf(gradient, 1));
  Vector<double> prior = log_share_;
  Exp(absl::Span<double>(prior.data(), prior.size()));
  const auto& block = this->blocks()[2];
  gradient.segment(block.offset, block.size()) +=
      (total - total_weight * prior).template cast<Scalar>();
}

template <typename Scalar>
void GaussianMixture<Scalar>::StepUnits(
    const Workers& workers, Eigen::Ref<Vector<Scalar>> units) const {
  MeanUnits<Scalar>(this->block(1), workers, this->BlockOf(units, 0));
}

template <typename Scalar>
void GaussianMixture<Scalar>::HiddenProbabilities(
    const Posterior& posterior, RowMatrixRef<Scalar> probabilities) const {
  ResponsibilitiesOf(posterior).values.Get<Scalar>(0, 0, probabilities);
}

template <typename Scalar>
void GaussianMixture<Scalar>::AddMessages(
    const ConstRowMatrixRef<Scalar>& states, const Workers& workers,
    Messages<Scalar>& messages) const {
  workers.ParallelFor(states.rows(), kLeastRows, [&](Index begin, Index end) {
    const Index count = end - begin;
    const RowMatrix<Scalar> scaled = power_ * states.middleRows(begin, count);
    gaussians_.AddMessages(scaled, messages.linear.middleRows(begin, count),
                           messages.precision.middleRows(begin, count));
  });
}

template class GaussianMixture<float>;
template class GaussianMixture<double>;

}  // namespace poe
