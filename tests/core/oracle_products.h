// Products that the oracles run over: one of each kind of expert, and mixed
// ones; each as it is, and with a mask.
#ifndef POE_TESTS_CORE_ORACLE_PRODUCTS_H_
#define POE_TESTS_CORE_ORACLE_PRODUCTS_H_

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "poe/product.h"
#include "tests/core/expert_oracles.h"

namespace poe {

// One group of a product.
struct OraclePart {
  OracleKind kind;
  Index experts;
  double power = 1;  // its own, times that of the product
};

struct OracleProduct {
  std::string name;
  // They see the same data; rows are those of the first.
  std::vector<OraclePart> parts;
  std::function<std::unique_ptr<Base<double>>()> make_base;
  // The first value of each observation, with all columns of a symbol, is
  // observed and stays as it is; the others are missing.
  bool masked = false;

  const OracleKind& data() const { return parts[0].kind; }

  Product<double> Make(double power) const;
  Product<float> MakeFloat(double power) const;
  // One expert in each group.
  Product<double> MakeSmall(double power) const;

  Observations<double> Rows(Index size, std::uint64_t seed) const;
  // Of different lengths, where they are sequences.
  Observations<double> RaggedRows(Index size, std::uint64_t seed) const;
  Observations<double> ExtremeRows() const;
  // Clamps the first value of each observation, if there is a mask.
  void Mask(Observations<double>& x) const;

  // sum_m log f_m(x) of all groups at a power, latent state by latent state.
  double LogScoreOfExperts(const Product<double>& product, double power,
                           const RowMatrix<double>& x) const;
};

inline void PrintTo(const OracleProduct& product, std::ostream* out) {
  *out << product.name;
}

std::vector<OracleProduct> AllOracleProducts();
// Those that ExactDistribution reaches.
std::vector<OracleProduct> ProductsWithExactDistribution();
// Those whose latent states can be listed.
std::vector<OracleProduct> ProductsWithListedLatents();

}  // namespace poe

#endif  // POE_TESTS_CORE_ORACLE_PRODUCTS_H_
