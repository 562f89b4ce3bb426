// Products of one kind of expert, and data for them, in any size.
#ifndef POE_TESTS_BENCH_KIND_CASES_H_
#define POE_TESTS_BENCH_KIND_CASES_H_

#include <string>
#include <vector>

#include "poe/initialization.h"

namespace poe::bench {

struct Shape {
  Index rows;        // N, or sequences
  Index dimension;   // D
  Index experts;     // M
  Index states = 0;  // K, or L of linear dynamical systems; 0: has none
  Index length = 0;  // T; 0: dense rows
};

struct Kind {
  std::string name;
  Shape base;  // about as much work for each kind
};

// Every kind of expert, hidden Markov models with either emissions.
std::vector<Kind> Kinds();

struct KindCase {
  DataSpec spec;
  Product<float> product;
  Observations<float> data;
};

// Experts as they are before training, on noise of their family. Trees take
// their edges between near coordinates, so that the precision of their product
// is a band matrix at any size: the factors of trees at random fill up, which
// would measure the sparse factorization and not the experts.
KindCase MakeCase(const std::string& kind, const Shape& shape);

}  // namespace poe::bench

#endif  // POE_TESTS_BENCH_KIND_CASES_H_
