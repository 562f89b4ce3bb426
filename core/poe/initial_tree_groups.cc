#include <cmath>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/fit_convergence.h"
#include "poe/experts/fit_gaussian_tree.h"
#include "poe/experts/gaussian_tree.h"
#include "poe/initial_groups.h"
#include "poe/numerics/constants.h"

namespace poe {
namespace {

using Trees = GaussianTree<float>::Settings;

void AppendTreeRows(const RowMatrix<float>& more, RowMatrix<float>& rows) {
  const Index before = rows.rows();
  rows.conservativeResize(before + more.rows(), more.cols());
  rows.bottomRows(more.rows()) = more;
}

void AppendTrees(const Trees& more, Trees& all) {
  all.parents.insert(all.parents.end(), more.parents.begin(),
                     more.parents.end());
  AppendTreeRows(more.weight, all.weight);
  AppendTreeRows(more.offset, all.offset);
  AppendTreeRows(more.log_variance, all.log_variance);
  AppendTreeRows(more.mixing_logit, all.mixing_logit);
}

// As FitGaussianTrees, each tree from rows weighted for it alone.
absl::StatusOr<Trees> FitToShares(const ConstRowMatrixRef<float>& rows,
                                  const std::vector<std::vector<double>>& of) {
  Trees all;
  FitGaussianTreeOptions options;
  for (std::size_t m = 0; m < of.size(); ++m) {
    const auto moments = WeightedMoments<float>(rows, of[m]);
    absl::StatusOr<Trees> one = moments.ok()
                                    ? FitGaussianTree<float>(*moments, options)
                                    : absl::StatusOr<Trees>(moments.status());
    if (!one.ok())
      return absl::Status(one.status().code(),
                          absl::StrCat("expert ", m, " cannot be fitted: ",
                                       one.status().message()));
    for (std::size_t i = 0; i < one->parents.size(); ++i)
      if (one->parents[i] >= 0)
        options.excluded.push_back({static_cast<Index>(i), one->parents[i]});
    one->log_variance.array() +=
        static_cast<float>(std::log(static_cast<double>(of.size())));
    AppendTrees(*one, all);
  }
  return all;
}

absl::StatusOr<Trees> FitMixtures(const GaussianTreeSettings& settings,
                                  Index experts, const TreeFit& fit,
                                  const ConstRowMatrixRef<float>& rows,
                                  InterruptCheck check) {
  Trees all;
  for (Index m = 0; m < experts; ++m) {
    FitGaussianTreeMixtureOptions options;
    options.num_trees = settings.num_trees;
    options.max_iterations = fit.max_iterations;
    options.seed = DeriveSeed(fit.seed, static_cast<std::uint64_t>(m));
    auto mixture = FitGaussianTreeMixture<float>(
        rows, fit.weights[fit.weights.size() == 1 ? 0 : m], options, check);
    if (!mixture.ok()) return mixture.status();
    if (fit.must_converge)
      if (absl::Status status = CheckConverged(*mixture, rows.cols());
          !status.ok())
        return absl::Status(
            status.code(),
            absl::StrCat("expert ", m,
                         " cannot be fitted apart: ", status.message()));
    AppendTrees(mixture->settings, all);
  }
  return all;
}

}  // namespace

InitialGroup FitTrees(const GaussianTreeSettings& settings, Index experts,
                      const Examples& examples, const TreeFit& fit,
                      InterruptCheck check) {
  const auto rows = examples.x.values.topRows(examples.x.size);
  absl::StatusOr<Trees> fitted;
  if (settings.num_trees > 1) {
    fitted = FitMixtures(settings, experts, fit, rows, check);
  } else if (fit.weights.size() == 1) {
    const auto moments = WeightedMoments<float>(rows, fit.weights[0]);
    if (!moments.ok()) return moments.status();
    fitted = FitGaussianTrees<float>(*moments, experts);
  } else {
    fitted = FitToShares(rows, fit.weights);
  }
  if (!fitted.ok()) return fitted.status();
  Trees start = *std::move(fitted);
  if (settings.with_uniform) {
    // As plausible as a frame two nats below the usual.
    const double usual =
        -(start.log_variance.cast<double>().rowwise().sum().mean() +
          static_cast<double>(examples.x.dimension()) * (1 + kLog2Pi)) /
        2;
    start.mixing_logit.conservativeResize(Eigen::NoChange,
                                          settings.num_trees + 1);
    start.mixing_logit.rightCols(1).setConstant(static_cast<float>(usual - 2));
  }
  const LogVarianceBounds bounds =
      BoundsOf(settings, RootMeanSquareDeviation(MomentsOf(examples)));
  start.least_log_variance = bounds.least;
  start.greatest_log_variance = bounds.greatest;
  start.power = static_cast<float>(fit.power);
  return GaussianTree<float>::Create(std::move(start));
}

InitialGroup InitializeGroup(const GaussianTreeSettings& settings,
                             const GroupSettings& group,
                             const InitialData& data, const Draws& draws) {
  TreeFit fit;
  fit.weights = {data.examples.FrameWeights()};
  fit.power = group.power;
  fit.seed = DeriveSeed(draws.seed, draws.stream);
  return FitTrees(settings, group.num_experts, data.examples, fit, data.check);
}

}  // namespace poe
