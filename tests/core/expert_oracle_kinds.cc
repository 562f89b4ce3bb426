#include <cmath>
#include <utility>
#include <vector>

#include "poe/bases/bernoulli.h"
#include "poe/bases/gaussian.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/experts/unigauss.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kBoxLower = -3, kBoxUpper = 4;

RowMatrix<double> RandomMatrix(Index rows, Index cols, double scale,
                               std::uint32_t stream) {
  RowMatrix<double> values(rows, cols);
  std::vector<double> row(cols);
  for (Index i = 0; i < rows; ++i) {
    FillNormal({11, Purpose::kTest, stream, 0}, static_cast<std::uint64_t>(i),
               absl::MakeSpan(row));
    for (Index j = 0; j < cols; ++j) values(i, j) = scale * row[j];
  }
  return values;
}

template <typename Scalar>
std::unique_ptr<ExpertGroup<Scalar>> MakeUnits(Index dimension, Index experts,
                                               double power) {
  const RowMatrix<Scalar> weights =
      RandomMatrix(dimension, experts, 1, 1).template cast<Scalar>();
  const Vector<Scalar> bias =
      RandomMatrix(experts, 1, 0.5, 2).template cast<Scalar>();
  return *BernoulliUnits<Scalar>::Create(weights, bias,
                                         static_cast<Scalar>(power));
}

template <typename Scalar>
std::unique_ptr<ExpertGroup<Scalar>> MakeUnigauss(Index dimension,
                                                  Index experts, bool circular,
                                                  double power) {
  typename Unigauss<Scalar>::Settings settings;
  settings.mean =
      RandomMatrix(experts, dimension, 1, 3).template cast<Scalar>();
  settings.log_variance =
      (RandomMatrix(experts, circular ? 1 : dimension, 0.7, 4).array() - 0.5)
          .matrix()
          .template cast<Scalar>();
  settings.mixing_logit =
      RandomMatrix(experts, 1, 1, 5).template cast<Scalar>();
  settings.log_volume =
      static_cast<double>(dimension) * std::log(kBoxUpper - kBoxLower);
  settings.power = static_cast<Scalar>(power);
  return *Unigauss<Scalar>::Create(std::move(settings));
}

std::unique_ptr<Base<double>> MakeGaussianBase(Index dimension, bool factor) {
  GaussianBase<double>::Settings settings;
  settings.lower = Vector<double>::Constant(dimension, kBoxLower);
  settings.upper = Vector<double>::Constant(dimension, kBoxUpper);
  if (factor) {
    settings.mean = Vector<double>::LinSpaced(dimension, -0.4, 0.6);
    settings.log_variance = Vector<double>::LinSpaced(dimension, -0.3, 0.5);
  }
  return *GaussianBase<double>::Create(std::move(settings));
}

Observations<double> UniformRows(Index size, Index dimension, double lower,
                                 double upper, std::uint64_t seed) {
  Observations<double> x = MakeDense<double>(size, dimension);
  std::vector<double> row(dimension);
  for (Index n = 0; n < size; ++n) {
    FillUniform({seed, Purpose::kTest, 6, 0}, static_cast<std::uint64_t>(n),
                absl::MakeSpan(row));
    for (Index i = 0; i < dimension; ++i)
      x.values(n, i) = lower + (upper - lower) * row[i];
  }
  return x;
}

Observations<double> BinaryRows(Index size, Index dimension,
                                std::uint64_t seed) {
  Observations<double> x = UniformRows(size, dimension, 0, 1, seed);
  x.values = x.values.array().round();
  return x;
}

Observations<double> Constant(Index dimension,
                              std::initializer_list<double> values) {
  Observations<double> x =
      MakeDense<double>(static_cast<Index>(values.size()), dimension);
  Index n = 0;
  for (double value : values) x.values.row(n++).setConstant(value);
  return x;
}

double UnitsLogJoint(const ExpertGroup<double>& group, Index m, Index z,
                     const Vector<double>& x) {
  if (z == 0) return 0;
  double activation = group.block(1)(0, m);
  for (Index i = 0; i < x.size(); ++i)
    activation += group.block(0)(i, m) * x(i);
  return activation;
}

double UnigaussLogJoint(const ExpertGroup<double>& group, Index m, Index z,
                        const Vector<double>& x) {
  const double share = 1 / (1 + std::exp(-group.block(2)(m, 0)));
  if (z == 0)
    return std::log(1 - share) -
           static_cast<double>(x.size()) * std::log(kBoxUpper - kBoxLower);
  double density = share;
  const bool circular = group.blocks()[1].cols == 1;
  for (Index i = 0; i < x.size(); ++i) {
    const double variance = std::exp(group.block(1)(m, circular ? 0 : i));
    const double distance = x(i) - group.block(0)(m, i);
    density *= std::exp(-distance * distance / (2 * variance)) /
               std::sqrt(2 * kPi * variance);
  }
  return std::log(density);
}

OracleKind Units(Index dimension) {
  OracleKind kind;
  kind.dimension = dimension;
  kind.experts = 4;
  kind.states = 2;
  kind.make = [=](Index experts, double power) {
    return MakeUnits<double>(dimension, experts, power);
  };
  kind.make_float = [=](Index experts, double power) {
    return MakeUnits<float>(dimension, experts, power);
  };
  kind.log_joint = UnitsLogJoint;
  return kind;
}

OracleKind UnigaussKind(Index dimension, bool circular) {
  OracleKind kind;
  kind.dimension = dimension;
  kind.experts = 3;
  kind.states = 2;
  kind.make = [=](Index experts, double power) {
    return MakeUnigauss<double>(dimension, experts, circular, power);
  };
  kind.make_float = [=](Index experts, double power) {
    return MakeUnigauss<float>(dimension, experts, circular, power);
  };
  kind.make_base = [=] { return MakeGaussianBase(dimension, false); };
  kind.log_joint = UnigaussLogJoint;
  kind.rows = [=](Index size, std::uint64_t seed) {
    return UniformRows(size, dimension, kBoxLower, kBoxUpper, seed);
  };
  kind.extreme_rows = [=] {
    return Constant(dimension, {kBoxLower, kBoxUpper, 1e6, -1e6, 1e15});
  };
  return kind;
}

}  // namespace

OracleKind BernoulliUnitsOnBinaryData() {
  OracleKind kind = Units(5);
  kind.name = "BernoulliUnitsOnBinaryData";
  kind.make_base = [] {
    return *BernoulliBase<double>::Create(
        Vector<double>::LinSpaced(5, -0.8, 0.7));
  };
  kind.rows = [](Index size, std::uint64_t seed) {
    return BinaryRows(size, 5, seed);
  };
  kind.extreme_rows = [] { return Constant(5, {0, 1, 0.5, 1e-30}); };
  return kind;
}

OracleKind BernoulliUnitsOnRealData() {
  OracleKind kind = Units(2);
  kind.name = "BernoulliUnitsOnRealData";
  kind.make_base = [] { return MakeGaussianBase(2, true); };
  kind.rows = [](Index size, std::uint64_t seed) {
    return UniformRows(size, 2, kBoxLower, kBoxUpper, seed);
  };
  kind.extreme_rows = [] { return Constant(2, {1e6, -1e6, 1e30, 0}); };
  return kind;
}

OracleKind UnigaussWithVariancePerCoordinate() {
  OracleKind kind = UnigaussKind(2, false);
  kind.name = "UnigaussWithVariancePerCoordinate";
  return kind;
}

OracleKind CircularUnigauss() {
  OracleKind kind = UnigaussKind(2, true);
  kind.name = "CircularUnigauss";
  return kind;
}

}  // namespace poe
