#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "poe/experts/gaussian_tree.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

// Trees of every shape that two coordinates have, cycled through; chains, stars
// and forests of more.
std::int32_t Parent(Index tree, Index i, Index dimension) {
  const Index previous = (i + 1) % dimension;
  switch (tree % 3) {
    case 0:
      return static_cast<std::int32_t>(i - 1);
    case 1:
      return i == dimension - 1 ? -1 : static_cast<std::int32_t>(previous);
    default:
      return i % 3 == 2 ? 0 : -1;
  }
}

template <typename Scalar>
std::unique_ptr<ExpertGroup<Scalar>> MakeTrees(Index dimension, Index experts,
                                               Index trees, bool uniform,
                                               double power) {
  typename GaussianTree<Scalar>::Settings settings;
  const Index rows = experts * trees;
  for (Index t = 0; t < rows; ++t)
    for (Index i = 0; i < dimension; ++i)
      settings.parents.push_back(Parent(t, i, dimension));
  settings.weight = RandomMatrix(rows, dimension, 0.8, 81).cast<Scalar>();
  settings.offset = RandomMatrix(rows, dimension, 0.7, 82).cast<Scalar>();
  settings.log_variance = RandomMatrix(rows, dimension, 0.5, 83).cast<Scalar>();
  settings.mixing_logit =
      RandomMatrix(experts, trees + (uniform ? 1 : 0), 0.7, 84).cast<Scalar>();
  if (uniform) settings.mixing_logit.col(trees).array() -= Scalar(2);
  settings.power = static_cast<Scalar>(power);
  return *GaussianTree<Scalar>::Create(std::move(settings));
}

OracleKind Trees(std::string name, Index dimension, Index experts, Index trees,
                 bool uniform) {
  OracleKind kind;
  kind.name = std::move(name);
  kind.dimension = dimension;
  kind.experts = experts;
  kind.states = trees + (uniform ? 1 : 0);
  kind.make = [=](Index count, double power) {
    return MakeTrees<double>(dimension, count, trees, uniform, power);
  };
  kind.make_float = [=](Index count, double power) {
    return MakeTrees<float>(dimension, count, trees, uniform, power);
  };
  kind.make_base = [=] { return MakeStructuredBase(dimension); };
  kind.log_joint = [=](const ExpertGroup<double>& group, Index m, Index z,
                       const RowMatrix<double>& x) {
    double sum = 0;
    for (Index k = 0; k < group.block(3).cols(); ++k)
      sum += std::exp(group.block(3)(m, k));
    double log_joint = std::log(std::exp(group.block(3)(m, z)) / sum);
    if (z == trees) return log_joint;
    const Index t = m * trees + z;
    for (Index i = 0; i < dimension; ++i) {
      const std::int32_t parent = Parent(t, i, dimension);
      double mean = group.block(1)(t, i);
      if (parent >= 0) mean += group.block(0)(t, i) * x(0, parent);
      const double variance = std::exp(group.block(2)(t, i));
      log_joint -= std::log(2 * std::numbers::pi * variance) / 2 +
                   (x(0, i) - mean) * (x(0, i) - mean) / (2 * variance);
    }
    return log_joint;
  };
  kind.rows = [=](Index size, std::uint64_t seed) {
    return UniformRows(size, dimension, -2.5, 2.5, seed);
  };
  kind.extreme_rows = [=] {
    Observations<double> x = UniformRows(6, dimension, -1, 1, 1);
    x.values.row(0) *= 1e3;
    x.values.row(1) *= 1e10;
    x.values.row(2) *= 1e30;
    x.values.row(3).setConstant(3e38);
    x.values(4, 0) = -3e38;
    return x;
  };
  return kind;
}

}  // namespace

OracleKind GaussianTrees() { return Trees("GaussianTrees", 2, 3, 1, false); }

OracleKind GaussianTreeMixturesWithUniform() {
  return Trees("GaussianTreeMixturesWithUniform", 2, 2, 2, true);
}

OracleKind GaussianTreeMixturesInFourDimensions() {
  return Trees("GaussianTreeMixturesInFourDimensions", 4, 3, 3, false);
}

}  // namespace poe
