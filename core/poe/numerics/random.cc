#include "poe/numerics/random.h"

#include <array>
#include <numeric>

#include "Random123/philox.h"
#include "Random123/uniform.hpp"
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

// Four words of 32 random bits.
Generator::ctr_type Block(const Generator::key_type& key, std::uint32_t step,
                          std::uint64_t row, std::uint32_t block) {
  const Generator::ctr_type counter = {{block, step,
                                        static_cast<std::uint32_t>(row),
                                        static_cast<std::uint32_t>(row >> 32)}};
  return Generator()(counter, key);
}

std::uint64_t Word64(const Generator::ctr_type& block, int i) {
  return static_cast<std::uint64_t>(block[2 * i + 1]) << 32 | block[2 * i];
}

}  // namespace

void FillBits(const Draws& draws, std::uint64_t row,
              absl::Span<std::uint32_t> bits) {
  const Generator::key_type key = KeyOf(draws);
  for (std::size_t i = 0; i < bits.size(); i += 4) {
    const Generator::ctr_type block =
        Block(key, draws.step, row, static_cast<std::uint32_t>(i / 4));
    const std::size_t count = std::min<std::size_t>(4, bits.size() - i);
    for (std::size_t j = 0; j < count; ++j) bits[i + j] = block[j];
  }
}

void FillUniform(const Draws& draws, std::uint64_t row,
                 absl::Span<double> values) {
  const Generator::key_type key = KeyOf(draws);
  for (std::size_t i = 0; i < values.size(); i += 2) {
    const Generator::ctr_type block =
        Block(key, draws.step, row, static_cast<std::uint32_t>(i / 2));
    const std::size_t count = std::min<std::size_t>(2, values.size() - i);
    for (std::size_t j = 0; j < count; ++j) {
      const std::uint64_t word = Word64(block, static_cast<int>(j));
      values[i + j] = (static_cast<double>(word >> 12) + 0.5) * 0x1p-52;
    }
  }
}

void FillNormal(const Draws& draws, std::uint64_t row,
                absl::Span<double> values) {
  const Generator::key_type key = KeyOf(draws);
  constexpr std::size_t kPairs = 128;
  std::array<double, kPairs> sines, cosines;
  for (std::size_t begin = 0; begin < values.size(); begin += 2 * kPairs) {
    const absl::Span<double> part = values.subspan(begin, 2 * kPairs);
    const std::size_t pairs = (part.size() + 1) / 2;
    for (std::size_t p = 0; p < pairs; ++p) {
      const Generator::ctr_type block = Block(
          key, draws.step, row, static_cast<std::uint32_t>(begin / 2 + p));
      sines[p] = r123::uneg11<double>(Word64(block, 0));
      cosines[p] = r123::u01<double>(Word64(block, 1));
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
    const std::uint64_t word = Word64(Block(key, draws.step, 0, i), 0);
    const auto j = static_cast<std::uint32_t>(
        static_cast<unsigned __int128>(word) * i >> 64);
    std::swap(order[i - 1], order[j]);
  }
  return order;
}

}  // namespace poe
