#include <utility>

#include "poe/experts/linear_dynamical.h"
#include "tests/core/expert_oracles.h"
#include "tests/core/linear_dense.h"

namespace poe {
namespace {

template <typename Scalar>
std::unique_ptr<ExpertGroup<Scalar>> MakeSystems(Index dimension, Index latents,
                                                 Index experts, double power) {
  auto settings = RandomSystems<Scalar>(experts, latents, dimension);
  settings.power = static_cast<Scalar>(power);
  return *LinearDynamical<Scalar>::Create(std::move(settings));
}

OracleKind Systems(Index dimension, Index latents, Index length) {
  OracleKind kind;
  kind.dimension = dimension;
  kind.experts = 2;
  kind.states = 0;
  kind.length = length;
  kind.make = [=](Index experts, double power) {
    return MakeSystems<double>(dimension, latents, experts, power);
  };
  kind.make_float = [=](Index experts, double power) {
    return MakeSystems<float>(dimension, latents, experts, power);
  };
  kind.log_score = [](const ExpertGroup<double>& group, Index m,
                      const RowMatrix<double>& x, double exponent) {
    return DenseLogScore(DenseSystem(group, m), x, exponent);
  };
  kind.rows = [=](Index size, std::uint64_t seed) {
    return AsSequences(
        UniformRows(size * length, dimension, kBoxLower, kBoxUpper, seed),
        length);
  };
  kind.ragged = [=](Index size, std::uint64_t seed) {
    return AsRagged(
        UniformRows(3 * size, dimension, kBoxLower, kBoxUpper, seed), size);
  };
  kind.extreme_rows = [=] {
    Observations<double> x = MakeSequences<double>({1, 2, 3, 2, 1}, dimension);
    Index frame = 0;
    for (double value : {1e6, -1e6, 1e15, 0.0, 1e30, -1e30, 1e38, 1e38, -3e38})
      x.values.row(frame++).setConstant(value);
    return x;
  };
  return kind;
}

}  // namespace

OracleKind LinearDynamicalOnABox() {
  OracleKind kind = Systems(1, 2, 2);
  kind.name = "LinearDynamicalOnABox";
  kind.make_base = [] { return MakeGaussianBase(1, false); };
  return kind;
}

OracleKind LinearDynamicalWithoutABox() {
  OracleKind kind = Systems(1, 2, 2);
  kind.name = "LinearDynamicalWithoutABox";
  kind.make_base = [] { return MakeStructuredBase(1); };
  return kind;
}

OracleKind LinearDynamicalOfWideFrames() {
  OracleKind kind = Systems(2, 1, 1);
  kind.name = "LinearDynamicalOfWideFrames";
  kind.make_base = [] { return MakeStructuredBase(2); };
  return kind;
}

}  // namespace poe
