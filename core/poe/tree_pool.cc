#include "poe/tree_pool.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>

#include "Eigen/Cholesky"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/gaussian_tree.h"
#include "poe/opinion_pool.h"

namespace poe {
namespace {

// Powers are at least this, so that variances are finite.
constexpr double kLeastPower = 1e-6;

// The density of one tree at a power of 1, normalized.
GaussianOpinion OpinionOf(const GaussianTree<float>& trees, Index expert) {
  const Index width = trees.dimension();
  const std::vector<Coupling> couplings = trees.couplings();
  Vector<double> information = Vector<double>::Zero(width);
  Vector<double> diagonal = Vector<double>::Zero(width);
  Vector<double> coupling =
      Vector<double>::Zero(static_cast<Index>(couplings.size()));
  trees.AddNaturalParameters(expert, 0, 1, information, diagonal, coupling);
  GaussianOpinion opinion;
  opinion.precision = diagonal.asDiagonal();
  for (std::size_t e = 0; e < couplings.size(); ++e) {
    const auto [i, j] = couplings[e];
    opinion.precision(i, j) += coupling(static_cast<Index>(e));
    opinion.precision(j, i) = opinion.precision(i, j);
  }
  // h = J mean, and a forest's mean follows from its roots down; solving is as
  // good and shorter.
  opinion.mean = opinion.precision.llt().solve(information);
  return opinion;
}

// The t that maximizes E[log q^t / Z(t)] over data of these moments.
double BestPower(const GaussianOpinion& opinion, const Moments& moments) {
  const Vector<double> shift = moments.mean - opinion.mean;
  const double distance =
      opinion.precision.cwiseProduct(moments.covariance).sum() +
      shift.dot(opinion.precision * shift);
  return static_cast<double>(shift.size()) / distance;
}

// The group with expert m at powers[m].
absl::StatusOr<std::unique_ptr<GaussianTree<float>>> AtPowers(
    const GaussianTree<float>& trees, absl::Span<const double> powers) {
  GaussianTree<float>::Settings settings;
  settings.parents = trees.parents();
  settings.weight = trees.block(0);
  settings.offset = trees.block(1);
  settings.log_variance = trees.block(2);
  settings.mixing_logit = trees.block(3);
  for (std::size_t m = 0; m < powers.size(); ++m)
    settings.log_variance.row(static_cast<Index>(m)).array() -=
        static_cast<float>(std::log(powers[m]));
  settings.least_log_variance = std::min<double>(
      trees.least_log_variance(), settings.log_variance.minCoeff());
  settings.greatest_log_variance = std::max<double>(
      trees.greatest_log_variance(), settings.log_variance.maxCoeff());
  return GaussianTree<float>::Create(std::move(settings));
}

}  // namespace

absl::Status ValidatePool(const PoolSettings& settings,
                          const ProductSettings& product) {
  Index experts = 0;
  for (std::size_t g = 0; g < product.groups.size(); ++g) {
    const GroupSettings& group = product.groups[g];
    const auto* tree = std::get_if<GaussianTreeSettings>(&group.kind);
    const auto refuse = [g](absl::string_view why) {
      return absl::InvalidArgumentError(
          absl::StrCat("groups[", g, "] ", why,
                       "; a pool is of single Gaussian trees that "
                       "see all coordinates, at power 1"));
    };
    if (tree == nullptr) return refuse("is not of Gaussian trees");
    if (tree->num_trees != 1 || tree->with_uniform)
      return refuse("is of mixtures");
    if (!group.coordinates.empty()) return refuse("sees some coordinates");
    if (group.power != 1)
      return refuse(absl::StrCat("has power ", group.power));
    experts += group.num_experts;
  }
  if (product.base_deviation_multiple < kLeastPoolBase)
    return absl::InvalidArgumentError(absl::StrCat(
        "base.deviation_multiple is ", product.base_deviation_multiple,
        "; that of a pool must be at least ", kLeastPoolBase,
        ", so that the base does not matter"));
  if (settings.weights.empty()) return absl::OkStatus();
  return CheckPoolWeights(settings.weights, experts);
}

absl::StatusOr<TreePool> PoolTrees(const PoolSettings& settings,
                                   const Moments& moments, InterruptCheck check,
                                   Product<float>& product) {
  std::vector<const GaussianTree<float>*> groups;
  std::vector<GaussianOpinion> opinions;
  std::vector<double> powers;
  for (std::size_t g = 0; g < product.num_groups(); ++g) {
    groups.push_back(
        dynamic_cast<const GaussianTree<float>*>(&product.group(g)));
    if (groups.back() == nullptr)
      return absl::InternalError(
          absl::StrCat("group ", g, " of a pool is not of Gaussian trees"));
    for (Index m = 0; m < groups.back()->num_experts(); ++m) {
      GaussianOpinion& opinion =
          opinions.emplace_back(OpinionOf(*groups.back(), m));
      powers.push_back(BestPower(opinion, moments));
      opinion.precision *= powers.back();
    }
  }
  TreePool pool;
  pool.weights = settings.weights;
  if (pool.weights.empty()) {
    auto learned =
        LearnGaussianWeights(opinions, moments.mean, moments.covariance, check);
    if (!learned.ok()) return learned.status();
    pool.weights = *std::move(learned);
  }
  const auto pooled = PoolGaussians(opinions, pool.weights);
  if (!pooled.ok()) return pooled.status();
  pool.gain = std::max(0.0, -pooled->log_partition);  // but for rounding
  std::size_t first = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto count = static_cast<std::size_t>(groups[g]->num_experts());
    for (std::size_t m = first; m < first + count; ++m)
      powers[m] *= std::max(pool.weights[m], kLeastPower);
    auto raised =
        AtPowers(*groups[g], absl::MakeConstSpan(powers).subspan(first, count));
    if (!raised.ok()) return raised.status();
    product.ReplaceGroup(g, *std::move(raised));
    first += count;
  }
  return pool;
}

}  // namespace poe
