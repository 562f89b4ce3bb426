#include "poe/incomplete_scoring.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/annealing_start.h"
#include "poe/exact_incomplete_scoring.h"

namespace poe {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

template <typename Scalar>
absl::Status CheckRequest(const Product<Scalar>& product,
                          const Observations<Scalar>& x,
                          const IncompleteScoreOptions& options) {
  if (options.chains < 2)
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", options.chains, " chains; at least 2"));
  if (x.dimension() != product.dimension() ||
      x.sequential() != product.sequential())
    return absl::InvalidArgumentError(absl::StrCat(
        "observations are ", x.sequential() ? "sequences" : "rows", " of ",
        x.dimension(), " columns; those of the product are ",
        product.sequential() ? "sequences" : "rows", " of ",
        product.dimension()));
  const Index frames = x.frames();
  if (!x.clamped.empty() &&
      static_cast<Index>(x.clamped.size()) != frames * x.dimension())
    return absl::InvalidArgumentError(
        absl::StrCat("the mask has ", x.clamped.size(), " entries for ", frames,
                     " frames of ", x.dimension(), " columns"));
  const Index inputs = product.base().num_real_inputs();
  for (Index frame = 0; frame < frames; ++frame)
    for (Index i = x.dimension() - inputs; i < x.dimension(); ++i)
      if (!x.IsClamped(frame, i))
        return absl::InvalidArgumentError(
            absl::StrCat("frame ", frame, " misses a real input, column ", i,
                         "; inputs must be given"));
  return CheckInverseTemperatures<Scalar>(options.inverse_temperatures);
}

// Copies of observations; numbers may repeat.
template <typename Scalar>
Observations<Scalar> Gather(const Observations<Scalar>& x,
                            const std::vector<Index>& starts,
                            absl::Span<const Index> numbers) {
  const auto size = static_cast<Index>(numbers.size());
  Observations<Scalar> gathered;
  if (x.sequential()) {
    std::vector<Index> lengths;
    for (Index n : numbers) lengths.push_back(x.length(n));
    gathered = MakeSequences<Scalar>(std::move(lengths), x.dimension());
  } else {
    gathered = MakeDense<Scalar>(size, x.dimension());
  }
  Index frame = 0;
  for (Index i = 0; i < size; ++i) {
    const Index n = numbers[i], length = x.length(n);
    gathered.row_ids[i] = x.row_ids[n];
    gathered.values.middleRows(frame, length) =
        x.values.middleRows(starts[n], length);
    frame += length;
    if (!x.clamped.empty()) {
      const auto mask = x.clamped.begin() + starts[n] * x.dimension();
      gathered.clamped.insert(gathered.clamped.end(), mask,
                              mask + length * x.dimension());
    }
  }
  return gathered;
}

// Exact where that takes no longer than the estimate.
absl::StatusOr<std::vector<AnnealedEstimate>> IncompleteLogScores(
    const Product<float>& product, const Observations<float>& x,
    const IncompleteScoreOptions& options, const Workers& workers,
    InterruptCheck check, AnnealingProgress progress) {
  const Index steps =
      static_cast<Index>(options.inverse_temperatures.size()) - 1;
  const auto exact = ExactIncompleteLogScores(
      product, x, options.chains * steps, workers, check);
  if (absl::IsFailedPrecondition(exact.status()))
    return EstimateIncompleteLogScores(product, x, options, workers, check,
                                       progress);
  if (!exact.ok()) return exact.status();
  progress(1);
  std::vector<AnnealedEstimate> scores(x.size);
  for (Index n = 0; n < x.size; ++n) {
    scores[n].value = (*exact)[n];
    scores[n].effective_sample_size = static_cast<double>(options.chains);
  }
  return scores;
}

double LogJacobianOfObserved(const DataSpec& spec, const RawRows& rows,
                             Index n) {
  double sum = 0;
  for (Index frame = rows.start(n); frame < rows.start(n + 1); ++frame)
    for (Index i = 0; i < spec.dimension; ++i)
      if (rows.IsObserved(frame, i)) sum += LogJacobian(spec, i);
  return sum;
}

}  // namespace

template <typename Scalar>
absl::StatusOr<std::vector<AnnealedEstimate>> EstimateIncompleteLogScores(
    const Product<Scalar>& product, const Observations<Scalar>& x,
    const IncompleteScoreOptions& options, const Workers& workers,
    InterruptCheck check, AnnealingProgress progress) {
  if (absl::Status status = CheckRequest(product, x, options); !status.ok())
    return status;
  if (!product.base().LogNormalizer())
    return absl::FailedPreconditionError(
        "the normalizer of this product's base is not known");
  const std::optional<Product<Scalar>> nearer = NearerStart(product);
  const Product<Scalar>& annealed = nearer.has_value() ? *nearer : product;
  const Base<Scalar>& base = annealed.base();
  const std::vector<Index> starts = x.FrameStarts();
  std::vector<double> of_base(x.size, 0);
  base.AddLogNormalizers(x, absl::MakeSpan(of_base));

  AnnealedEstimate known;
  known.effective_sample_size = static_cast<double>(options.chains);
  std::vector<AnnealedEstimate> estimates(x.size, known);
  const auto is_complete = [&](Index n) {
    if (x.clamped.empty()) return false;
    const auto mask = x.clamped.begin() + starts[n] * x.dimension();
    const auto end = mask + x.length(n) * x.dimension();
    return std::find(mask, end, 0) == end;
  };
  std::vector<Index> complete, incomplete;
  for (Index n = 0; n < x.size; ++n) {
    estimates[n].value = of_base[n];
    if (!std::isfinite(of_base[n])) continue;
    (is_complete(n) ? complete : incomplete).push_back(n);
  }
  if (!complete.empty()) {
    const std::vector<double> log_scores =
        product.LogScores(Gather<Scalar>(x, starts, complete), workers);
    for (std::size_t i = 0; i < complete.size(); ++i)
      estimates[complete[i]].value = log_scores[i];
  }

  // Chains of one observation are adjacent.
  const Index chains = options.chains;
  const auto log_weights = AnnealedLogWeights<Scalar>(
      annealed,
      {AnnealingDirection::kForward, options.inverse_temperatures, options.seed,
       static_cast<Index>(incomplete.size()) * chains},
      [&](Index begin, Index end) {
        std::vector<Index> numbers;
        for (Index i = begin; i < end; ++i)
          numbers.push_back(incomplete[i / chains]);
        Observations<Scalar> start = Gather<Scalar>(x, starts, numbers);
        for (Index i = begin; i < end; ++i)
          start.row_ids[i - begin] = DeriveSeed(
              start.row_ids[i - begin], static_cast<std::uint64_t>(i % chains));
        base.SampleStart({options.seed, Purpose::kStart, 0, 0}, start);
        return start;
      },
      workers, check, progress);
  if (!log_weights.ok()) return log_weights.status();
  for (std::size_t i = 0; i < incomplete.size(); ++i) {
    const Index n = incomplete[i];
    estimates[n] = LogMeanWeight(
        absl::MakeConstSpan(*log_weights).subspan(i * chains, chains));
    estimates[n].value += of_base[n];
  }
  return estimates;
}

absl::StatusOr<IncompleteScores> ScoreIncomplete(
    const Model& model, const RawRows& rows,
    const IncompleteScoreOptions& options, const Workers& workers,
    InterruptCheck check, AnnealingProgress progress) {
  const Index size = rows.size(), classes = model.num_classes();
  Observations<float> x = Preprocess(model.data_spec, rows, 0, size);
  KeepObserved(model.data_spec, rows, 0, x);
  IncompleteScores scores;
  for (RowMatrix<double>* part : {&scores.log_scores, &scores.standard_errors,
                                  &scores.effective_sample_sizes})
    part->resize(size, classes);
  std::vector<double> jacobians(size);
  for (Index n = 0; n < size; ++n)
    jacobians[n] = LogJacobianOfObserved(model.data_spec, rows, n);
  for (Index c = 0; c < classes; ++c) {
    IncompleteScoreOptions of_class = options;
    of_class.seed = DeriveSeed(options.seed, static_cast<std::uint64_t>(c));
    const auto estimates =
        IncompleteLogScores(model.classes[c].layers[0], x, of_class, workers,
                            check, [&](double share) {
                              progress((static_cast<double>(c) + share) /
                                       static_cast<double>(classes));
                            });
    if (!estimates.ok()) return estimates.status();
    for (Index n = 0; n < size; ++n) {
      const AnnealedEstimate& estimate = (*estimates)[n];
      const bool collapsed = HasCollapsed(estimate, options.chains);
      scores.log_scores(n, c) =
          collapsed ? kUnknown : estimate.value + jacobians[n];
      scores.standard_errors(n, c) =
          collapsed ? kUnknown : estimate.standard_error;
      scores.effective_sample_sizes(n, c) = estimate.effective_sample_size;
    }
  }
  return scores;
}

template absl::StatusOr<std::vector<AnnealedEstimate>>
EstimateIncompleteLogScores<float>(const Product<float>&,
                                   const Observations<float>&,
                                   const IncompleteScoreOptions&,
                                   const Workers&, InterruptCheck,
                                   AnnealingProgress);
template absl::StatusOr<std::vector<AnnealedEstimate>>
EstimateIncompleteLogScores<double>(const Product<double>&,
                                    const Observations<double>&,
                                    const IncompleteScoreOptions&,
                                    const Workers&, InterruptCheck,
                                    AnnealingProgress);

}  // namespace poe
