#ifndef POE_CLIENT_CPP_COMMAND_SELECTOR_H_
#define POE_CLIENT_CPP_COMMAND_SELECTOR_H_

#include <string>

#include "absl/status/statusor.h"
#include "poe/v1/scoring.pb.h"

namespace poe::client {

// How the help describes the argument of ParseSelector.
inline constexpr char kModelHelp[] =
    "The model, as NAME (its serving version), NAME:VERSION or NAME@LABEL.";

// Reads NAME, NAME:VERSION or NAME@LABEL. A usage error for anything else.
absl::StatusOr<v1::ModelSelector> ParseSelector(const std::string& text);

// The reverse: "digits:3".
std::string FormatVersion(const v1::ModelVersion& model);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_SELECTOR_H_
