#ifndef POE_CLIENT_CPP_COMMAND_CLASS_LABELS_H_
#define POE_CLIENT_CPP_COMMAND_CLASS_LABELS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace poe::client {

// Classes, and for each row an index into them.
struct ClassLabels {
  std::vector<std::string> names;
  std::vector<int32_t> indices;
};

// The classes to train. With names given, labels are indices into them;
// without, the classes are the different labels, ascending, each with its
// number as a name. INVALID_ARGUMENT for a label without a class.
absl::StatusOr<ClassLabels> AssignClasses(
    absl::Span<const int64_t> labels, const std::vector<std::string>& names);

// Indices into the classes of a model: of the class that has the label as its
// name, if that is so for all labels, else the labels themselves.
// INVALID_ARGUMENT for a label without a class.
absl::StatusOr<std::vector<int32_t>> MatchClasses(
    absl::Span<const int64_t> labels, const std::vector<std::string>& names);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_CLASS_LABELS_H_
