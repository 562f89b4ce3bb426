#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "poe/bases/bernoulli.h"
#include "poe/bases/categorical.h"
#include "poe/bases/gaussian.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/bernoulli_units.h"
#include "poe/experts/unigauss.h"
#include "poe/numerics/elementwise.h"
#include "tests/core/expert_oracles.h"

namespace poe {

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

std::unique_ptr<Base<double>> MakeStructuredBase(Index dimension) {
  const Vector<double> mean = Vector<double>::LinSpaced(dimension, -0.4, 0.6);
  const Vector<double> log_variance =
      Vector<double>::LinSpaced(dimension, -0.3, 0.5);
  return *StructuredGaussianBase<double>::Create(mean, log_variance);
}

std::unique_ptr<Base<double>> MakeCategoricalBase(Index coordinates,
                                                  Index symbols) {
  return *CategoricalBase<double>::Create(
      RandomMatrix(coordinates, symbols, 0.5, 7));
}

Observations<double> SymbolRows(Index size, Index coordinates, Index symbols,
                                std::uint64_t seed) {
  const Observations<double> uniform =
      UniformRows(size, coordinates, 0, static_cast<double>(symbols), seed);
  Observations<double> x = MakeDense<double>(size, coordinates * symbols);
  for (Index n = 0; n < size; ++n)
    for (Index i = 0; i < coordinates; ++i)
      x.values(n, i * symbols + static_cast<Index>(uniform.values(n, i))) = 1;
  return x;
}

Observations<double> AsSequences(const Observations<double>& rows,
                                 Index length) {
  Observations<double> x = MakeSequences<double>(
      std::vector<Index>(rows.size / length, length), rows.dimension());
  x.values = rows.values;
  return x;
}

Observations<double> AsRagged(const Observations<double>& rows, Index size) {
  std::vector<Index> lengths;
  for (Index n = 0; n < size; ++n) lengths.push_back(1 + n % 3);
  Observations<double> x =
      MakeSequences<double>(std::move(lengths), rows.dimension());
  x.values.topRows(x.frames()) = rows.values.topRows(x.frames());
  return x;
}

namespace {

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
                     const RowMatrix<double>& x) {
  if (z == 0) return 0;
  double activation = group.block(1)(0, m);
  for (Index i = 0; i < x.size(); ++i)
    activation += group.block(0)(i, m) * x(0, i);
  return activation;
}

double UnigaussLogJoint(const ExpertGroup<double>& group, Index m, Index z,
                        const RowMatrix<double>& x) {
  const double share = 1 / (1 + std::exp(-group.block(2)(m, 0)));
  if (z == 0)
    return std::log(1 - share) -
           static_cast<double>(x.size()) * std::log(kBoxUpper - kBoxLower);
  double density = share;
  const bool circular = group.blocks()[1].cols == 1;
  for (Index i = 0; i < x.size(); ++i) {
    const double variance = std::exp(group.block(1)(m, circular ? 0 : i));
    const double distance = x(0, i) - group.block(0)(m, i);
    density *= std::exp(-distance * distance / (2 * variance)) /
               std::sqrt(2 * std::numbers::pi * variance);
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

OracleKind BernoulliUnitsOnSymbols() {
  constexpr Index kCoordinates = 2, kSymbols = 3;
  OracleKind kind = Units(kCoordinates * kSymbols);
  kind.name = "BernoulliUnitsOnSymbols";
  kind.columns = kSymbols;
  kind.make_base = [] { return MakeCategoricalBase(kCoordinates, kSymbols); };
  kind.rows = [](Index size, std::uint64_t seed) {
    return SymbolRows(size, kCoordinates, kSymbols, seed);
  };
  kind.extreme_rows = [] { return Constant(6, {0, 1, 1e-30}); };
  return kind;
}

double BruteForceLogScore(const OracleKind& kind,
                          const ExpertGroup<double>& group, Index m,
                          const RowMatrix<double>& x, double exponent) {
  if (kind.log_score) return kind.log_score(group, m, x, exponent);
  std::vector<double> terms;
  for (Index z = 0; z < kind.states; ++z)
    terms.push_back(exponent * kind.log_joint(group, m, z, x));
  return LogSumExp(terms);
}

double ChangeOf(const Messages<double>& messages,
                const std::vector<Coupling>& couplings, Index first,
                const RowMatrix<double>& from, const RowMatrix<double>& to) {
  double change = 0;
  for (Index t = 0; t < from.rows(); ++t) {
    const auto linear = messages.linear.row(first + t);
    const auto precision = messages.precision.row(first + t);
    for (Index i = 0; i < from.cols(); ++i)
      change +=
          linear(i) * (to(t, i) - from(t, i)) -
          precision(i) * (to(t, i) * to(t, i) - from(t, i) * from(t, i)) / 2;
    for (std::size_t e = 0; e < couplings.size(); ++e) {
      const auto [i, j] = couplings[e];
      change -= messages.coupling(first + t, static_cast<Index>(e)) *
                (to(t, i) * to(t, j) - from(t, i) * from(t, j));
    }
  }
  return change;
}

std::vector<OracleKind> AllOracleKinds() {
  return {BernoulliUnitsOnBinaryData(),
          BernoulliUnitsOnRealData(),
          UnigaussWithVariancePerCoordinate(),
          CircularUnigauss(),
          BernoulliUnitsOnSymbols(),
          GaussianMixturesOnABox(),
          GaussianMixturesOnUnboundedData(),
          HiddenMarkovOnRealSequences(),
          HiddenMarkovOnUnboundedSequences(),
          HiddenMarkovOnSymbols(),
          LinearDynamicalOnABox(),
          LinearDynamicalWithoutABox(),
          LinearDynamicalOfWideFrames(),
          GaussianTrees(),
          GaussianTreeMixturesWithUniform(),
          GaussianTreeMixturesInFourDimensions()};
}

std::vector<OracleKind> KindsWithExactDistribution() {
  std::vector<OracleKind> kinds = AllOracleKinds();
  std::erase_if(kinds, [](const OracleKind& kind) {
    const Family family = kind.make_base()->family();
    return family != Family::kBernoulli && family != Family::kCategorical &&
           kind.dimension * kind.length > 2;
  });
  return kinds;
}

}  // namespace poe
