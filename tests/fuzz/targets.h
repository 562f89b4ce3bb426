// What the fuzzers call: each takes the bytes of one input, decodes them as a
// program would that got them from outside, and ends the process where a
// promise of the decoder is broken. Any input will do.
#ifndef POE_TESTS_FUZZ_TARGETS_H_
#define POE_TESTS_FUZZ_TARGETS_H_

#include "absl/strings/string_view.h"

namespace poe::fuzz {

// Readers of files of data.
void FuzzCsv(absl::string_view input);
void FuzzIdx(absl::string_view input);
void FuzzNpy(absl::string_view input);

// Text that a server reads.
void FuzzManifest(absl::string_view input);
void FuzzTokens(absl::string_view input);
void FuzzVersionPolicy(absl::string_view input);

// What comes over HTTP: METHOD PATH?QUERY in the first line, without
// percent-encoding, and then the body; and the JSON of an inference.
void FuzzHttpRequest(absl::string_view input);
void FuzzOpenInferenceJson(absl::string_view input);

// Messages (see read_message.h).
void FuzzModel(absl::string_view input);
void FuzzOpenInference(absl::string_view input);
void FuzzReconstructRequest(absl::string_view input);
void FuzzSampleRequest(absl::string_view input);
void FuzzScoreRequest(absl::string_view input);
void FuzzTrainChunk(absl::string_view input);
void FuzzTrainStart(absl::string_view input);

}  // namespace poe::fuzz

#endif  // POE_TESTS_FUZZ_TARGETS_H_
