// Counter-based random numbers (Philox4x32-10): a draw is a function of seed,
// purpose, stream, step, row id and unit, never of what was drawn before.
#ifndef POE_NUMERICS_RANDOM_H_
#define POE_NUMERICS_RANDOM_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace poe {

// What draws are for; draws of different purposes are independent.
enum class Purpose : std::uint32_t {
  kLatents = 1,
  kData = 2,
  kStart = 3,
  kShuffle = 4,
  kHoldOut = 5,
  kInitialize = 6,
  kTest = 7,
};

// Names a family of draws.
struct Draws {
  std::uint64_t seed = 0;
  Purpose purpose = Purpose::kLatents;
  std::uint32_t stream = 0;  // expert group, class, ...
  std::uint32_t step = 0;    // update, Gibbs step or epoch
};

// 32 random bits for each unit 0 .. bits.size()-1 of a row.
void FillBits(const Draws& draws, std::uint64_t row,
              absl::Span<std::uint32_t> bits);

// Uniform on the open interval (0, 1).
void FillUniform(const Draws& draws, std::uint64_t row,
                 absl::Span<double> values);

// Standard normal.
void FillNormal(const Draws& draws, std::uint64_t row,
                absl::Span<double> values);

// True with probability p, from 32 random bits: exact at 0 and 1, to 2^-32
// between.
inline bool BernoulliDraw(double p, std::uint32_t bits) {
  return static_cast<double>(bits) < p * 4294967296.0;
}

// A seed for part `index` of whatever `seed` stands for.
std::uint64_t DeriveSeed(std::uint64_t seed, std::uint64_t index);

// A permutation of 0 .. n-1, uniform.
std::vector<std::uint32_t> RandomPermutation(const Draws& draws,
                                             std::uint32_t n);

}  // namespace poe

#endif  // POE_NUMERICS_RANDOM_H_
