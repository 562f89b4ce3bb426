#include <cstdint>

#include "poe/training.h"
#include "poe/v1/training.pb.h"
#include "server/codec/training_codec.h"
#include "tests/fuzz/read_message.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/targets.h"

namespace poe::fuzz {

void FuzzTrainStart(absl::string_view input) {
  constexpr server::TrainingLimits kLimits = {
      .classes = 8, .dimension = 1024, .parameters = 1 << 20};
  v1::TrainStart start;
  if (!ReadMessage(input, &start)) return;
  const auto settings = server::DecodeTrainStart(start, /*seed=*/1, kLimits);
  if (!settings.ok()) return;
  Require(Validate(*settings).ok(), "the core takes the settings");
  Require(static_cast<std::int64_t>(settings->class_names.size()) <=
                  kLimits.classes &&
              settings->data_spec.dimension <= kLimits.dimension,
          "settings are within the limits");
}

}  // namespace poe::fuzz
