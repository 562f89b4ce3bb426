#include "tests/server/training_testing.h"

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

namespace poe::server {
namespace {

void WaitUntil(absl::FunctionRef<bool()> condition) {
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (!condition() && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(2));
  }
}

}  // namespace

v1::TrainStart QuickStart(absl::string_view model_name) {
  v1::TrainStart start;
  start.set_model_name(std::string(model_name));
  start.add_class_names("left");
  start.add_class_names("right");
  start.mutable_data_spec()->set_family(v1::FAMILY_BERNOULLI);
  start.mutable_data_spec()->set_dimension(kDimension);
  v1::GroupSettings& group = *start.add_products()->add_groups();
  group.set_num_experts(2);
  group.mutable_bernoulli_units();
  start.add_stages()->mutable_contrastive_divergence()->set_epochs(2);
  start.add_stages()->mutable_separator();
  start.set_seed(7);
  return start;
}

v1::TrainStart EndlessStart(absl::string_view model_name) {
  v1::TrainStart start = QuickStart(model_name);
  v1::ContrastiveDivergenceStage& stage =
      *start.mutable_stages(0)->mutable_contrastive_divergence();
  stage.clear_epochs();
  stage.set_updates(1'000'000'000);
  return start;
}

v1::TrainStart LongStart(absl::string_view model_name) {
  v1::TrainStart start = QuickStart(model_name);
  start.set_seed(7);
  for (v1::TrainStage& stage : *start.mutable_stages()) {
    if (!stage.has_contrastive_divergence()) continue;
    stage.mutable_contrastive_divergence()->clear_epochs();
    stage.mutable_contrastive_divergence()->set_updates(30000);
  }
  return start;
}

v1::TrainStart DivergingStart(absl::string_view model_name) {
  v1::TrainStart start = QuickStart(model_name);
  v1::ContrastiveDivergenceStage& stage =
      *start.mutable_stages(0)->mutable_contrastive_divergence();
  stage.set_epochs(1000);
  // Weights change their sign and double at every update.
  stage.mutable_optimizer()->set_rate(0.05);
  stage.mutable_optimizer()->set_momentum(0);
  stage.mutable_optimizer()->set_weight_decay(60);
  return start;
}

v1::TrainChunk Chunk(std::int64_t offset, std::int64_t rows) {
  v1::TrainChunk chunk;
  chunk.set_row_offset(offset);
  v1::Tensor& dense = *chunk.mutable_observations()->mutable_dense();
  dense.add_shape(rows);
  dense.add_shape(kDimension);
  for (std::int64_t n = offset; n < offset + rows; ++n) {
    const bool right = n % 2 == 1;
    for (std::int64_t i = 0; i < kDimension; ++i) {
      dense.add_values((i >= kDimension / 2) == right ? 1.0f : 0.0f);
    }
    chunk.add_labels(right ? 1 : 0);
  }
  return chunk;
}

std::string CsvRows(std::int64_t rows) {
  const v1::TrainChunk chunk = Chunk(0, rows);
  const auto& values = chunk.observations().dense().values();
  std::string text;
  for (int i = 0; i < values.size(); ++i) {
    absl::StrAppend(&text, values[i], (i + 1) % kDimension == 0 ? "\n" : ",");
  }
  return text;
}

std::string CsvLabels(std::int64_t rows) {
  const v1::TrainChunk chunk = Chunk(0, rows);
  return absl::StrCat(absl::StrJoin(chunk.labels(), "\n"), "\n");
}

v1::Job::State WaitForEnd(const TrainingJob& job) {
  WaitUntil([&] { return job.HasEnded(); });
  return job.state();
}

v1::Job::State WaitForState(const TrainingJob& job, v1::Job::State state) {
  WaitUntil([&] { return job.state() == state || job.HasEnded(); });
  return job.state();
}

}  // namespace poe::server
