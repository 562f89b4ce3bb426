#include "poe/numerics/sparse_gaussian.h"

#include <algorithm>
#include <cmath>

#include "Eigen/OrderingMethods"
#include "Eigen/SparseCholesky"
#include "Eigen/SparseCore"
#include "poe/numerics/constants.h"

namespace poe {
namespace {

constexpr double kLeastRaise = 1e-12, kGreatestRaise = 1e30;

// The lower triangle, 1 on its diagonal and 0 at the couplings.
Eigen::SparseMatrix<double> PatternOf(Index dimension,
                                      absl::Span<const Coupling> couplings) {
  std::vector<Eigen::Triplet<double>> entries;
  for (Index i = 0; i < dimension; ++i) entries.emplace_back(i, i, 1.0);
  for (const Coupling& pair : couplings)
    entries.emplace_back(pair.second, pair.first, 0.0);
  Eigen::SparseMatrix<double> matrix(dimension, dimension);
  matrix.setFromTriplets(entries.begin(), entries.end());
  return matrix;
}

}  // namespace

std::int64_t FactorEntries(Index dimension,
                           absl::Span<const Coupling> couplings,
                           std::int64_t most) {
  const Eigen::SparseMatrix<double> pattern = PatternOf(dimension, couplings);
  Eigen::PermutationMatrix<Eigen::Dynamic, Eigen::Dynamic, int> order;
  Eigen::AMDOrdering<int>()(pattern.selfadjointView<Eigen::Lower>(), order);
  Eigen::SparseMatrix<double> upper(dimension, dimension);
  upper.selfadjointView<Eigen::Upper>() =
      pattern.selfadjointView<Eigen::Lower>().twistedBy(order.inverse());
  // Row k of the factor has an entry wherever a path leads up the elimination
  // tree from a coordinate that k is coupled with.
  std::vector<Index> parent(dimension, -1), seen(dimension, -1);
  std::int64_t count = dimension;
  for (Index k = 0; k < dimension; ++k) {
    seen[k] = k;
    for (Eigen::SparseMatrix<double>::InnerIterator entry(upper, k); entry;
         ++entry) {
      for (Index i = entry.index(); seen[i] != k; i = parent[i]) {
        if (parent[i] < 0) parent[i] = k;
        seen[i] = k;
        if (++count > most) return most + 1;
      }
    }
  }
  return std::min(count, most + 1);
}

struct SparseGaussian::Factor {
  Eigen::SparseMatrix<double> matrix;  // lower triangle
  // Where each diagonal entry and each coupling stands among its values.
  std::vector<Index> diagonal, coupling;
  Eigen::SimplicialLLT<Eigen::SparseMatrix<double>, Eigen::Lower> llt;
};

SparseGaussian::SparseGaussian(Index dimension,
                               absl::Span<const Coupling> couplings)
    : couplings_(couplings.begin(), couplings.end()) {
  if (couplings_.empty()) return;
  factor_ = std::make_unique<Factor>();
  factor_->matrix = PatternOf(dimension, couplings_);
  auto place = [&](Index row, Index col) {
    return &factor_->matrix.coeffRef(row, col) - factor_->matrix.valuePtr();
  };
  for (Index i = 0; i < dimension; ++i)
    factor_->diagonal.push_back(place(i, i));
  for (const Coupling& pair : couplings_)
    factor_->coupling.push_back(place(pair.second, pair.first));
  factor_->llt.analyzePattern(factor_->matrix);
}

SparseGaussian::~SparseGaussian() = default;

void SparseGaussian::Refactor(const Vector<double>& precision,
                              const Vector<double>& coupling,
                              absl::Span<const std::uint8_t> clamped) {
  if (precision_.size() == precision.size() && precision_ == precision &&
      coupling_ == coupling &&
      std::equal(clamped_.begin(), clamped_.end(), clamped.begin(),
                 clamped.end()))
    return;
  precision_ = precision;
  coupling_ = coupling;
  clamped_.assign(clamped.begin(), clamped.end());
  // A clamped coordinate is cut off from the others.
  auto is_free = [&](Index i) { return clamped.empty() || clamped[i] == 0; };
  double* values = factor_->matrix.valuePtr();
  for (double raise = 0;; raise = raise == 0 ? kLeastRaise : 10 * raise) {
    factor_->matrix.coeffs().setZero();
    for (Index i = 0; i < precision.size(); ++i)
      values[factor_->diagonal[i]] =
          is_free(i) ? precision(i) * (1 + raise) : 1;
    for (std::size_t e = 0; e < couplings_.size(); ++e)
      if (is_free(couplings_[e].first) && is_free(couplings_[e].second))
        values[factor_->coupling[e]] += coupling(static_cast<Index>(e));
    factor_->llt.factorize(factor_->matrix);
    if (factor_->llt.info() == Eigen::Success || raise > kGreatestRaise) return;
  }
}

Vector<double> SparseGaussian::InformationGiven(
    const Vector<double>& information, const Vector<double>& coupling,
    absl::Span<const std::uint8_t> clamped, const Vector<double>& x) const {
  Vector<double> given = information;
  if (clamped.empty()) return given;
  for (std::size_t e = 0; e < couplings_.size(); ++e) {
    const auto [i, j] = couplings_[e];
    const double weight = coupling(static_cast<Index>(e));
    if (clamped[i] == 0 && clamped[j] != 0) given(i) -= weight * x(j);
    if (clamped[j] == 0 && clamped[i] != 0) given(j) -= weight * x(i);
  }
  return given;
}

void SparseGaussian::Draw(const Vector<double>& information,
                          const Vector<double>& precision,
                          const Vector<double>& coupling,
                          absl::Span<const std::uint8_t> clamped,
                          const Vector<double>& noise, Vector<double>& x) {
  const Index dimension = information.size();
  auto is_free = [&](Index i) { return clamped.empty() || clamped[i] == 0; };
  if (factor_ == nullptr) {
    for (Index i = 0; i < dimension; ++i)
      if (is_free(i))
        x(i) =
            information(i) / precision(i) + noise(i) / std::sqrt(precision(i));
    return;
  }
  Refactor(precision, coupling, clamped);
  const Vector<double> given =
      InformationGiven(information, coupling, clamped, x);
  const Vector<double> spread = factor_->llt.permutationPinv() *
                                factor_->llt.matrixU().solve(noise).eval();
  const Vector<double> mean = factor_->llt.solve(given);
  for (Index i = 0; i < dimension; ++i)
    if (is_free(i)) x(i) = mean(i) + spread(i);
}

double SparseGaussian::LogIntegral(const Vector<double>& information,
                                   const Vector<double>& precision,
                                   const Vector<double>& coupling,
                                   absl::Span<const std::uint8_t> clamped,
                                   const Vector<double>& x) {
  Vector<double> given = InformationGiven(information, coupling, clamped, x);
  auto is_free = [&](Index i) { return clamped.empty() || clamped[i] == 0; };
  double of_clamped = 0;
  Index free = 0;
  for (Index i = 0; i < information.size(); ++i) {
    if (is_free(i)) {
      ++free;
      continue;
    }
    of_clamped += x(i) * (information(i) - precision(i) * x(i) / 2);
    given(i) = 0;
  }
  for (std::size_t e = 0; e < couplings_.size(); ++e) {
    const auto [i, j] = couplings_[e];
    if (!is_free(i) && !is_free(j))
      of_clamped -= coupling(static_cast<Index>(e)) * x(i) * x(j);
  }
  double square = 0, half_log_determinant = 0;
  if (factor_ == nullptr) {
    for (Index i = 0; i < information.size(); ++i) {
      if (!is_free(i)) continue;
      square += given(i) * given(i) / precision(i);
      half_log_determinant += std::log(precision(i)) / 2;
    }
  } else {
    Refactor(precision, coupling, clamped);
    const Eigen::SparseMatrix<double> lower = factor_->llt.matrixL();
    half_log_determinant = lower.diagonal().array().log().sum();
    square = given.dot(factor_->llt.solve(given).eval());
  }
  return of_clamped + (static_cast<double>(free) * kLog2Pi + square) / 2 -
         half_log_determinant;
}

}  // namespace poe
