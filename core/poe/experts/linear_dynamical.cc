#include "poe/experts/linear_dynamical.h"

#include <cmath>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/linear_filter.h"
#include "poe/experts/linear_smoother.h"

namespace poe {
namespace {

constexpr Index kLeastSequences = 4;
// Sequences whose paths are drawn together.
constexpr Index kDrawnTogether = 16;
constexpr double kGreatestEntry = 1e30;  // of a message or gradient

enum Block {
  kInitialMean,
  kInitialLogCholesky,
  kTransition,
  kTransitionLogCholesky,
  kEmission,
  kEmissionOffset,
  kEmissionLogVariance,
};

struct Filtered : Posterior {
  double exponent = 1;  // power x inverse temperature
  FrameOrder order;
  RowMatrix<double> values;          // frames x D, by time
  std::vector<FilterGains> gains;    // M
  std::vector<FilteredMeans> means;  // M
  RowMatrix<double> log_scores;      // M x N, by position
};

const Filtered& FilteredOf(const Posterior& posterior) {
  return static_cast<const Filtered&>(posterior);
}

template <typename Scalar>
void Add(double value, Scalar& sum) {
  sum += static_cast<Scalar>(Bounded(value, kGreatestEntry));
}

// d log f / d log-Cholesky entries of a factor F, where `square` sums F^-1 v v'
// F^-T over vectors v of this covariance that weigh `weight` in all.
template <typename Scalar>
void AddLogCholeskyGradient(const RowMatrix<double>& factor,
                            const RowMatrix<double>& square, double weight,
                            Scalar* row) {
  const RowMatrix<double> full =
      factor.transpose().triangularView<Eigen::Upper>().solve(square);
  Index next = 0;
  for (Index i = 0; i < factor.rows(); ++i) {
    for (Index j = 0; j < i; ++j) Add(full(i, j), row[next++]);
    Add(factor(i, i) * full(i, i) - weight, row[next++]);
  }
}

}  // namespace

template <typename Scalar>
absl::StatusOr<std::unique_ptr<LinearDynamical<Scalar>>>
LinearDynamical<Scalar>::Create(Settings settings) {
  const Index experts = settings.initial_mean.rows();
  const Index latents = settings.initial_mean.cols();
  const Index dimension = settings.emission_offset.cols();
  if (experts == 0 || latents == 0 || dimension == 0)
    return absl::InvalidArgumentError(
        absl::StrCat("linear dynamical experts have initial means of ", experts,
                     " x ", latents, " and offsets of ", dimension,
                     " columns; there must be at least 1 of each"));
  const struct {
    const char* name;
    const RowMatrix<Scalar>* values;
    ParameterKind kind;
    Index rows, cols;
  } parts[] = {
      {"initial_mean", &settings.initial_mean, ParameterKind::kMean, experts,
       latents},
      {"initial_log_cholesky", &settings.initial_log_cholesky,
       ParameterKind::kLogCholesky, experts, TriangleSize(latents)},
      {"transition", &settings.transition, ParameterKind::kTransition,
       experts * latents, latents},
      {"transition_log_cholesky", &settings.transition_log_cholesky,
       ParameterKind::kLogCholesky, experts, TriangleSize(latents)},
      {"emission", &settings.emission, ParameterKind::kEmission,
       experts * dimension, latents},
      {"emission_offset", &settings.emission_offset, ParameterKind::kOffset,
       experts, dimension},
      {"emission_log_variance", &settings.emission_log_variance,
       ParameterKind::kLogVariance, experts, dimension},
  };
  for (const auto& part : parts) {
    if (part.values->rows() != part.rows || part.values->cols() != part.cols)
      return absl::InvalidArgumentError(absl::StrCat(
          "linear dynamical ", part.name, " is ", part.values->rows(), " x ",
          part.values->cols(), "; it must be ", part.rows, " x ", part.cols,
          " for ", experts, " experts of ", latents, " latent and ", dimension,
          " observed dimensions"));
    if (!part.values->allFinite())
      return absl::InvalidArgumentError(absl::StrCat(
          "a value of linear dynamical ", part.name, " is not finite"));
  }
  if (!(settings.least_log_variance < settings.greatest_log_variance))
    return absl::InvalidArgumentError(
        "the bounds on linear dynamical log variances are out of order");
  if (!(settings.power > 0) || !std::isfinite(settings.power))
    return absl::InvalidArgumentError(
        absl::StrCat("the power of linear dynamical experts is ",
                     settings.power, "; it must be positive"));
  auto group = absl::WrapUnique(new LinearDynamical());
  group->least_log_variance_ = settings.least_log_variance;
  group->greatest_log_variance_ = settings.greatest_log_variance;
  group->power_ = settings.power;
  for (const auto& part : parts)
    group->AddBlock(part.kind, part.rows, part.cols);
  group->UpdateParameters(Workers::Inline(), [&](auto) {
    for (std::size_t i = 0; i < std::size(parts); ++i)
      group->mutable_block(i) = *parts[i].values;
  });
  return group;
}

template <typename Scalar>
void LinearDynamical<Scalar>::ParametersChanged(const Workers& workers) {
  const Index latents = num_latents(), coordinates = dimension();
  const auto least = static_cast<Scalar>(least_log_variance_);
  const auto greatest = static_cast<Scalar>(greatest_log_variance_);
  auto log_variance = this->mutable_block(kEmissionLogVariance);
  log_variance = log_variance.cwiseMax(least).cwiseMin(greatest);
  for (Block i : {kInitialLogCholesky, kTransitionLogCholesky}) {
    auto log_cholesky = this->mutable_block(i);
    for (Index l = 0; l < latents; ++l) {
      auto diagonal = log_cholesky.col(TriangleSize(l + 1) - 1);
      diagonal = diagonal.cwiseMax(least / 2).cwiseMin(greatest / 2);
    }
  }
  const auto row = [&](Block i, Index m) {
    return Vector<double>(this->block(i).row(m).template cast<double>());
  };
  const auto part = [&](Block i, Index m, Index rows) {
    return RowMatrix<double>(
        this->block(i).middleRows(m * rows, rows).template cast<double>());
  };
  systems_.resize(num_experts());
  workers.ForEach(num_experts(), [&](Index m) {
    systems_[m] = {row(kInitialMean, m),
                   FactorOf(row(kInitialLogCholesky, m), latents),
                   part(kTransition, m, latents),
                   FactorOf(row(kTransitionLogCholesky, m), latents),
                   part(kEmission, m, coordinates),
                   row(kEmissionOffset, m),
                   row(kEmissionLogVariance, m)};
  });
}

template <typename Scalar>
std::unique_ptr<ExpertGroup<Scalar>> LinearDynamical<Scalar>::Clone() const {
  return absl::WrapUnique(new LinearDynamical(*this));
}

template <typename Scalar>
std::unique_ptr<Posterior> LinearDynamical<Scalar>::NewPosterior() const {
  return std::make_unique<Filtered>();
}

template <typename Scalar>
void LinearDynamical<Scalar>::Infer(const Observations<Scalar>& x, Scalar beta,
                                    const Workers& workers,
                                    Posterior& posterior) const {
  auto& filtered = static_cast<Filtered&>(posterior);
  const Index experts = num_experts();
  const std::vector<Index> starts = x.FrameStarts();
  std::vector<Index> lengths(x.size);
  for (Index n = 0; n < x.size; ++n) lengths[n] = x.length(n);
  filtered.exponent = static_cast<double>(power_) * beta;
  filtered.order = FrameOrder(lengths);
  const FrameOrder& order = filtered.order;
  filtered.values.resize(order.rows(), dimension());
  filtered.log_scores.resize(experts, x.size);
  filtered.gains.resize(experts);
  filtered.means.resize(experts);
  workers.ForEachInRuns(experts, 1, [&](Index m) {
    filtered.means[m] = FilteredMeans(order, num_latents());
    filtered.gains[m] =
        FilterGains(systems_[m], filtered.exponent, order.longest());
  });
  workers.ParallelFor(x.size, kLeastSequences, [&](Index begin, Index end) {
    for (Index k = begin; k < end; ++k) {
      const Index n = order.observation(k);
      for (Index t = 0; t < lengths[n]; ++t)
        filtered.values.row(order.row(k, t)) =
            x.values.row(starts[n] + t).template cast<double>();
    }
    for (Index m = 0; m < experts; ++m)
      FilterMeans(systems_[m], filtered.gains[m], order, filtered.values, begin,
                  end, filtered.means[m],
                  absl::MakeSpan(filtered.log_scores.row(m).data(), x.size));
  });
}

template <typename Scalar>
void LinearDynamical<Scalar>::AddLogScores(
    const Posterior& posterior, absl::Span<double> log_scores) const {
  const Filtered& filtered = FilteredOf(posterior);
  for (Index m = 0; m < num_experts(); ++m)
    for (Index k = 0; k < filtered.order.sequences(); ++k)
      log_scores[filtered.order.observation(k)] += filtered.log_scores(m, k);
}

template <typename Scalar>
void LinearDynamical<Scalar>::ExpertLogScores(
    const Posterior& posterior, RowMatrixRef<double> log_scores) const {
  const Filtered& filtered = FilteredOf(posterior);
  for (Index m = 0; m < num_experts(); ++m)
    for (Index k = 0; k < filtered.order.sequences(); ++k)
      log_scores(filtered.order.observation(k), m) = filtered.log_scores(m, k);
}

template <typename Scalar>
void LinearDynamical<Scalar>::AddSampledMessages(
    const Observations<Scalar>& x, const Posterior& posterior,
    const Draws& draws, const Workers& workers,
    Messages<Scalar>& messages) const {
  const Filtered& filtered = FilteredOf(posterior);
  const FrameOrder& order = filtered.order;
  const Index experts = num_experts(), latents = num_latents();
  const Index width = experts * latents, coordinates = dimension();
  std::vector<std::unique_ptr<BackwardGains>> backward(experts);
  workers.ForEachInRuns(experts, 1, [&](Index m) {
    backward[m] =
        std::make_unique<BackwardGains>(systems_[m], filtered.gains[m]);
  });
  RowMatrix<double> emission(width, coordinates);  // e R^-1 C'
  Vector<double> information = Vector<double>::Zero(coordinates);
  Vector<double> precision = information;
  for (Index m = 0; m < experts; ++m) {
    const LinearSystem& system = systems_[m];
    const Vector<double> own = filtered.gains[m].scale.cwiseAbs2();
    emission.middleRows(m * latents, latents) =
        system.emission.transpose() * own.asDiagonal();
    information += own.cwiseProduct(system.offset);
    precision += own;
  }
  const std::vector<Index> starts = x.FrameStarts();
  const auto draw_paths = [&](Index begin, Index end) {
    const Index longest = x.length(order.observation(begin));
    RowMatrix<double> noise(end - begin, longest * width);
    for (Index k = begin; k < end; ++k) {
      const Index n = order.observation(k);
      FillNormal(
          draws, x.row_ids[n],
          absl::MakeSpan(noise.row(k - begin).data(), x.length(n) * width));
    }
    RowMatrix<double> paths(end - begin, width);
    RowMatrix<double> linear(end - begin, coordinates);
    Index going = 0;
    for (Index t = longest - 1; t >= 0; --t) {
      const Index active = order.Active(begin, end, t);
      for (Index m = 0; m < experts; ++m)
        DrawStep(systems_[m], *backward[m], order, filtered.means[m], begin, t,
                 going, active,
                 noise.block(0, t * width + m * latents, active, latents),
                 paths.block(0, m * latents, active, latents));
      MultiplyRows<double>(paths.topRows(active), emission,
                           linear.topRows(active));
      for (Index k = 0; k < active; ++k) {
        const Index frame = starts[order.observation(begin + k)] + t;
        for (Index i = 0; i < coordinates; ++i) {
          Add(linear(k, i) + information(i), messages.linear(frame, i));
          Add(precision(i), messages.precision(frame, i));
        }
      }
      going = active;
    }
  };
  workers.ParallelFor(x.size, kLeastSequences, [&](Index begin, Index end) {
    for (Index first = begin; first < end; first += kDrawnTogether)
      draw_paths(first, std::min(end, first + kDrawnTogether));
  });
}

template <typename Scalar>
void LinearDynamical<Scalar>::AddGradient(
    const Observations<Scalar>& x, const Posterior& posterior,
    absl::Span<const Scalar> weights, const Workers& workers,
    Eigen::Ref<Vector<Scalar>> gradient) const {
  const Filtered& filtered = FilteredOf(posterior);
  const Index latents = num_latents(), coordinates = dimension();
  std::vector<double> ordered(x.size);
  for (Index k = 0; k < x.size; ++k)
    ordered[k] = weights[filtered.order.observation(k)];
  for (Index m = 0; m < num_experts(); ++m) {
    const LinearSystem& system = systems_[m];
    const SmoothedMoments moments =
        Smooth(system, filtered.gains[m], filtered.order, filtered.values,
               filtered.means[m], ordered, workers);
    const auto row = [&](Block i) {
      return this->BlockOf(gradient, i).row(m).data();
    };
    const Vector<double> initial =
        system.initial_factor.transpose().triangularView<Eigen::Upper>().solve(
            moments.initial);
    for (Index l = 0; l < latents; ++l)
      Add(initial(l), this->BlockOf(gradient, kInitialMean)(m, l));
    AddLogCholeskyGradient(system.initial_factor, moments.initial_square,
                           moments.sequences, row(kInitialLogCholesky));
    const RowMatrix<double> transition = system.transition_factor.transpose()
                                             .triangularView<Eigen::Upper>()
                                             .solve(moments.noise_source);
    for (Index l = 0; l < latents; ++l)
      for (Index j = 0; j < latents; ++j)
        Add(transition(l, j),
            this->BlockOf(gradient, kTransition)(m * latents + l, j));
    AddLogCholeskyGradient(system.transition_factor, moments.noise_square,
                           moments.transitions, row(kTransitionLogCholesky));
    for (Index i = 0; i < coordinates; ++i) {
      const double precision =
          filtered.gains[m].scale(i) * filtered.gains[m].scale(i);
      for (Index l = 0; l < latents; ++l)
        Add(precision * moments.residual_latent(i, l),
            this->BlockOf(gradient, kEmission)(m * coordinates + i, l));
      Add(precision * moments.residual(i),
          this->BlockOf(gradient, kEmissionOffset)(m, i));
      Add((precision * moments.residual_square(i) -
           filtered.exponent * moments.frames) /
              2,
          this->BlockOf(gradient, kEmissionLogVariance)(m, i));
    }
  }
}

template <typename Scalar>
void LinearDynamical<Scalar>::StepUnits(
    const Workers&, Eigen::Ref<Vector<Scalar>> units) const {
  const Index latents = num_latents(), coordinates = dimension();
  for (Index m = 0; m < num_experts(); ++m) {
    const LinearSystem& system = systems_[m];
    for (Index l = 0; l < latents; ++l)
      this->BlockOf(units, kInitialMean)(m, l) =
          static_cast<Scalar>(system.initial_factor.row(l).norm());
    for (Index i = 0; i < coordinates; ++i) {
      const auto deviation =
          static_cast<Scalar>(std::exp(system.log_variance(i) / 2));
      this->BlockOf(units, kEmission)
          .row(m * coordinates + i)
          .setConstant(deviation);
      this->BlockOf(units, kEmissionOffset)(m, i) = deviation;
    }
  }
}

template class LinearDynamical<float>;
template class LinearDynamical<double>;

}  // namespace poe
