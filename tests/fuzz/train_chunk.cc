#include "poe/v1/training.pb.h"
#include "server/codec/observations.h"
#include "tests/fuzz/answers.h"
#include "tests/fuzz/models.h"
#include "tests/fuzz/read_message.h"
#include "tests/fuzz/targets.h"

namespace poe::fuzz {

void FuzzTrainChunk(absl::string_view input) {
  v1::TrainChunk chunk;
  if (!ReadMessage(input, &chunk)) return;
  for (const server::KindModel& one : Models()) {
    const DataSpec& spec = one.model.data_spec;
    const auto rows = server::DecodeObservations(
        chunk.observations(), spec, {kLimits.rows},
        /*weights_allowed=*/true, "chunk.observations");
    if (rows.ok()) RequireRows(*rows, spec, kLimits.rows);
  }
}

}  // namespace poe::fuzz
