#ifndef POE_TESTS_FUZZ_READ_MESSAGE_H_
#define POE_TESTS_FUZZ_READ_MESSAGE_H_

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace poe::fuzz {

// Reads a message as it comes over the wire or, if the input begins with a #,
// which comments of the text format do, from text: so that seeds can be read.
// False if it is neither.
bool ReadMessage(absl::string_view input, google::protobuf::Message* message);

}  // namespace poe::fuzz

#endif  // POE_TESTS_FUZZ_READ_MESSAGE_H_
