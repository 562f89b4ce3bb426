#include "poe/sampling.h"

#include <algorithm>

#include "absl/status/status.h"

namespace poe {
namespace {

Observations<float> Start(const Model& model, const SampleOptions& options,
                          const RawRows* start) {
  const Base<float>& base = model.classes[options.class_index].layers[0].base();
  Observations<float> drawn =
      MakeDense<float>(options.chains, model.data_spec.dimension);
  base.SampleStart({options.seed, Purpose::kStart, 0, 0}, drawn);
  if (start == nullptr) return drawn;
  Observations<float> x = Preprocess(model.data_spec, *start, 0, start->size());
  for (Index n = 0; n < x.size; ++n)
    for (Index i = 0; i < x.dimension(); ++i)
      if (!start->observed.empty() &&
          start->observed[n * x.dimension() + i] == 0)
        x.values(n, i) = drawn.values(n, i);
  return x;
}

}  // namespace

absl::Status Sample(const Model& model, const SampleOptions& options,
                    const RawRows* start, bool clamp, const Workers& workers,
                    absl::FunctionRef<absl::Status(const SampledChains&)> emit,
                    InterruptCheck check) {
  const Product<float>& product = model.classes[options.class_index].layers[0];
  Observations<float> x = Start(model, options, start);
  std::vector<std::uint8_t> clamped;
  if (clamp && start != nullptr) {
    clamped.assign(x.size * x.dimension(), 1);
    if (!start->observed.empty())
      clamped.assign(start->observed.begin(), start->observed.end());
  }
  const std::vector<double> schedule =
      AnnealingSchedule(options.steps, options.annealing_steps);
  const int stride = options.thinning > 0 ? options.thinning : options.steps;
  for (int done = 0; done < options.steps;) {
    const int next = std::min(options.steps, done + stride);
    GibbsOptions gibbs;
    gibbs.seed = options.seed;
    gibbs.inverse_temperatures.assign(schedule.begin() + done,
                                      schedule.begin() + next);
    gibbs.first_step = static_cast<std::uint32_t>(done);
    // The chain goes on from draws; the mean is only shown.
    SampledChains chains;
    if (options.mean) {
      Observations<float> shown = x;
      gibbs.last = Reconstruction::kMean;
      if (absl::Status status =
              RunGibbs(product, gibbs, clamped, workers, check, shown);
          !status.ok())
        return status;
      chains.values = shown.values.topRows(x.size);
    }
    if (!options.mean || next < options.steps) {
      gibbs.last = Reconstruction::kSample;
      if (absl::Status status =
              RunGibbs(product, gibbs, clamped, workers, check, x);
          !status.ok())
        return status;
      if (!options.mean) chains.values = x.values.topRows(x.size);
    }
    Unprocess(model.data_spec, chains.values);
    for (std::size_t i = 0; i < clamped.size(); ++i)
      if (clamped[i] != 0) chains.values.data()[i] = start->values.data()[i];
    chains.step = next;
    chains.inverse_temperature = schedule[next - 1];
    if (absl::Status status = emit(chains); !status.ok()) return status;
    done = next;
  }
  return absl::OkStatus();
}

}  // namespace poe
