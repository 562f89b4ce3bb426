#include "poe/numerics/random.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "Random123/philox.h"
#include "Random123/uniform.hpp"
#include "absl/base/attributes.h"
#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

using Generator = r123::Philox4x32;

// The finalizer of SplitMix64: a bijection that spreads every bit.
std::uint64_t Mix(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

Generator::key_type KeyOf(const Draws& draws) {
  const std::uint64_t part =
      static_cast<std::uint64_t>(draws.purpose) << 32 | draws.stream;
  const std::uint64_t key = Mix(draws.seed ^ Mix(part));
  return {
      {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)}};
}

// Four words of 32 random bits. Compilers make vectors of loops over blocks
// only where this is part of them.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline Generator::ctr_type Block(
    const Generator::key_type& key, std::uint32_t step, std::uint64_t row,
    std::uint32_t block) {
  const Generator::ctr_type counter = {{block, step,
                                        static_cast<std::uint32_t>(row),
                                        static_cast<std::uint32_t>(row >> 32)}};
  return Generator()(counter, key);
}

std::uint64_t Word64(const std::uint32_t* words) {
  return static_cast<std::uint64_t>(words[1]) << 32 | words[0];
}

// The words of blocks from `first` on, one after the other.
void FillWords(const Draws& draws, std::uint64_t row, std::size_t first,
               absl::Span<std::uint32_t> words) {
  const Generator::key_type key = KeyOf(draws);
  const std::uint32_t step = draws.step;
  const std::size_t blocks = words.size() / 4, rest = words.size() % 4;
  std::uint32_t* const to = words.data();
  for (std::size_t i = 0; i < blocks; ++i) {
    const Generator::ctr_type block =
        Block(key, step, row, static_cast<std::uint32_t>(first + i));
    for (std::size_t j = 0; j < 4; ++j) to[4 * i + j] = block[j];
  }
  if (rest == 0) return;
  const Generator::ctr_type block =
      Block(key, step, row, static_cast<std::uint32_t>(first + blocks));
  std::copy_n(block.begin(), rest, to + 4 * blocks);
}

// Numbers that are made of words at a time, two words each.
constexpr std::size_t kNumbers = 256;

}  // namespace

void FillBits(const Draws& draws, std::uint64_t row,
              absl::Span<std::uint32_t> bits) {
  FillWords(draws, row, 0, bits);
}

void FillUniform(const Draws& draws, std::uint64_t row,
                 absl::Span<double> values) {
  std::array<std::uint32_t, 2 * kNumbers> words;
  for (std::size_t begin = 0; begin < values.size(); begin += kNumbers) {
    const absl::Span<double> part = values.subspan(begin, kNumbers);
    FillWords(draws, row, begin / 2,
              absl::MakeSpan(words).first(2 * part.size()));
    // The upper 52 of the 64 bits of two words.
    for (std::size_t i = 0; i < part.size(); ++i)
      part[i] = (static_cast<double>(words[2 * i + 1]) * 0x1p20 +
                 static_cast<double>(words[2 * i] >> 12) + 0.5) *
                0x1p-52;
  }
}

void FillNormal(const Draws& draws, std::uint64_t row,
                absl::Span<double> values) {
  std::array<std::uint32_t, 2 * kNumbers> words;
  std::array<double, kNumbers / 2> sines, cosines;
  for (std::size_t begin = 0; begin < values.size(); begin += kNumbers) {
    const absl::Span<double> part = values.subspan(begin, kNumbers);
    const std::size_t pairs = (part.size() + 1) / 2;
    FillWords(draws, row, begin / 2, absl::MakeSpan(words).first(4 * pairs));
    for (std::size_t p = 0; p < pairs; ++p) {
      sines[p] = r123::uneg11<double>(Word64(&words[4 * p]));
      cosines[p] = r123::u01<double>(Word64(&words[4 * p + 2]));
    }
    BoxMuller(absl::MakeSpan(sines.data(), pairs),
              absl::MakeSpan(cosines.data(), pairs));
    for (std::size_t i = 0; i < part.size(); ++i)
      part[i] = i % 2 == 0 ? sines[i / 2] : cosines[i / 2];
  }
}

std::uint64_t DeriveSeed(std::uint64_t seed, std::uint64_t index) {
  return Mix(seed ^ Mix(~index));
}

std::vector<std::uint32_t> RandomPermutation(const Draws& draws,
                                             std::uint32_t n) {
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  const Generator::key_type key = KeyOf(draws);
  // Fisher-Yates; 64 bits make the bias of the multiplication negligible.
  for (std::uint32_t i = n; i > 1; --i) {
    const Generator::ctr_type block = Block(key, draws.step, 0, i);
    const std::uint64_t word = Word64(block.data());
    const auto j = static_cast<std::uint32_t>(
        static_cast<unsigned __int128>(word) * i >> 64);
    std::swap(order[i - 1], order[j]);
  }
  return order;
}

}  // namespace poe
