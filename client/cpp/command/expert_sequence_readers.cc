// Experts over sequences.
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "Eigen/Core"
#include "Eigen/Eigenvalues"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "client/cpp/command/expert_readers.h"

namespace poe::client {
namespace {

using Matrix =
    Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr double kUnseenSymbol = std::numeric_limits<double>::quiet_NaN();
constexpr int kPowerSteps = 10000;

int64_t LengthOf(const v1::Tensor& tensor, int axis) {
  return axis < tensor.shape_size() ? tensor.shape(axis) : 0;
}

// How often a chain is in each of its states in the long run. The lazy chain
// is as often there and settles where the chain itself goes in circles.
std::vector<double> LongRunShares(absl::Span<const double> initial_logit,
                                  absl::Span<const double> transition_logit) {
  const size_t states = initial_logit.size();
  const std::vector<double> initial = Shares(initial_logit);
  Matrix lazy = Matrix::Identity(states, states) / 2;
  for (size_t k = 0; k < states; ++k) {
    const std::vector<double> row =
        Shares(transition_logit.subspan(k * states, states));
    lazy.row(k) += Eigen::Map<const Eigen::RowVectorXd>(row.data(), states) / 2;
  }
  Eigen::RowVectorXd share =
      Eigen::Map<const Eigen::RowVectorXd>(initial.data(), states);
  for (int step = 0; step < kPowerSteps; ++step) {
    const Eigen::RowVectorXd next = share * lazy;
    const bool settled = (next - share).cwiseAbs().maxCoeff() < 1e-12;
    share = next;
    if (settled) break;
  }
  return {share.data(), share.data() + states};
}

// Emissions of a group of `rows` hidden states.
struct Emissions {
  std::vector<double> mean, log_variance;  // rows x D, or empty
  std::vector<double> logit;               // rows x D x S, or empty
};

bool ReadEmissions(const v1::HiddenMarkov& group, const SeenData& seen,
                   size_t rows, Emissions& emissions) {
  const size_t size = rows * seen.coordinates.size();
  if (group.has_categorical()) {
    return seen.symbols > 0 &&
           ReadParameters(group.categorical().logit(), size * seen.symbols,
                          emissions.logit);
  }
  return group.has_gaussian() &&
         ReadParameters(group.gaussian().mean(), size, emissions.mean) &&
         ReadParameters(group.gaussian().log_variance(), size,
                        emissions.log_variance);
}

// The emission of one hidden state.
void SetEmission(const Emissions& emissions, size_t row, const SeenData& seen,
                 Expert& expert) {
  const size_t width = seen.coordinates.size();
  if (emissions.logit.empty()) {
    SetGaussian(
        absl::MakeConstSpan(emissions.mean).subspan(row * width, width),
        absl::MakeConstSpan(emissions.log_variance).subspan(row * width, width),
        seen, expert);
    return;
  }
  expert.probabilities.assign(seen.dimension * seen.symbols, kUnseenSymbol);
  for (size_t i = 0; i < width; ++i) {
    const std::vector<double> shares =
        Shares(absl::MakeConstSpan(emissions.logit)
                   .subspan((row * width + i) * seen.symbols, seen.symbols));
    std::copy(
        shares.begin(), shares.end(),
        expert.probabilities.begin() + seen.coordinates[i] * seen.symbols);
  }
}

// The matrix whose lower triangle is given by rows, with logarithms on the
// diagonal.
Matrix FromLogCholesky(absl::Span<const double> values, int64_t size) {
  Matrix lower = Matrix::Zero(size, size);
  size_t next = 0;
  for (int64_t i = 0; i < size; ++i) {
    for (int64_t j = 0; j < i; ++j) lower(i, j) = values[next++];
    lower(i, i) = std::exp(values[next++]);
  }
  return lower;
}

// Moduli of the eigenvalues, greatest first.
std::vector<double> Moduli(const Matrix& transition) {
  const Eigen::VectorXcd eigenvalues = transition.eigenvalues();
  std::vector<double> moduli;
  for (const std::complex<double> value : eigenvalues) {
    moduli.push_back(std::abs(value));
  }
  std::sort(moduli.begin(), moduli.end(), std::greater<>());
  return moduli;
}

// Q from its Cholesky factor; C in the rows of the coordinates that are seen.
void SetMatrices(const Matrix& transition, const Matrix& cholesky,
                 const Matrix& emission, const SeenData& seen, Expert& expert) {
  const int64_t latent = transition.rows();
  const Matrix noise = cholesky * cholesky.transpose();
  expert.transition.assign(transition.data(),
                           transition.data() + transition.size());
  expert.transition_noise.assign(noise.data(), noise.data() + noise.size());
  expert.emission.assign(seen.dimension * latent,
                         std::numeric_limits<double>::quiet_NaN());
  for (int64_t i = 0; i < emission.rows(); ++i) {
    for (int64_t k = 0; k < latent; ++k) {
      expert.emission[seen.coordinates[i] * latent + k] = emission(i, k);
    }
  }
}

// Root mean square of what the first latent state, of this mean and Cholesky
// factor of its covariance, adds to each coordinate.
Eigen::VectorXd SignalStrengths(const Matrix& emission,
                                const Eigen::VectorXd& mean,
                                const Matrix& cholesky) {
  return ((emission * cholesky).rowwise().squaredNorm() +
          (emission * mean).cwiseAbs2())
      .cwiseSqrt();
}

}  // namespace

absl::Status Append(const v1::HiddenMarkov& group, const SeenData& seen,
                    std::vector<Expert>& experts) {
  const size_t count = LengthOf(group.initial_logit(), 0);
  const size_t states = LengthOf(group.initial_logit(), 1);
  std::vector<double> initial, transition;
  Emissions emissions;
  if (!ReadParameters(group.initial_logit(), count * states, initial) ||
      !ReadParameters(group.transition_logit(), count * states * states,
                      transition) ||
      !ReadEmissions(group, seen, count * states, emissions)) {
    return UnfitParameters();
  }
  for (size_t m = 0; m < count; ++m) {
    const std::vector<double> first =
        Shares(absl::MakeConstSpan(initial).subspan(m * states, states));
    const std::vector<double> shares =
        LongRunShares(absl::MakeConstSpan(initial).subspan(m * states, states),
                      absl::MakeConstSpan(transition)
                          .subspan(m * states * states, states * states));
    for (size_t k = 0; k < states; ++k) {
      Expert& expert = experts.emplace_back();
      expert.kind = ExpertKind::kMarkov;
      expert.state = static_cast<int64_t>(k);
      expert.strength = shares[k];
      expert.initial = first[k];
      expert.next = Shares(absl::MakeConstSpan(transition)
                               .subspan((m * states + k) * states, states));
      SetEmission(emissions, m * states + k, seen, expert);
    }
  }
  return absl::OkStatus();
}

absl::Status Append(const v1::LinearDynamical& group, const SeenData& seen,
                    std::vector<Expert>& experts) {
  const int64_t count = LengthOf(group.initial_mean(), 0);
  const int64_t latent = LengthOf(group.initial_mean(), 1);
  const auto width = static_cast<int64_t>(seen.coordinates.size());
  const int64_t triangle = latent * (latent + 1) / 2;
  std::vector<double> initial, cholesky, transition, noise, emission,
      log_variance;
  if (!ReadParameters(group.initial_mean(), count * latent, initial) ||
      !ReadParameters(group.initial_log_cholesky(), count * triangle,
                      cholesky) ||
      !ReadParameters(group.transition(), count * latent * latent,
                      transition) ||
      !ReadParameters(group.transition_log_cholesky(), count * triangle,
                      noise) ||
      !ReadParameters(group.emission(), count * width * latent, emission) ||
      !ReadParameters(group.emission_log_variance(), count * width,
                      log_variance)) {
    return UnfitParameters();
  }
  for (int64_t m = 0; m < count; ++m) {
    Expert& expert = experts.emplace_back();
    expert.kind = ExpertKind::kDynamics;
    const Eigen::Map<const Matrix> moves(&transition[m * latent * latent],
                                         latent, latent);
    expert.moduli = Moduli(moves);
    SetMatrices(
        moves,
        FromLogCholesky(
            absl::MakeConstSpan(noise).subspan(m * triangle, triangle), latent),
        Eigen::Map<const Matrix>(&emission[m * width * latent], width, latent),
        seen, expert);
    expert.strength = expert.moduli.empty() ? 0 : expert.moduli.front();
    const Eigen::VectorXd strengths = SignalStrengths(
        Eigen::Map<const Matrix>(&emission[m * width * latent], width, latent),
        Eigen::Map<const Eigen::VectorXd>(&initial[m * latent], latent),
        FromLogCholesky(
            absl::MakeConstSpan(cholesky).subspan(m * triangle, triangle),
            latent));
    SetGaussian({strengths.data(), static_cast<size_t>(width)},
                absl::MakeConstSpan(log_variance).subspan(m * width, width),
                seen, expert);
  }
  return absl::OkStatus();
}

}  // namespace poe::client
