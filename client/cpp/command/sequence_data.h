// Data of `poe reproduce sequences`: sequences of three channels.
#ifndef POE_CLIENT_CPP_COMMAND_SEQUENCE_DATA_H_
#define POE_CLIENT_CPP_COMMAND_SEQUENCE_DATA_H_

#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "absl/types/span.h"
#include "poe/v1/tensor.pb.h"

namespace poe::client {

inline constexpr int kFrames = 24;
inline constexpr int kChannels = 3;

// count x kFrames x kChannels values as observations of `poe.v1`.
v1::Observations SequenceObservations(absl::Span<const float> values);

// A hidden Markov model of one channel that goes round its states: it stays
// with probability 0.1 and otherwise goes on to the next. Means are a random
// permutation of equal steps on [-1.5, 1.5], the standard deviation is 0.5.
class CyclicChain {
 public:
  CyclicChain(int states, std::mt19937_64& engine);

  // kFrames values.
  std::vector<double> Draw(std::mt19937_64& engine) const;
  // Log density of kFrames values at a distance of `stride`.
  double LogDensity(const float* values, int stride) const;

 private:
  std::vector<double> means_;
};

// Three channels that know nothing of each other, with 3, 4 and 5 states.
class IndependentChains {
 public:
  explicit IndependentChains(uint64_t seed);

  // count x kFrames x kChannels.
  std::vector<float> Draw(int count);
  // Mean log density of a frame, nats.
  double MeanLogDensity(absl::Span<const float> values) const;

 private:
  std::mt19937_64 engine_;
  std::vector<CyclicChain> chains_;
};

// One chain of five states that all channels follow, each with a mean of its
// own in every state.
std::vector<float> DrawCommonChain(uint64_t seed, int count);

// Three damped oscillators of different frequencies, one in each channel, seen
// with noise.
std::vector<float> DrawOscillators(uint64_t seed, int count);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_SEQUENCE_DATA_H_
