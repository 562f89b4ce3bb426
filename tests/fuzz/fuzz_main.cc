// One fuzzer: POE_FUZZ_TARGET is the function of targets.h that it calls.
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  poe::fuzz::POE_FUZZ_TARGET(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
