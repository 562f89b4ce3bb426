#include "poe/sampling.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "poe/hierarchy.h"

namespace poe {
namespace {

Layers Below(const Model& model, const SampleOptions& options) {
  return Layers(model.classes[options.class_index].layers).first(options.layer);
}

Observations<float> Start(const Model& model, const SampleOptions& options,
                          const RawRows* start, bool clamp,
                          const Workers& workers) {
  const DataSpec& spec = model.data_spec;
  const Product<float>& product =
      model.classes[options.class_index].layers[options.layer];
  const Base<float>& base = product.base();
  if (start != nullptr && options.layer > 0)
    return Climb(Below(model, options),
                 Preprocess(spec, *start, 0, start->size()), workers);
  Observations<float> x;
  if (start != nullptr) {
    x = Preprocess(spec, *start, 0, start->size());
    KeepObserved(spec, *start, 0, x);
  } else {
    x = MakeAlike<float>(spec.sequential, options.chains, options.length,
                         product.dimension());
  }
  base.SampleStart({options.seed, Purpose::kStart, 0, 0}, x);
  if (start != nullptr && !clamp)
    x.clamped = Preprocess(spec, *start, 0, start->size()).clamped;
  return x;
}

// What the chains show after so many steps: frames x width.
RowMatrix<float> Data(const Model& model, const SampleOptions& options,
                      Observations<float> x, int step, const Workers& workers) {
  const Index frames = x.frames();
  x = Descend(Below(model, options), std::move(x),
              options.mean ? Reconstruction::kMean : Reconstruction::kSample,
              options.seed, static_cast<std::uint32_t>(step), workers);
  return x.values.topRows(frames);
}

}  // namespace

absl::Status Sample(const Model& model, const SampleOptions& options,
                    const RawRows* start, bool clamp, const Workers& workers,
                    absl::FunctionRef<absl::Status(const SampledChains&)> emit,
                    InterruptCheck check) {
  const Product<float>& product =
      model.classes[options.class_index].layers[options.layer];
  Observations<float> x = Start(model, options, start, clamp, workers);
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
      if (absl::Status status = RunGibbs(product, gibbs, workers, check, shown);
          !status.ok())
        return status;
      chains.values = Data(model, options, std::move(shown), next, workers);
    }
    if (!options.mean || next < options.steps) {
      gibbs.last = Reconstruction::kSample;
      if (absl::Status status = RunGibbs(product, gibbs, workers, check, x);
          !status.ok())
        return status;
      if (!options.mean) chains.values = Data(model, options, x, next, workers);
    }
    chains.values = Unprocess(model.data_spec, chains.values);
    chains.lengths = x.lengths;
    if (start != nullptr && clamp) CopyObserved(*start, 0, chains.values);
    for (Index input : model.data_spec.input_coordinates)
      chains.values.col(input) = start->values.col(input);
    chains.step = next;
    chains.inverse_temperature = schedule[next - 1];
    if (absl::Status status = emit(chains); !status.ok()) return status;
    done = next;
  }
  return absl::OkStatus();
}

}  // namespace poe
