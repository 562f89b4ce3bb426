#include "poe/experts/fit_gaussian_tree.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/forest.h"
#include "poe/numerics/random.h"

namespace poe {
namespace {

// A column that varies less than this, relative to its mean, does not vary.
constexpr double kLeastRelativeDeviation = 1e-12;

absl::Status Validate(const Moments& moments,
                      const FitGaussianTreeOptions& options) {
  const Index width = moments.mean.size();
  if (width == 0)
    return absl::InvalidArgumentError("a tree needs at least 1 column");
  for (Index i = 0; i < width; ++i) {
    const double least = kLeastRelativeDeviation * moments.mean(i);
    if (!(moments.covariance(i, i) > least * least))
      return absl::InvalidArgumentError(
          absl::StrCat("column ", i,
                       " has the same value in all rows; a tree needs columns "
                       "that vary: leave it out or add noise"));
  }
  if (!(options.least_variance_share > 0) || options.least_variance_share > 1)
    return absl::InvalidArgumentError(absl::StrCat("least_variance_share is ",
                                                   options.least_variance_share,
                                                   "; it must be in (0, 1]"));
  for (const Coupling& edge : options.excluded)
    if (std::min(edge.first, edge.second) < 0 ||
        std::max(edge.first, edge.second) >= width)
      return absl::InvalidArgumentError(
          absl::StrCat("excluded edge (", edge.first, ", ", edge.second,
                       ") is outside the ", width, " columns"));
  return absl::OkStatus();
}

double SquaredCorrelation(const Moments& moments, Index i, Index j) {
  const double covariance = moments.covariance(i, j);
  return covariance * covariance /
         (moments.covariance(i, i) * moments.covariance(j, j));
}

// Parents in the maximum spanning forest, by Prim's algorithm. Mutual
// information grows with rho^2, so that orders the edges as well.
std::vector<std::int32_t> SpanningForest(
    const Moments& moments, const std::vector<Coupling>& excluded) {
  const Index width = moments.mean.size();
  std::vector<bool> barred(width * width, false);
  for (const Coupling& edge : excluded)
    barred[edge.first * width + edge.second] =
        barred[edge.second * width + edge.first] = true;
  std::vector<std::int32_t> parents(width, kNoParent);
  std::vector<double> best(width, -1);  // -1: no edge from the tree so far
  std::vector<bool> joined(width, false);
  for (Index count = 0; count < width; ++count) {
    Index next = -1;
    for (Index i = 0; i < width; ++i)
      if (!joined[i] && (next < 0 || best[i] > best[next])) next = i;
    joined[next] = true;
    for (Index i = 0; i < width; ++i) {
      if (joined[i] || barred[next * width + i]) continue;
      const double value = SquaredCorrelation(moments, next, i);
      if (value > best[i]) {
        best[i] = value;
        parents[i] = static_cast<std::int32_t>(next);
      }
    }
  }
  return parents;
}

// The tree of one expert in row t of settings, by least squares.
template <typename Scalar>
void SetTree(const Moments& moments, const std::vector<std::int32_t>& parents,
             double least_share, double variance_factor, Index t,
             typename GaussianTree<Scalar>::Settings& settings) {
  const Index width = moments.mean.size();
  for (Index i = 0; i < width; ++i) {
    const std::int32_t parent = parents[i];
    settings.parents[t * width + i] = parent;
    double weight = 0, offset = moments.mean(i), share = 1;
    if (parent != kNoParent) {
      weight =
          moments.covariance(i, parent) / moments.covariance(parent, parent);
      offset -= weight * moments.mean(parent);
      share = 1 - SquaredCorrelation(moments, i, parent);
    }
    settings.weight(t, i) = static_cast<Scalar>(weight);
    settings.offset(t, i) = static_cast<Scalar>(offset);
    settings.log_variance(t, i) = static_cast<Scalar>(
        std::log(variance_factor * moments.covariance(i, i) *
                 std::max(share, least_share)));
  }
}

template <typename Scalar>
typename GaussianTree<Scalar>::Settings MakeSettings(Index experts, Index trees,
                                                     Index width) {
  typename GaussianTree<Scalar>::Settings settings;
  settings.parents.assign(experts * trees * width, kNoParent);
  settings.weight = RowMatrix<Scalar>::Zero(experts * trees, width);
  settings.offset = settings.log_variance = settings.weight;
  settings.mixing_logit = RowMatrix<Scalar>::Zero(experts, trees);
  return settings;
}

}  // namespace

template <typename Scalar>
absl::StatusOr<typename GaussianTree<Scalar>::Settings> FitGaussianTree(
    const Moments& moments, const FitGaussianTreeOptions& options) {
  return FitGaussianTrees<Scalar>(moments, 1, options);
}

template <typename Scalar>
absl::StatusOr<typename GaussianTree<Scalar>::Settings> FitGaussianTrees(
    const Moments& moments, Index experts,
    const FitGaussianTreeOptions& options) {
  if (experts < 1)
    return absl::InvalidArgumentError(absl::StrCat(
        "the number of trees is ", experts, "; it must be at least 1"));
  const absl::Status status = Validate(moments, options);
  if (!status.ok()) return status;
  auto settings = MakeSettings<Scalar>(experts, 1, moments.mean.size());
  std::vector<Coupling> excluded = options.excluded;
  for (Index m = 0; m < experts; ++m) {
    const std::vector<std::int32_t> parents = SpanningForest(moments, excluded);
    SetTree<Scalar>(moments, parents, options.least_variance_share,
                    static_cast<double>(experts), m, settings);
    for (std::size_t i = 0; i < parents.size(); ++i)
      if (parents[i] != kNoParent)
        excluded.push_back({static_cast<Index>(i), parents[i]});
  }
  return settings;
}

namespace {

// K rows, each far from those before with high probability: drawn by squared
// distance in standard deviations (k-means++). Then the shares that give each
// row to the nearest.
RowMatrix<double> FirstShares(const RowMatrix<double>& rows,
                              const Vector<double>& weight,
                              const Moments& moments, Index trees,
                              std::uint64_t seed) {
  const Vector<double> precision = moments.covariance.diagonal().cwiseInverse();
  const Index size = rows.rows();
  std::vector<double> uniform(trees);
  FillUniform({seed, Purpose::kInitialize, 0, 0}, 0, absl::MakeSpan(uniform));
  Vector<double> nearest = Vector<double>::Ones(size);
  std::vector<Index> owner(size, 0);
  for (Index k = 0; k < trees; ++k) {
    const Vector<double> chance = nearest.cwiseProduct(weight);
    double left = uniform[k] * chance.sum();
    Index centre = 0;
    while (centre + 1 < size && left >= chance(centre))
      left -= chance(centre++);
    const Vector<double> distance =
        (rows.rowwise() - rows.row(centre)).array().square().matrix() *
        precision;
    for (Index n = 0; n < size; ++n) {
      if (k > 0 && distance(n) >= nearest(n)) continue;
      nearest(n) = distance(n);
      owner[n] = k;
    }
  }
  RowMatrix<double> shares = RowMatrix<double>::Zero(size, trees);
  for (Index n = 0; n < size; ++n) shares(n, owner[n]) = 1;
  return shares;
}

// Moments of the rows under their shares and of `prior_rows` rows more that
// have the moments `all`.
Moments SharedMoments(const RowMatrix<double>& rows,
                      const Vector<double>& share, const Moments& all,
                      double prior_rows) {
  Moments moments;
  moments.weight = share.sum() + prior_rows;
  moments.mean =
      (rows.transpose() * share + prior_rows * all.mean) / moments.weight;
  const RowMatrix<double> centred = rows.rowwise() - moments.mean.transpose();
  const Vector<double> shift = all.mean - moments.mean;
  moments.covariance =
      (centred.transpose() * share.asDiagonal() * centred +
       prior_rows * (all.covariance + shift * shift.transpose())) /
      moments.weight;
  return moments;
}

}  // namespace

template <typename Scalar>
absl::StatusOr<FittedGaussianTreeMixture<Scalar>> FitGaussianTreeMixture(
    const ConstRowMatrixRef<Scalar>& rows, absl::Span<const double> weights,
    const FitGaussianTreeMixtureOptions& options, InterruptCheck check) {
  if (options.num_trees < 1 || options.max_iterations < 1)
    return absl::InvalidArgumentError(absl::StrCat(
        "a mixture of ", options.num_trees, " trees by ",
        options.max_iterations, " iterations; both must be at least 1"));
  if (!(options.tolerance >= 0))
    return absl::InvalidArgumentError(absl::StrCat(
        "tolerance is ", options.tolerance, "; it must not be negative"));
  if (!(options.prior_rows > 0) || !std::isfinite(options.prior_rows))
    return absl::InvalidArgumentError(absl::StrCat(
        "prior_rows is ", options.prior_rows, "; it must be positive"));
  const absl::StatusOr<Moments> all = WeightedMoments<Scalar>(rows, weights);
  if (!all.ok()) return all.status();
  const absl::Status status = Validate(*all, options.tree);
  if (!status.ok()) return status;

  const Index size = rows.rows(), trees = options.num_trees;
  Observations<double> x = MakeDense<double>(size, rows.cols());
  x.values.topRows(size) = rows.template cast<double>();
  const RowMatrix<double> values = x.values.topRows(size);
  Vector<double> weight = Vector<double>::Ones(size);
  if (!weights.empty())
    weight = Eigen::Map<const Vector<double>>(weights.data(), size);
  RowMatrix<double> shares =
      FirstShares(values, weight, *all, trees, options.seed);
  auto settings = MakeSettings<double>(1, trees, rows.cols());
  RowMatrix<double> hidden(x.values.rows(), trees);
  FittedGaussianTreeMixture<Scalar> fit;
  Vector<double> scores(size);
  double log_likelihood = 0;
  for (int iteration = 0;; ++iteration) {
    if (absl::Status status = check(); !status.ok()) return status;
    for (Index k = 0; k < trees; ++k) {
      const Moments moments = SharedMoments(
          values, weight.cwiseProduct(shares.col(k)), *all, options.prior_rows);
      SetTree<double>(moments, SpanningForest(moments, options.tree.excluded),
                      options.tree.least_variance_share, 1, k, settings);
      settings.mixing_logit(0, k) =
          std::log(moments.weight / (all->weight + static_cast<double>(trees) *
                                                       options.prior_rows));
    }
    // One tree is the likeliest at once.
    if (trees == 1) {
      fit.last_gain = 0;
      fit.converged = true;
      break;
    }
    const auto group = GaussianTree<double>::Create(settings);
    if (!group.ok()) return group.status();
    const auto posterior = (*group)->NewPosterior();
    (*group)->Infer(x, 1, Workers::Inline(), *posterior);
    scores.setZero();
    (*group)->AddLogScores(*posterior, absl::MakeSpan(scores.data(), size));
    const double now = weight.dot(scores) / all->weight;
    if (!std::isfinite(now))
      return absl::FailedPreconditionError(absl::StrCat(
          "the likelihood of a mixture of trees is not finite after ",
          iteration, " iterations; scale the data"));
    if (iteration > 0) {
      fit.iterations = iteration;
      fit.last_gain = now - log_likelihood;
      fit.converged = std::abs(fit.last_gain) < options.tolerance;
    }
    log_likelihood = now;
    if (fit.converged || iteration == options.max_iterations) break;
    (*group)->HiddenProbabilities(*posterior, hidden);
    shares = hidden.topRows(size);
  }
  auto& result = fit.settings;
  result = MakeSettings<Scalar>(1, trees, rows.cols());
  result.parents = settings.parents;
  result.weight = settings.weight.template cast<Scalar>();
  result.offset = settings.offset.template cast<Scalar>();
  result.log_variance = settings.log_variance.template cast<Scalar>();
  result.mixing_logit = settings.mixing_logit.template cast<Scalar>();
  return fit;
}

template absl::StatusOr<GaussianTree<float>::Settings> FitGaussianTree<float>(
    const Moments&, const FitGaussianTreeOptions&);
template absl::StatusOr<GaussianTree<double>::Settings> FitGaussianTree<double>(
    const Moments&, const FitGaussianTreeOptions&);
template absl::StatusOr<GaussianTree<float>::Settings> FitGaussianTrees<float>(
    const Moments&, Index, const FitGaussianTreeOptions&);
template absl::StatusOr<GaussianTree<double>::Settings>
FitGaussianTrees<double>(const Moments&, Index, const FitGaussianTreeOptions&);
template absl::StatusOr<FittedGaussianTreeMixture<float>>
FitGaussianTreeMixture<float>(const ConstRowMatrixRef<float>&,
                              absl::Span<const double>,
                              const FitGaussianTreeMixtureOptions&,
                              InterruptCheck);
template absl::StatusOr<FittedGaussianTreeMixture<double>>
FitGaussianTreeMixture<double>(const ConstRowMatrixRef<double>&,
                               absl::Span<const double>,
                               const FitGaussianTreeMixtureOptions&,
                               InterruptCheck);

}  // namespace poe
