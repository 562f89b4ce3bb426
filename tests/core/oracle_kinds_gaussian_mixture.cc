#include <cmath>
#include <numbers>
#include <utility>

#include "poe/experts/gaussian_mixture.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

constexpr Index kDimension = 2, kComponents = 3;

template <typename Scalar>
std::unique_ptr<ExpertGroup<Scalar>> MakeMixtures(Index experts, double power) {
  typename GaussianMixture<Scalar>::Settings settings;
  settings.mean = RandomMatrix(experts * kComponents, kDimension, 1.2, 31)
                      .template cast<Scalar>();
  settings.log_variance =
      (RandomMatrix(experts * kComponents, kDimension, 0.7, 32).array() - 0.2)
          .matrix()
          .template cast<Scalar>();
  settings.mixing_logit =
      RandomMatrix(experts, kComponents, 1, 33).template cast<Scalar>();
  settings.power = static_cast<Scalar>(power);
  return *GaussianMixture<Scalar>::Create(std::move(settings));
}

double MixtureLogJoint(const ExpertGroup<double>& group, Index m, Index z,
                       const RowMatrix<double>& x) {
  const auto logits = group.block(2);
  double sum = 0;
  for (Index k = 0; k < logits.cols(); ++k) sum += std::exp(logits(m, k));
  double density = std::exp(logits(m, z)) / sum;
  const Index row = m * logits.cols() + z;
  for (Index i = 0; i < x.size(); ++i) {
    const double variance = std::exp(group.block(1)(row, i));
    const double distance = x(0, i) - group.block(0)(row, i);
    density *= std::exp(-distance * distance / (2 * variance)) /
               std::sqrt(2 * std::numbers::pi * variance);
  }
  return std::log(density);
}

OracleKind Mixtures() {
  OracleKind kind;
  kind.dimension = kDimension;
  kind.experts = 3;
  kind.states = kComponents;
  kind.make = MakeMixtures<double>;
  kind.make_float = MakeMixtures<float>;
  kind.log_joint = MixtureLogJoint;
  kind.rows = [](Index size, std::uint64_t seed) {
    return UniformRows(size, kDimension, kBoxLower, kBoxUpper, seed);
  };
  kind.extreme_rows = [] {
    Observations<double> x = MakeDense<double>(6, kDimension);
    const double far[] = {kBoxLower, kBoxUpper, 1e6, -1e6, 1e15, -3e38};
    for (Index n = 0; n < x.size; ++n) x.values.row(n).setConstant(far[n]);
    return x;
  };
  return kind;
}

}  // namespace

OracleKind GaussianMixturesOnABox() {
  OracleKind kind = Mixtures();
  kind.name = "GaussianMixturesOnABox";
  kind.make_base = [] { return MakeGaussianBase(kDimension, false); };
  return kind;
}

OracleKind GaussianMixturesOnUnboundedData() {
  OracleKind kind = Mixtures();
  kind.name = "GaussianMixturesOnUnboundedData";
  kind.make_base = [] { return MakeStructuredBase(kDimension); };
  return kind;
}

}  // namespace poe
