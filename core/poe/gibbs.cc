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

template <typename Scalar>
absl::Status RunGibbs(const Product<Scalar>& product,
                      const GibbsOptions& options, const Workers& workers,
                      InterruptCheck check, Observations<Scalar>& x) {
  typename Product<Scalar>::Posteriors posteriors = product.NewPosteriors();
  Messages<Scalar> messages;
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

template absl::Status RunGibbs<float>(const Product<float>&,
                                      const GibbsOptions&, const Workers&,
                                      InterruptCheck, Observations<float>&);
template absl::Status RunGibbs<double>(const Product<double>&,
                                       const GibbsOptions&, const Workers&,
                                       InterruptCheck, Observations<double>&);

}  // namespace poe
