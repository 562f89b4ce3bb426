#include "poe/experts/linear_smoother.h"

#include <algorithm>

namespace poe {
namespace {

// Parts that sums over sequences are made of: they depend on the number of
// sequences alone.
constexpr Index kSequencesOfAPart = 16, kMostParts = 64;

// sum += weight * left right'
void AddOuter(double weight, const double* left, const double* right,
              RowMatrix<double>& sum) {
  for (Index i = 0; i < sum.rows(); ++i) {
    const double factor = weight * left[i];
    for (Index j = 0; j < sum.cols(); ++j) sum(i, j) += factor * right[j];
  }
}

RowMatrix<double> Square(const RowMatrix<double>& factor) {
  return factor * factor.transpose();
}

// The part of the moments that comes from the posterior covariances. These are
// linear in the last frame's, so that sequences of all lengths go together.
void AddCovariances(const LinearSystem& system, const FilterGains& gains,
                    const BackwardGains& backward, const FrameOrder& order,
                    absl::Span<const double> weights,
                    SmoothedMoments& moments) {
  const Index latents = system.latents();
  RowMatrix<double> later = RowMatrix<double>::Zero(latents, latents);
  double going = 0;  // weight of the sequences that have a frame t + 1
  for (Index t = order.longest() - 1; t >= 0; --t) {
    const BackwardGains::Step& step = backward.at(t);
    const RowMatrix<double>& filtered = gains.at(t).filtered;
    double ending = 0;
    for (Index k = order.Active(0, order.sequences(), t + 1);
         k < order.Active(0, order.sequences(), t); ++k)
      ending += weights[k];
    moments.noise_square +=
        step.noise_gain * later * step.noise_gain_transposed +
        going * Square(step.noise_factor);
    moments.noise_source +=
        step.noise_gain * later * step.gain_transposed +
        going * (step.noise_factor * step.factor_transposed);
    if (t == 0)
      moments.initial_square +=
          backward.initial_gain * later * backward.initial_gain_transposed +
          going * Square(backward.initial_factor) +
          ending * Square(gains.initial);
    later =
        going * Square(step.factor) + step.gain * later * step.gain_transposed;
    moments.source_square += later;
    later += ending * Square(filtered);
    moments.latent_square += later;
    going += ending;
  }
  moments.residual_latent -= system.emission * moments.latent_square;
  moments.residual_square += (system.emission * moments.latent_square)
                                 .cwiseProduct(system.emission)
                                 .rowwise()
                                 .sum();
}

// The part that comes from the posterior means of positions [begin, end).
void AddMeans(const LinearSystem& system, const BackwardGains& backward,
              const FrameOrder& order, const RowMatrix<double>& values,
              const FilteredMeans& means, absl::Span<const double> weights,
              Index begin, Index end, SmoothedMoments& moments) {
  const Index latents = system.latents(), dimension = system.dimension();
  const Index most = end - begin;
  const RowMatrix<double> transition_transposed = system.transition.transpose();
  const RowMatrix<double> emission_transposed = system.emission.transpose();
  RowMatrix<double> smoothed(most, latents), difference(most, latents),
      change(most, latents), noise(most, latents), initial(most, latents),
      fit(most, dimension);
  Vector<double> residual(dimension);
  Index going = 0;
  for (Index t = order.longest() - 1; t >= 0; --t) {
    const Index active = order.Active(begin, end, t);
    if (active == 0) continue;
    const BackwardGains::Step& step = backward.at(t);
    const Index first = order.row(begin, t);
    MultiplyRows<double>(means.latent.middleRows(first, going),
                         transition_transposed, difference.topRows(going));
    for (Index k = 0; k < going; ++k)
      for (Index l = 0; l < latents; ++l)
        difference(k, l) = Bounded(smoothed(k, l) - difference(k, l));
    MultiplyRows<double>(difference.topRows(going), step.gain_transposed,
                         change.topRows(going));
    MultiplyRows<double>(difference.topRows(going), step.noise_gain_transposed,
                         noise.topRows(going));
    smoothed.topRows(active) = means.latent.middleRows(first, active);
    for (Index k = 0; k < going; ++k) {
      const double weight = weights[begin + k];
      for (Index l = 0; l < latents; ++l)
        smoothed(k, l) = Bounded(smoothed(k, l) + change(k, l));
      const double* source = smoothed.row(k).data();
      AddOuter(weight, noise.row(k).data(), noise.row(k).data(),
               moments.noise_square);
      AddOuter(weight, noise.row(k).data(), source, moments.noise_source);
      AddOuter(weight, source, source, moments.source_square);
      moments.transitions += weight;
    }
    if (t == 0) {
      MultiplyRows<double>(difference.topRows(going),
                           backward.initial_gain_transposed,
                           initial.topRows(going));
      initial.bottomRows(active - going).setZero();
      initial += means.initial.middleRows(begin, active);
    }
    MultiplyRows<double>(smoothed.topRows(active), emission_transposed,
                         fit.topRows(active));
    for (Index k = 0; k < active; ++k) {
      const double weight = weights[begin + k];
      const double* latent = smoothed.row(k).data();
      for (Index i = 0; i < dimension; ++i) {
        const double value = Bounded(values(first + k, i) - system.offset(i));
        residual(i) = value - fit(k, i);
        moments.residual(i) += weight * residual(i);
        moments.residual_square(i) += weight * residual(i) * residual(i);
      }
      AddOuter(weight, residual.data(), latent, moments.residual_latent);
      AddOuter(weight, latent, latent, moments.latent_square);
      for (Index l = 0; l < latents; ++l)
        moments.latent(l) += weight * latent[l];
      moments.frames += weight;
      if (t > 0) continue;
      AddOuter(weight, initial.row(k).data(), initial.row(k).data(),
               moments.initial_square);
      moments.initial += weight * initial.row(k).transpose();
      moments.sequences += weight;
    }
    going = active;
  }
}

}  // namespace

BackwardGains::BackwardGains(const LinearSystem& system,
                             const FilterGains& gains) {
  const Index latents = system.latents();
  const auto bounded = [](const RowMatrix<double>& values) {
    return RowMatrix<double>(
        values.unaryExpr([](double value) { return Bounded(value); }));
  };
  for (Index t = 0; t < gains.stored_steps(); ++t) {
    const RowMatrix<double>& filtered = gains.at(t).filtered;
    // y_{t+1} - A m, y_t - m, the noise and the first state are linear in two
    // standard normals, one row of blocks for each. Turned into a triangle, in
    // two others: the first is y_{t+1} - A m in deviations of its own.
    RowMatrix<double> joint = RowMatrix<double>::Zero(2 * latents, 4 * latents);
    joint.topLeftCorner(latents, latents) =
        (system.transition * filtered).transpose();
    joint.block(0, latents, latents, latents) = filtered.transpose();
    joint.bottomLeftCorner(latents, latents) =
        system.transition_factor.transpose();
    joint.block(latents, 2 * latents, latents, latents).setIdentity();
    if (t == 0)
      joint.topRightCorner(latents, latents) = gains.initial.transpose();
    ReduceToTriangle(joint);
    for (Index l = 0; l < latents; ++l)
      joint(l, l) = std::max(joint(l, l), system.transition_factor(l, l));
    const auto later =
        joint.topLeftCorner(latents, latents).triangularView<Eigen::Upper>();
    Step step;
    step.gain_transposed = bounded(later.solve(
        RowMatrix<double>(joint.block(0, latents, latents, latents))));
    step.noise_gain_transposed = bounded(later.solve(
        RowMatrix<double>(joint.block(0, 2 * latents, latents, latents))));
    step.factor_transposed =
        bounded(joint.block(latents, latents, latents, latents));
    step.noise_factor = bounded(
        joint.block(latents, 2 * latents, latents, latents).transpose());
    step.filtered_transposed = filtered.transpose();
    step.gain = step.gain_transposed.transpose();
    step.noise_gain = step.noise_gain_transposed.transpose();
    step.factor = step.factor_transposed.transpose();
    if (t == 0) {
      initial_gain_transposed = bounded(later.solve(
          RowMatrix<double>(joint.topRightCorner(latents, latents))));
      initial_gain = initial_gain_transposed.transpose();
      initial_factor =
          bounded(joint.bottomRightCorner(latents, latents).transpose());
    }
    steps_.push_back(std::move(step));
  }
}

void DrawStep(const LinearSystem& system, const BackwardGains& backward,
              const FrameOrder& order, const FilteredMeans& means, Index begin,
              Index t, Index going, Index active,
              const RowMatrix<double>& noise, RowMatrixRef<double> path) {
  const Index latents = system.latents();
  const BackwardGains::Step& step = backward.at(t);
  const auto filtered = means.latent.middleRows(order.row(begin, t), active);
  RowMatrix<double> change(active, latents), spread(active, latents);
  MultiplyRows<double>(filtered.topRows(going),
                       RowMatrix<double>(system.transition.transpose()),
                       change.topRows(going));
  for (Index k = 0; k < going; ++k)
    for (Index l = 0; l < latents; ++l)
      spread(k, l) = Bounded(path(k, l) - change(k, l));
  MultiplyRows<double>(spread.topRows(going), step.gain_transposed,
                       change.topRows(going));
  change.bottomRows(active - going).setZero();
  MultiplyRows<double>(noise.topRows(going), step.factor_transposed,
                       spread.topRows(going));
  MultiplyRows<double>(noise.middleRows(going, active - going),
                       step.filtered_transposed,
                       spread.middleRows(going, active - going));
  for (Index k = 0; k < active; ++k)
    for (Index l = 0; l < latents; ++l)
      path(k, l) = Bounded(filtered(k, l) + change(k, l) + spread(k, l));
}

SmoothedMoments::SmoothedMoments(Index latents, Index dimension)
    : initial(Vector<double>::Zero(latents)),
      initial_square(RowMatrix<double>::Zero(latents, latents)),
      noise_square(initial_square),
      noise_source(initial_square),
      source_square(initial_square),
      residual(Vector<double>::Zero(dimension)),
      residual_square(residual),
      residual_latent(RowMatrix<double>::Zero(dimension, latents)),
      latent(initial),
      latent_square(initial_square) {}

SmoothedMoments& SmoothedMoments::operator+=(const SmoothedMoments& other) {
  sequences += other.sequences;
  transitions += other.transitions;
  frames += other.frames;
  initial += other.initial;
  initial_square += other.initial_square;
  noise_square += other.noise_square;
  noise_source += other.noise_source;
  source_square += other.source_square;
  residual += other.residual;
  residual_square += other.residual_square;
  residual_latent += other.residual_latent;
  latent += other.latent;
  latent_square += other.latent_square;
  return *this;
}

SmoothedMoments Smooth(const LinearSystem& system, const FilterGains& gains,
                       const FrameOrder& order, const RowMatrix<double>& values,
                       const FilteredMeans& means,
                       absl::Span<const double> weights,
                       const Workers& workers) {
  const BackwardGains backward(system, gains);
  SmoothedMoments moments(system.latents(), system.dimension());
  AddCovariances(system, gains, backward, order, weights, moments);
  const Index sequences = order.sequences();
  const Index count =
      std::clamp<Index>(sequences / kSequencesOfAPart, 1, kMostParts);
  std::vector<SmoothedMoments> parts(
      count, SmoothedMoments(system.latents(), system.dimension()));
  workers.ForEachInRuns(count, 1, [&](Index part) {
    AddMeans(system, backward, order, values, means, weights,
             sequences * part / count, sequences * (part + 1) / count,
             parts[part]);
  });
  for (const SmoothedMoments& part : parts) moments += part;
  return moments;
}

}  // namespace poe
