#include <cstdint>

#include "poe/kept_classes.h"
#include "poe/training.h"
#include "poe/v1/training.pb.h"
#include "server/codec/training_codec.h"
#include "tests/fuzz/models.h"
#include "tests/fuzz/read_message.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/targets.h"

namespace poe::fuzz {

void FuzzTrainStart(absl::string_view input) {
  constexpr server::TrainingLimits kLimits = {
      .classes = 8, .dimension = 1024, .parameters = 1 << 20};
  v1::TrainStart start;
  if (!ReadMessage(input, &start)) return;
  const Model& base = FindModel(start.model_name());
  const auto settings =
      server::DecodeTrainStart(start, /*seed=*/1, kLimits, &base);
  if (!settings.ok()) return;
  Require(Validate(*settings).ok(), "the core takes the settings");
  Require(
      ValidateKept(*settings, start.base_version() > 0 ? &base : nullptr).ok(),
      "the classes that are kept are there");
  Require(static_cast<std::int64_t>(settings->class_names.size()) <=
                  kLimits.classes &&
              settings->data_spec.dimension <= kLimits.dimension,
          "settings are within the limits");
}

}  // namespace poe::fuzz
