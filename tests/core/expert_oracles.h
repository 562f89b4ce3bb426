// What every kind of expert has to pass, whatever it is: each kind says how to
// make a small group and how to compute log g(x, z) plainly, one latent state
// at a time; the suite does the rest.
#ifndef POE_TESTS_CORE_EXPERT_ORACLES_H_
#define POE_TESTS_CORE_EXPERT_ORACLES_H_

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "poe/product.h"
#include "tests/core/product_of.h"

namespace poe {

// One kind of expert in one data family, small enough to enumerate.
struct OracleKind {
  std::string name;
  Index dimension;  // of a frame, symbols as one column each
  Index experts;
  // Of one expert's latent (paths of an HMM counted); 0 where it is continuous.
  Index states;
  // Sequences only: frames of those observations that are enumerated.
  Index length = 1;
  // Columns of one value: S for symbols.
  Index columns = 1;
  // Groups of `experts` experts with the same random parameters in both
  // precisions, at a latent power.
  std::function<std::unique_ptr<ExpertGroup<double>>(Index experts,
                                                     double power)>
      make;
  std::function<std::unique_ptr<ExpertGroup<float>>(Index experts,
                                                    double power)>
      make_float;
  // A base of the family, proper by itself or on its box.
  std::function<std::unique_ptr<Base<double>>()> make_base;
  // log g_m(x, z) of the frames of one observation (T x D) from the group's
  // parameters, written without the library. Null where latents are continuous.
  std::function<double(const ExpertGroup<double>& group, Index m, Index z,
                       const RowMatrix<double>& x)>
      log_joint;
  // log integral of g_m(x, z)^exponent over z; needed only without log_joint.
  std::function<double(const ExpertGroup<double>& group, Index m,
                       const RowMatrix<double>& x, double exponent)>
      log_score;
  // Random observations of the family; sequences of `length` frames.
  std::function<Observations<double>(Index size, std::uint64_t seed)> rows;
  // Sequences only: of different lengths, T = 1 among them.
  std::function<Observations<double>(Index size, std::uint64_t seed)> ragged;
  // Observations that try the arithmetic: far away, at the edges.
  std::function<Observations<double>()> extreme_rows;
};

inline void PrintTo(const OracleKind& kind, std::ostream* out) {
  *out << kind.name;
}

OracleKind BernoulliUnitsOnBinaryData();
OracleKind BernoulliUnitsOnRealData();
OracleKind UnigaussWithVariancePerCoordinate();
OracleKind CircularUnigauss();
OracleKind BernoulliUnitsOnSymbols();
OracleKind GaussianMixturesOnABox();
OracleKind GaussianMixturesOnUnboundedData();
OracleKind GaussianTrees();
OracleKind GaussianTreeMixturesWithUniform();
OracleKind GaussianTreeMixturesInFourDimensions();
OracleKind HiddenMarkovOnRealSequences();
OracleKind HiddenMarkovOnUnboundedSequences();
OracleKind HiddenMarkovOnSymbols();
OracleKind LinearDynamicalOnABox();
OracleKind LinearDynamicalWithoutABox();
OracleKind LinearDynamicalOfWideFrames();

// One group of `kind.experts` experts on the kind's base.
inline Product<double> ProductOf(const OracleKind& kind, double power = 1) {
  return ProductOf(kind.make_base(), kind.make(kind.experts, power));
}

// What the kinds above are made of.
RowMatrix<double> RandomMatrix(Index rows, Index cols, double scale,
                               std::uint32_t stream);
inline constexpr double kBoxLower = -3, kBoxUpper = 4;
std::unique_ptr<Base<double>> MakeGaussianBase(Index dimension, bool factor);
std::unique_ptr<Base<double>> MakeStructuredBase(Index dimension);
std::unique_ptr<Base<double>> MakeCategoricalBase(Index coordinates,
                                                  Index symbols);
Observations<double> UniformRows(Index size, Index dimension, double lower,
                                 double upper, std::uint64_t seed);
Observations<double> SymbolRows(Index size, Index coordinates, Index symbols,
                                std::uint64_t seed);
// The rows as sequences of `length` frames each; their number must be a
// multiple of it.
Observations<double> AsSequences(const Observations<double>& rows,
                                 Index length);
// The rows as sequences of 1, 2, 3, 1, 2, 3, ... frames, `size` of them.
Observations<double> AsRagged(const Observations<double>& rows, Index size);

// log f of expert m at a power, summed over the latent states one by one.
double BruteForceLogScore(const OracleKind& kind,
                          const ExpertGroup<double>& group, Index m,
                          const RowMatrix<double>& x, double exponent);
// How much the messages to the frames from `first` on say that their log
// density grows from `from` to `to`.
double ChangeOf(const Messages<double>& messages,
                const std::vector<Coupling>& couplings, Index first,
                const RowMatrix<double>& from, const RowMatrix<double>& to);

template <typename Scalar>
Observations<Scalar> Cast(const Observations<double>& x) {
  Observations<Scalar> result;
  result.size = x.size;
  result.values = x.values.cast<Scalar>();
  result.lengths = x.lengths;
  result.row_ids = x.row_ids;
  result.clamped = x.clamped;
  return result;
}

// Observations [begin, begin + size), with their row ids.
template <typename Scalar>
Observations<Scalar> Slice(const Observations<Scalar>& x, Index begin,
                           Index size) {
  const std::vector<Index> starts = x.FrameStarts();
  const Index first = starts[begin], width = x.dimension();
  Observations<Scalar> part =
      x.sequential() ? MakeSequences<Scalar>({x.lengths.begin() + begin,
                                              x.lengths.begin() + begin + size},
                                             width)
                     : MakeDense<Scalar>(size, width);
  part.values.topRows(part.frames()) =
      x.values.middleRows(first, part.frames());
  for (Index n = 0; n < size; ++n) part.row_ids[n] = x.row_ids[begin + n];
  if (!x.clamped.empty())
    part.clamped.assign(x.clamped.begin() + first * width,
                        x.clamped.begin() + starts[begin + size] * width);
  return part;
}

std::vector<OracleKind> AllOracleKinds();
// Those that ExactDistribution reaches: bits, symbols, at most two real values.
std::vector<OracleKind> KindsWithExactDistribution();

}  // namespace poe

#endif  // POE_TESTS_CORE_EXPERT_ORACLES_H_
