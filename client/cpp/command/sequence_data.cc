#include "client/cpp/command/sequence_data.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "client/cpp/tensor.h"

namespace poe::client {
namespace {

constexpr std::array<int, kChannels> kChainStates = {3, 4, 5};
constexpr double kStay = 0.1;
constexpr double kReach = 1.5;
constexpr double kDeviation = 0.5;
constexpr double kLog2Pi = 1.8378770664093454836;

// Equal steps on [-kReach, kReach], in random order.
std::vector<double> ShuffledSteps(int count, std::mt19937_64& engine) {
  std::vector<double> steps;
  for (int i = 0; i < count; ++i) {
    steps.push_back(kReach * (2.0 * i / (count - 1) - 1));
  }
  std::shuffle(steps.begin(), steps.end(), engine);
  return steps;
}

// States of a cyclic chain that starts anywhere.
std::vector<int> DrawStates(int states, std::mt19937_64& engine) {
  std::uniform_int_distribution<int> anywhere(0, states - 1);
  std::bernoulli_distribution stay(kStay);
  std::vector<int> path = {anywhere(engine)};
  while (path.size() < kFrames) {
    path.push_back(stay(engine) ? path.back() : (path.back() + 1) % states);
  }
  return path;
}

}  // namespace

v1::Observations SequenceObservations(absl::Span<const float> values) {
  const auto frames = static_cast<int64_t>(values.size()) / kChannels;
  v1::Observations observations;
  v1::Sequences& sequences = *observations.mutable_sequences();
  *sequences.mutable_values() = MakeTensor({frames, kChannels}, values);
  sequences.mutable_lengths()->Resize(static_cast<int>(frames / kFrames),
                                      kFrames);
  return observations;
}

CyclicChain::CyclicChain(int states, std::mt19937_64& engine)
    : means_(ShuffledSteps(states, engine)) {}

std::vector<double> CyclicChain::Draw(std::mt19937_64& engine) const {
  std::normal_distribution<double> noise(0, kDeviation);
  std::vector<double> values;
  for (const int state : DrawStates(static_cast<int>(means_.size()), engine)) {
    values.push_back(means_[state] + noise(engine));
  }
  return values;
}

double CyclicChain::LogDensity(const float* values, int stride) const {
  const size_t states = means_.size();
  std::vector<double> forward(states, 1.0 / static_cast<double>(states));
  double log_density = 0;
  for (int t = 0; t < kFrames; ++t) {
    if (t > 0) {
      const std::vector<double> before = forward;
      for (size_t k = 0; k < states; ++k) {
        forward[k] =
            kStay * before[k] + (1 - kStay) * before[(k + states - 1) % states];
      }
    }
    double total = 0;
    for (size_t k = 0; k < states; ++k) {
      const double z = (values[t * stride] - means_[k]) / kDeviation;
      forward[k] *= std::exp(-z * z / 2);
      total += forward[k];
    }
    for (double& share : forward) share /= total;
    log_density += std::log(total) - kLog2Pi / 2 - std::log(kDeviation);
  }
  return log_density;
}

IndependentChains::IndependentChains(uint64_t seed) : engine_(seed) {
  for (const int states : kChainStates) chains_.emplace_back(states, engine_);
}

std::vector<float> IndependentChains::Draw(int count) {
  std::vector<float> values(static_cast<size_t>(count) * kFrames * kChannels);
  for (int n = 0; n < count; ++n) {
    for (int c = 0; c < kChannels; ++c) {
      const std::vector<double> channel = chains_[c].Draw(engine_);
      for (int t = 0; t < kFrames; ++t) {
        values[(n * kFrames + t) * kChannels + c] =
            static_cast<float>(channel[t]);
      }
    }
  }
  return values;
}

double IndependentChains::MeanLogDensity(absl::Span<const float> values) const {
  constexpr size_t kSize = kFrames * kChannels;
  double sum = 0;
  for (size_t n = 0; n < values.size(); n += kSize) {
    for (int c = 0; c < kChannels; ++c) {
      sum += chains_[c].LogDensity(values.data() + n + c, kChannels);
    }
  }
  return sum * kChannels / static_cast<double>(values.size());
}

std::vector<float> DrawCommonChain(uint64_t seed, int count) {
  constexpr int kCommonStates = 5;
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> noise(0, kDeviation);
  std::vector<std::vector<double>> means;
  for (int c = 0; c < kChannels; ++c) {
    means.push_back(ShuffledSteps(kCommonStates, engine));
  }
  std::vector<float> values;
  for (int n = 0; n < count; ++n) {
    for (const int state : DrawStates(kCommonStates, engine)) {
      for (int c = 0; c < kChannels; ++c) {
        values.push_back(static_cast<float>(means[c][state] + noise(engine)));
      }
    }
  }
  return values;
}

std::vector<float> DrawOscillators(uint64_t seed, int count) {
  constexpr double kDamping = 0.98;
  constexpr double kDrive = 0.2;
  constexpr double kNoise = 0.3;
  constexpr std::array<double, kChannels> kPeriods = {5, 8, 13};
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal(0, 1);
  std::vector<float> values(static_cast<size_t>(count) * kFrames * kChannels);
  for (int n = 0; n < count; ++n) {
    for (int c = 0; c < kChannels; ++c) {
      const double angle = 2 * std::numbers::pi / kPeriods[c];
      double x = normal(engine), y = normal(engine);
      for (int t = 0; t < kFrames; ++t) {
        values[(n * kFrames + t) * kChannels + c] =
            static_cast<float>(x + kNoise * normal(engine));
        const double turned =
            kDamping * (std::cos(angle) * x - std::sin(angle) * y);
        y = kDamping * (std::sin(angle) * x + std::cos(angle) * y) +
            kDrive * normal(engine);
        x = turned + kDrive * normal(engine);
      }
    }
  }
  return values;
}

}  // namespace poe::client
