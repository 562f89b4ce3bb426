// What every kind of expert has to pass, whatever it is: each kind says how to
// make a small group and how to compute log g(x, z) plainly, one latent state
// at a time; the suite does the rest.
#ifndef POE_TESTS_CORE_EXPERT_ORACLES_H_
#define POE_TESTS_CORE_EXPERT_ORACLES_H_

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "poe/base.h"
#include "poe/expert_group.h"

namespace poe {

// One kind of expert in one data family, small enough to enumerate.
struct OracleKind {
  std::string name;
  Index dimension;
  Index experts;
  Index states;  // of one expert's latent
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
  // log g_m(x, z) from the group's parameters, written without the library.
  std::function<double(const ExpertGroup<double>& group, Index m, Index z,
                       const Vector<double>& x)>
      log_joint;
  // Random rows of the family.
  std::function<Observations<double>(Index size, std::uint64_t seed)> rows;
  // Rows that try the arithmetic: far away, at the edges.
  std::function<Observations<double>()> extreme_rows;
};

inline void PrintTo(const OracleKind& kind, std::ostream* out) {
  *out << kind.name;
}

OracleKind BernoulliUnitsOnBinaryData();
OracleKind BernoulliUnitsOnRealData();
OracleKind UnigaussWithVariancePerCoordinate();
OracleKind CircularUnigauss();

}  // namespace poe

#endif  // POE_TESTS_CORE_EXPERT_ORACLES_H_
