#include "poe/gibbs.h"

#include <algorithm>

#include "absl/status/status.h"

namespace poe {

std::vector<double> AnnealingSchedule(int steps, int annealing_steps) {
  std::vector<double> schedule(steps, 1.0);
  const int rising = std::min(steps, annealing_steps);
  for (int i = 0; i < rising; ++i) schedule[i] = (i + 1.0) / annealing_steps;
  return schedule;
}

namespace {

// Parameters x frames of a step between two looks at the interrupt check: some
// ten milliseconds' work, more for experts whose frames depend on each other.
constexpr Index kDenseWork = Index{1} << 27, kSequentialWork = Index{1} << 24;
// Fewer frames leave matrix products slow.
constexpr Index kLeastFrames = 64;

// Observations [begin, end), whose frames start at `first`.
template <typename Scalar>
Observations<Scalar> Cut(const Observations<Scalar>& x, Index begin, Index end,
                         Index first) {
  Observations<Scalar> part;
  part.size = end - begin;
  part.row_ids.assign(x.row_ids.begin() + begin, x.row_ids.begin() + end);
  if (x.sequential())
    part.lengths.assign(x.lengths.begin() + begin, x.lengths.begin() + end);
  const Index frames = part.frames(), width = x.dimension();
  part.values = RowMatrix<Scalar>::Zero(PaddedRows(frames), width);
  part.values.topRows(frames) = x.values.middleRows(first, frames);
  if (!x.clamped.empty())
    part.clamped.assign(x.clamped.begin() + first * width,
                        x.clamped.begin() + (first + frames) * width);
  return part;
}

template <typename Scalar>
absl::Status RunSteps(const Product<Scalar>& product,
                      const GibbsOptions& options, const Workers& workers,
                      InterruptCheck check,
                      typename Product<Scalar>::Posteriors& posteriors,
                      Messages<Scalar>& messages, Observations<Scalar>& x) {
  const std::size_t steps = options.inverse_temperatures.size();
  for (std::size_t step = 0; step < steps; ++step) {
    if (absl::Status status = check(); !status.ok()) return status;
    product.Infer(x, static_cast<Scalar>(options.inverse_temperatures[step]),
                  workers, posteriors);
    product.Resample(posteriors, options.seed,
                     options.first_step + static_cast<std::uint32_t>(step),
                     step + 1 == steps ? options.last : Reconstruction::kSample,
                     workers, messages, x);
  }
  return absl::OkStatus();
}

}  // namespace

template <typename Scalar>
absl::Status RunGibbs(const Product<Scalar>& product,
                      const GibbsOptions& options, const Workers& workers,
                      InterruptCheck check, Observations<Scalar>& x) {
  typename Product<Scalar>::Posteriors posteriors = product.NewPosteriors();
  Messages<Scalar> messages;
  const Index work = product.sequential() ? kSequentialWork : kDenseWork;
  const Index most =
      std::max(kLeastFrames * workers.threads(),
               work / std::max<Index>(product.num_parameters(), 1));
  if (x.frames() <= most)
    return RunSteps(product, options, workers, check, posteriors, messages, x);
  // An observation has the same bits in any batch.
  Index first = 0;
  for (Index begin = 0, end; begin < x.size; begin = end) {
    Index frames = x.length(begin);
    for (end = begin + 1; end < x.size && frames + x.length(end) <= most; ++end)
      frames += x.length(end);
    Observations<Scalar> part = Cut(x, begin, end, first);
    if (absl::Status status = RunSteps(product, options, workers, check,
                                       posteriors, messages, part);
        !status.ok())
      return status;
    x.values.middleRows(first, frames) = part.values.topRows(frames);
    first += frames;
  }
  return absl::OkStatus();
}

template absl::Status RunGibbs<float>(const Product<float>&,
                                      const GibbsOptions&, const Workers&,
                                      InterruptCheck, Observations<float>&);
template absl::Status RunGibbs<double>(const Product<double>&,
                                       const GibbsOptions&, const Workers&,
                                       InterruptCheck, Observations<double>&);

}  // namespace poe
