// poe reproduce sequences
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cpp/command/reproduce.h"
#include "client/cpp/command/reproduction.h"
#include "client/cpp/command/sequence_data.h"
#include "client/cpp/command/table.h"
#include "client/cpp/io/plot.h"
#include "client/cpp/tensor.h"

namespace poe::client {
namespace {

constexpr int kTraining = 500, kValidation = 200, kTest = 1000;
constexpr int kRestarts = 5;
constexpr int kExperts = 3;
constexpr int kStates = 5, kSingleStates = 11;
constexpr int kLatents = 2, kSingleLatents = 5;
constexpr size_t kSize = kFrames * kChannels;

// Free parameters of M hidden Markov models of K states; of M linear dynamical
// systems of L latents.
constexpr int MarkovParameters(int experts, int states) {
  return experts * states * (1 + states + 2 * kChannels);
}
constexpr int SystemParameters(int experts, int latents) {
  return experts * (latents + latents * (latents + 1) + latents * latents +
                    kChannels * (latents + 2));
}
static_assert(MarkovParameters(1, kSingleStates) >=
              MarkovParameters(kExperts, kStates));
static_assert(SystemParameters(1, kSingleLatents) >=
              SystemParameters(kExperts, kLatents));

struct Data {
  absl::Span<const float> training, validation, test;
};

Data Split(const std::vector<float>& values) {
  const auto all = absl::MakeConstSpan(values);
  return {all.subspan(0, kTraining * kSize),
          all.subspan(kTraining * kSize, kValidation * kSize),
          all.subspan((kTraining + kValidation) * kSize)};
}

v1::TrainStart Start(uint64_t seed) {
  v1::TrainStart start;
  start.set_model_name("reproduce-sequences");
  start.set_seed(seed);
  v1::DataSpec& spec = *start.mutable_data_spec();
  spec.set_family(v1::FAMILY_STRUCTURED_GAUSSIAN);
  spec.set_sequential(true);
  spec.set_dimension(kChannels);
  return start;
}

// Chosen by validation on data seeds from 100 on.
void TrainTogether(int updates, double rate, v1::TrainStart& start) {
  v1::ContrastiveDivergenceStage& stage =
      *start.add_stages()->mutable_contrastive_divergence();
  stage.set_updates(updates);
  stage.set_batch_size(100);
  v1::OptimizerSettings& optimizer = *stage.mutable_optimizer();
  optimizer.set_kind(v1::OptimizerSettings::KIND_ADAM);
  optimizer.set_rate(rate);
  optimizer.set_schedule(v1::OptimizerSettings::SCHEDULE_COSINE);
  optimizer.set_final_rate_share(0.02);
}

v1::TrainStart MarkovProduct(uint64_t seed) {
  v1::TrainStart start = Start(seed);
  v1::ProductSettings& product = *start.add_products();
  v1::GroupSettings& group = *product.add_groups();
  group.set_num_experts(kExperts);
  v1::HiddenMarkovSettings& markov = *group.mutable_hidden_markov();
  markov.set_num_states(kStates);
  // Vague at first: three sharp opinions on every channel never part.
  markov.set_initial_standard_deviation(2);
  product.mutable_base()->set_deviation_multiple(10);
  product.mutable_base()->set_fixed_variance(true);
  TrainTogether(3000, 0.02, start);
  return start;
}

v1::TrainStart SystemProduct(uint64_t seed) {
  v1::TrainStart start = Start(seed);
  v1::ProductSettings& product = *start.add_products();
  v1::GroupSettings& group = *product.add_groups();
  group.set_num_experts(kExperts);
  v1::LinearDynamicalSettings& system = *group.mutable_linear_dynamical();
  system.set_num_latent(kLatents);
  system.set_initial_standard_deviation(2);
  product.mutable_base()->set_deviation_multiple(10);
  product.mutable_base()->set_fixed_variance(true);
  TrainTogether(3000, 0.03, start);
  return start;
}

// One expert by expectation maximization beside a base too wide to matter.
v1::TrainStart Single(uint64_t seed, bool markov) {
  v1::TrainStart start = Start(seed);
  v1::ProductSettings& product = *start.add_products();
  v1::GroupSettings& group = *product.add_groups();
  group.set_num_experts(1);
  if (markov) {
    group.mutable_hidden_markov()->set_num_states(kSingleStates);
  } else {
    group.mutable_linear_dynamical()->set_num_latent(kSingleLatents);
  }
  product.mutable_base()->set_deviation_multiple(1e4);
  product.mutable_base()->set_fixed_variance(true);
  start.add_stages()->mutable_initialize()->set_max_iterations(500);
  return start;
}

// Mean log probability of a frame, nats.
absl::StatusOr<double> NatsPerStep(absl::Span<const float> values,
                                   Reproduction& reproduction) {
  v1::ScoreRequest request;
  *request.mutable_observations() = SequenceObservations(values);
  const absl::StatusOr<v1::ScoreResponse> response =
      reproduction.Ask(std::move(request));
  if (!response.ok()) return response.status();
  const absl::StatusOr<std::vector<double>> log_probabilities =
      TensorDoubles(response->log_probabilities());
  if (!log_probabilities.ok()) return log_probabilities.status();
  double sum = 0;
  for (const double value : *log_probabilities) sum += value;
  return sum * kChannels / static_cast<double>(values.size());
}

// On the test data, of the restart that validation likes best.
template <typename Settings>
absl::StatusOr<double> BestOfRestarts(const std::string& topic,
                                      const Data& data, int data_seed,
                                      Settings settings,
                                      Reproduction& reproduction) {
  double best = -std::numeric_limits<double>::infinity();
  double result = best;
  for (int restart = 0; restart < kRestarts; ++restart) {
    const absl::StatusOr<v1::Job> job = reproduction.Train(
        absl::StrCat(topic, ", start ", restart + 1, " of ", kRestarts),
        settings(static_cast<uint64_t>(1000 * data_seed + restart)),
        SequenceObservations(data.training), {});
    if (!job.ok()) return job.status();
    const absl::StatusOr<double> validation =
        NatsPerStep(data.validation, reproduction);
    if (!validation.ok()) return validation.status();
    if (!(*validation > best)) continue;
    best = *validation;
    const absl::StatusOr<double> test = NatsPerStep(data.test, reproduction);
    if (!test.ok()) return test.status();
    result = *test;
  }
  return result;
}

struct Pair {
  double product;
  double single;
};

absl::StatusOr<Pair> Compare(const std::string& topic,
                             const std::vector<float>& values, int data_seed,
                             bool markov, Reproduction& reproduction) {
  const Data data = Split(values);
  const absl::StatusOr<double> single = BestOfRestarts(
      absl::StrCat(topic, ", single"), data, data_seed,
      [&](uint64_t seed) { return Single(seed, markov); }, reproduction);
  if (!single.ok()) return single.status();
  const absl::StatusOr<double> product =
      BestOfRestarts(absl::StrCat(topic, ", product"), data, data_seed,
                     markov ? MarkovProduct : SystemProduct, reproduction);
  if (!product.ok()) return product.status();
  return Pair{*product, *single};
}

// The channels of one sequence below each other.
absl::StatusOr<Picture> DrawSequence(absl::Span<const float> values,
                                     Color color) {
  absl::StatusOr<Plot> plot =
      Plot::Create({-1, kFrames, -4.0 * kChannels + 1, 3}, 480, 360);
  if (!plot.ok()) return plot.status();
  for (int t = 0; t < kFrames; ++t) {
    for (int c = 0; c < kChannels; ++c) {
      plot->DrawPoint(t, values[t * kChannels + c] - 4.0 * c, 3, color);
    }
  }
  return plot->picture();
}

// A test sequence beside one that the product of the last run draws.
absl::Status WritePicture(const std::string& name, const Data& data,
                          Reproduction& reproduction) {
  v1::SampleRequest request;
  request.set_chains(1);
  request.set_length(kFrames);
  request.set_steps(300);
  request.set_seed(1);
  const absl::StatusOr<std::vector<float>> sample =
      reproduction.Sample(request);
  if (!sample.ok()) return sample.status();
  const absl::StatusOr<Picture> given =
      DrawSequence(data.test.subspan(0, kSize), Grey(90));
  if (!given.ok()) return given.status();
  const absl::StatusOr<Picture> drawn =
      DrawSequence(*sample, Color{31, 119, 180});
  if (!drawn.ok()) return drawn.status();
  return reproduction.Write(SideBySide({*given, *drawn}, 8), name);
}

std::string Nats(double value) { return absl::StrFormat("%.3f", value); }

}  // namespace

absl::Status ReproduceSequences(const ReproduceOptions& options,
                                Context& context) {
  absl::StatusOr<Reproduction> reproduction =
      Reproduction::Begin(options.out, context);
  if (!reproduction.ok()) return reproduction.status();
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"data seed", kRight},
               {"product", kRight},
               {"single HMM", kRight},
               {"truth", kRight},
               {"LDS product", kRight},
               {"single LDS", kRight},
               {"passed"}});
  Json json = {{"product", Json::array()},
               {"single", Json::array()},
               {"truth", Json::array()},
               {"lds_product", Json::array()},
               {"lds_single", Json::array()},
               {"product_parameters", MarkovParameters(kExperts, kStates)},
               {"single_parameters", MarkovParameters(1, kSingleStates)},
               {"lds_product_parameters", SystemParameters(kExperts, kLatents)},
               {"lds_single_parameters", SystemParameters(1, kSingleLatents)}};
  constexpr int kAll = kTraining + kValidation + kTest;
  for (int i = 0; i < options.seeds; ++i) {
    const int seed = options.first_seed + i;
    const std::string topic = absl::StrCat("seed ", seed);
    IndependentChains chains(static_cast<uint64_t>(seed));
    const std::vector<float> values = chains.Draw(kAll);
    const absl::StatusOr<Pair> markov =
        Compare(topic, values, seed, /*markov=*/true, *reproduction);
    if (!markov.ok()) return markov.status();
    const absl::Status status = WritePicture(
        absl::StrCat("sequences-", seed, ".png"), Split(values), *reproduction);
    if (!status.ok()) return status;
    const double truth = chains.MeanLogDensity(Split(values).test);
    const absl::StatusOr<Pair> systems =
        Compare(absl::StrCat(topic, ", oscillators"),
                DrawOscillators(static_cast<uint64_t>(seed), kAll), seed,
                /*markov=*/false, *reproduction);
    if (!systems.ok()) return systems.status();
    const bool passed = markov->product >= markov->single + 0.5 &&
                        markov->product >= truth - 0.05 &&
                        systems->product >= systems->single + 0.02;
    table.AddRow({absl::StrCat(seed), Nats(markov->product),
                  Nats(markov->single), Nats(truth), Nats(systems->product),
                  Nats(systems->single), passed ? "yes" : "no"});
    json["product"].push_back(markov->product);
    json["single"].push_back(markov->single);
    json["truth"].push_back(truth);
    json["lds_product"].push_back(systems->product);
    json["lds_single"].push_back(systems->single);
  }
  const absl::StatusOr<Pair> common =
      Compare("common chain",
              DrawCommonChain(static_cast<uint64_t>(options.first_seed), kAll),
              options.first_seed, /*markov=*/true, *reproduction);
  if (!common.ok()) return common.status();
  json["common_chain_product"] = common->product;
  json["common_chain_single"] = common->single;
  std::cout << "Log probability of a test frame, nats:\n"
            << table.ToString()
            << "Where one chain drives all channels the single HMM wins: "
            << Nats(common->single) << " against " << Nats(common->product)
            << " of the product\n";
  reproduction->End(json);
  return absl::OkStatus();
}

}  // namespace poe::client
