#ifndef POE_TESTS_FUZZ_MODELS_H_
#define POE_TESTS_FUZZ_MODELS_H_

#include <vector>

#include "absl/strings/string_view.h"
#include "tests/server/codec/kind_models.h"

namespace poe::fuzz {

// Small models: those of kind_models.h, "TwoClasses" with all that a model can
// say of bits, "RealValues" and "TwoLayers".
const std::vector<server::KindModel>& Models();

// The one that a request names, or the first if there is none of that name.
const Model& FindModel(absl::string_view name);

}  // namespace poe::fuzz

#endif  // POE_TESTS_FUZZ_MODELS_H_
