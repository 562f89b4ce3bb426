#ifndef POE_TESTS_FUZZ_REQUIRE_H_
#define POE_TESTS_FUZZ_REQUIRE_H_

#include <cstdio>
#include <cstdlib>

namespace poe::fuzz {

// Ends the process, saying what is broken, unless the promise is kept.
inline void Require(bool kept, const char* promise) {
  if (kept) return;
  std::fprintf(stderr, "Not so: %s\n", promise);
  std::abort();
}

}  // namespace poe::fuzz

#endif  // POE_TESTS_FUZZ_REQUIRE_H_
