#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "poe/experts/hidden_markov.h"
#include "poe/numerics/elementwise.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

constexpr Index kRealLength = 2, kRealStates = 3;
constexpr Index kSymbolLength = 3, kSymbols = 3, kSymbolStates = 2;

template <typename Scalar>
std::unique_ptr<ExpertGroup<Scalar>> Make(Index experts, Index states,
                                          Index symbols, double power) {
  typename HiddenMarkov<Scalar>::Settings settings;
  settings.initial_logit =
      RandomMatrix(experts, states, 1, 50).template cast<Scalar>();
  settings.transition_logit =
      RandomMatrix(experts * states, states, 1, 51).template cast<Scalar>();
  if (symbols == 0) {
    settings.mean =
        RandomMatrix(experts * states, 1, 1.2, 52).template cast<Scalar>();
    settings.log_variance =
        (RandomMatrix(experts * states, 1, 0.6, 53).array() - 0.2)
            .matrix()
            .template cast<Scalar>();
  } else {
    settings.emission_logit =
        RandomMatrix(experts * states, symbols, 1, 54).template cast<Scalar>();
    settings.num_symbols = symbols;
  }
  settings.power = static_cast<Scalar>(power);
  return *HiddenMarkov<Scalar>::Create(std::move(settings));
}

double LogShare(const Eigen::Map<const RowMatrix<double>>& logits, Index row,
                Index chosen) {
  return logits(row, chosen) - std::log(logits.row(row).array().exp().sum());
}

// Path z: digit t of z in base K is the state of frame t.
double LogJoint(const ExpertGroup<double>& group, Index m, Index z,
                const RowMatrix<double>& x) {
  const Index states = group.blocks()[0].cols;
  double sum = 0;
  Index before = 0;
  for (Index t = 0; t < x.rows(); ++t, z /= states) {
    const Index state = z % states;
    sum += t == 0 ? LogShare(group.block(0), m, state)
                  : LogShare(group.block(1), m * states + before, state);
    before = state;
    const Index row = m * states + state;
    if (group.blocks().size() == 3) {
      for (Index i = 0; i < x.cols(); ++i)
        sum += x(t, i) * LogShare(group.block(2), row, i);
      continue;
    }
    for (Index i = 0; i < x.cols(); ++i) {
      const double variance = std::exp(group.block(3)(row, i));
      const double distance = x(t, i) - group.block(2)(row, i);
      sum -= distance * distance / (2 * variance) +
             std::log(2 * std::numbers::pi * variance) / 2;
    }
  }
  return sum;
}

Index Paths(Index states, Index length) {
  Index paths = 1;
  for (Index t = 0; t < length; ++t) paths *= states;
  return paths;
}

// The sum over paths of sequences of any length.
double LogScore(const ExpertGroup<double>& group, Index m,
                const RowMatrix<double>& x, double exponent) {
  std::vector<double> terms;
  for (Index z = 0; z < Paths(group.blocks()[0].cols, x.rows()); ++z)
    terms.push_back(exponent * LogJoint(group, m, z, x));
  return LogSumExp(terms);
}

OracleKind Kind(Index experts, Index states, Index symbols, Index length) {
  OracleKind kind;
  kind.dimension = symbols == 0 ? 1 : symbols;
  kind.experts = experts;
  kind.states = Paths(states, length);
  kind.length = length;
  kind.columns = symbols == 0 ? 1 : symbols;
  kind.make = [=](Index count, double power) {
    return Make<double>(count, states, symbols, power);
  };
  kind.make_float = [=](Index count, double power) {
    return Make<float>(count, states, symbols, power);
  };
  kind.log_joint = LogJoint;
  kind.log_score = LogScore;
  return kind;
}

OracleKind OnRealSequences() {
  OracleKind kind = Kind(2, kRealStates, 0, kRealLength);
  kind.rows = [](Index size, std::uint64_t seed) {
    return AsSequences(
        UniformRows(size * kRealLength, 1, kBoxLower, kBoxUpper, seed),
        kRealLength);
  };
  kind.ragged = [](Index size, std::uint64_t seed) {
    return AsRagged(UniformRows(3 * size, 1, kBoxLower, kBoxUpper, seed), size);
  };
  kind.extreme_rows = [] {
    Observations<double> x = MakeSequences<double>({1, 4, 2, 1}, 1);
    x.values.col(0) << 1e15, -1e6, 0, 1e15, 1, kBoxLower, -1e30, 1e6;
    return x;
  };
  return kind;
}

}  // namespace

OracleKind HiddenMarkovOnRealSequences() {
  OracleKind kind = OnRealSequences();
  kind.name = "HiddenMarkovOnRealSequences";
  kind.make_base = [] { return MakeGaussianBase(1, false); };
  return kind;
}

OracleKind HiddenMarkovOnUnboundedSequences() {
  OracleKind kind = OnRealSequences();
  kind.name = "HiddenMarkovOnUnboundedSequences";
  kind.make_base = [] { return MakeStructuredBase(1); };
  return kind;
}

OracleKind HiddenMarkovOnSymbols() {
  OracleKind kind = Kind(2, kSymbolStates, kSymbols, kSymbolLength);
  kind.name = "HiddenMarkovOnSymbols";
  kind.make_base = [] { return MakeCategoricalBase(1, kSymbols); };
  kind.rows = [](Index size, std::uint64_t seed) {
    return AsSequences(SymbolRows(size * kSymbolLength, 1, kSymbols, seed),
                       kSymbolLength);
  };
  kind.ragged = [](Index size, std::uint64_t seed) {
    return AsRagged(SymbolRows(3 * size, 1, kSymbols, seed), size);
  };
  kind.extreme_rows = [] {
    Observations<double> x = MakeSequences<double>({1, 2, 1}, kSymbols);
    x.values.row(0).setOnes();
    x.values.row(2).setConstant(1e-30);
    x.values(3, 1) = 1;
    return x;
  };
  return kind;
}

}  // namespace poe
