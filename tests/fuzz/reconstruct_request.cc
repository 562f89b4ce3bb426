#include "poe/v1/scoring.pb.h"
#include "tests/fuzz/answers.h"
#include "tests/fuzz/models.h"
#include "tests/fuzz/read_message.h"
#include "tests/fuzz/targets.h"

namespace poe::fuzz {

void FuzzReconstructRequest(absl::string_view input) {
  v1::ReconstructRequest request;
  if (!ReadMessage(input, &request)) return;
  Answer(request, FindModel(request.model().name()));
}

}  // namespace poe::fuzz
