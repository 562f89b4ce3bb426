#include <string>

#include "poe/model.h"
#include "poe/v1/model.pb.h"
#include "server/codec/model_codec.h"
#include "server/warm_up.h"
#include "tests/fuzz/read_message.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/targets.h"

namespace poe::fuzz {

void FuzzModel(absl::string_view input) {
  v1::Model message;
  if (!ReadMessage(input, &message)) return;
  const auto model = server::DecodeModel(message);
  if (!model.ok()) return;
  Require(Validate(*model).ok(), "the core takes the model");
  const v1::Model stored = server::EncodeModel(*model);
  const auto loaded = server::DecodeModel(stored);
  Require(loaded.ok(), "a model that is stored again can be loaded");
  Require(server::EncodeModel(*loaded).SerializeAsString() ==
              stored.SerializeAsString(),
          "a model that is loaded is stored as the same bytes");
  // It may refuse: a model can be good and have no score for made up rows.
  server::DecodeAndWarmUp(stored).IgnoreError();
}

}  // namespace poe::fuzz
