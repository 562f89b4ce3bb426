#include "poe/experts/linear_filter.h"

#include <cmath>

#include "Eigen/QR"
#include "poe/numerics/constants.h"

namespace poe {
namespace {

// Latent deviations grow no further: what nothing observes and the transition
// amplifies is unknown enough.
constexpr double kGreatestDeviation = 1e30;

// Whether a covariance's factor has stopped changing but for rounding.
bool Settled(const RowMatrix<double>& factor, const RowMatrix<double>& before) {
  for (Index l = 0; l < factor.rows(); ++l)
    if ((factor.row(l) - before.row(l)).cwiseAbs().maxCoeff() >
        1e-14 * factor.row(l).cwiseAbs().maxCoeff())
      return false;
  return true;
}

}  // namespace

FilterGains::FilterGains(const LinearSystem& system, double exponent,
                         Index longest) {
  const Index latents = system.latents(), dimension = system.dimension();
  const Index rank = std::min(latents, dimension);
  scale = std::sqrt(exponent) * (-system.log_variance / 2).array().exp();
  log_constant = -exponent / 2 * (system.log_variance.array() + kLog2Pi).sum();
  const Eigen::HouseholderQR<Eigen::MatrixXd> split(scale.asDiagonal() *
                                                    system.emission);
  basis = split.householderQ() * Eigen::MatrixXd::Identity(dimension, rank);
  basis_transposed = basis.transpose();
  const RowMatrix<double> emission =
      split.matrixQR().topRows(rank).triangularView<Eigen::Upper>();
  emission_transposed = emission.transpose();

  RowMatrix<double> predicted = system.initial_factor;
  RowMatrix<double> checkpoint = RowMatrix<double>::Zero(latents, latents);
  RowMatrix<double> stacked;
  for (Index t = 0; t < longest; ++t) {
    // I + S' C' (e / R) C S = R' R.
    stacked.resize(rank + latents, latents);
    stacked.topRows(rank) = emission * predicted;
    stacked.bottomRows(latents).setIdentity();
    ReduceToTriangle(stacked);
    Step step;
    step.predicted = predicted;
    step.predicted_transposed = predicted.transpose();
    const auto triangle = stacked.triangularView<Eigen::Upper>();
    step.filtered = triangle.solve<Eigen::OnTheRight>(predicted);
    const RowMatrix<double> gain = triangle.solve(
        RowMatrix<double>((emission * step.filtered).transpose()));
    step.gain_transposed = gain.transpose();
    for (Index l = 0; l < latents; ++l)
      step.log_determinant += 2 * std::log(std::max(1.0, stacked(l, l)));
    const double greatest = step.filtered.cwiseAbs().maxCoeff();
    const double shrunk =
        greatest > kGreatestDeviation ? kGreatestDeviation / greatest : 1;
    step.filtered *= shrunk;
    if (t == 0)
      initial = triangle.solve(RowMatrix<double>(
          shrunk * RowMatrix<double>::Identity(latents, latents)));
    // A P A' + Q = S S'. No S_ll is less than that of Q's factor.
    stacked.resize(2 * latents, latents);
    stacked.topRows(latents) = (system.transition * step.filtered).transpose();
    stacked.bottomRows(latents) = system.transition_factor.transpose();
    ReduceToTriangle(stacked);
    predicted = stacked.transpose();
    for (Index l = 0; l < latents; ++l)
      predicted(l, l) =
          std::max(predicted(l, l), system.transition_factor(l, l));
    steps_.push_back(std::move(step));
    // After 2, 4, 8, ... steps the last one must have changed nothing, and half
    // of all steps neither: slow changes count, and so do turns.
    if (((t + 1) & t) != 0) continue;
    if (Settled(predicted, steps_.back().predicted) &&
        Settled(predicted, checkpoint))
      break;
    checkpoint = predicted;
  }
}

void FilterMeans(const LinearSystem& system, const FilterGains& gains,
                 const FrameOrder& order, const RowMatrix<double>& values,
                 Index begin, Index end, FilteredMeans& means,
                 absl::Span<double> log_scores) {
  const Index latents = system.latents(), dimension = system.dimension();
  const Index rank = gains.basis.cols(), most = end - begin;
  const RowMatrix<double> transition_transposed = system.transition.transpose();
  RowMatrix<double> scaled(most, dimension), rest(most, dimension);
  RowMatrix<double> innovation(most, rank), fit(most, rank);
  RowMatrix<double> predicted(most, latents), whitened(most, latents),
      change(most, latents);
  for (Index k = begin; k < end; ++k) log_scores[k] = 0;
  for (Index t = 0;; ++t) {
    const Index active = order.Active(begin, end, t);
    if (active == 0) break;
    const FilterGains::Step& step = gains.at(t);
    const Index first = order.row(begin, t);
    for (Index k = 0; k < active; ++k)
      for (Index i = 0; i < dimension; ++i)
        scaled(k, i) =
            gains.scale(i) * Bounded(values(first + k, i) - system.offset(i));
    MultiplyRows<double>(scaled.topRows(active), gains.basis,
                         innovation.topRows(active));
    MultiplyRows<double>(innovation.topRows(active), gains.basis_transposed,
                         rest.topRows(active));
    if (t == 0)
      predicted.rowwise() = system.initial_mean.transpose();
    else
      MultiplyRows<double>(
          means.latent.middleRows(order.row(begin, t - 1), active),
          transition_transposed, predicted.topRows(active));
    for (Index k = 0; k < active; ++k)
      for (Index l = 0; l < latents; ++l)
        predicted(k, l) = Bounded(predicted(k, l));
    MultiplyRows<double>(predicted.topRows(active), gains.emission_transposed,
                         fit.topRows(active));
    innovation.topRows(active) -= fit.topRows(active);
    MultiplyRows<double>(innovation.topRows(active), step.gain_transposed,
                         whitened.topRows(active));
    MultiplyRows<double>(whitened.topRows(active), step.predicted_transposed,
                         change.topRows(active));
    MultiplyRows<double>(change.topRows(active), gains.emission_transposed,
                         fit.topRows(active));
    if (t == 0) means.initial.middleRows(begin, active) = whitened;
    // A sum of squares only: the misfit after the update, and the update in
    // deviations of the prediction.
    for (Index k = 0; k < active; ++k) {
      double squares = 0;
      if (rank < dimension)
        for (Index i = 0; i < dimension; ++i) {
          const double distance = scaled(k, i) - rest(k, i);
          squares += distance * distance;
        }
      for (Index j = 0; j < rank; ++j) {
        const double distance = innovation(k, j) - fit(k, j);
        squares += distance * distance;
      }
      for (Index l = 0; l < latents; ++l) {
        squares += whitened(k, l) * whitened(k, l);
        means.latent(first + k, l) = Bounded(predicted(k, l) + change(k, l));
      }
      log_scores[begin + k] += Bounded(
          gains.log_constant - (squares + step.log_determinant) / 2, 1e300);
    }
  }
}

}  // namespace poe
