#ifndef POE_CLIENT_CPP_COMMAND_EXPERT_KINDS_H_
#define POE_CLIENT_CPP_COMMAND_EXPERT_KINDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace poe::client {

// The kinds of expert, by what the command line calls them.
enum class ExpertKind {
  kUnits,     // units
  kUnigauss,  // unigauss
  kMixture,   // mixture
  kMarkov,    // hmm
  kDynamics,  // lds
  kTree,      // tree
};

std::string KindName(ExpertKind kind);

// "units|unigauss|...".
std::string KindNames();

// Experts of one kind in a product.
struct ExpertChoice {
  ExpertKind kind = ExpertKind::kUnits;
  // 0: left to the kind.
  int count = 0;
  // The columns that they see, as ParseCoordinates reads them. Empty: all.
  std::string columns = {};
};

// Reads KIND[:COUNT][@COLUMNS], its columns as they are. A usage error for
// anything else.
absl::StatusOr<ExpertChoice> ParseExperts(absl::string_view text);

// How many there are where nobody says.
int DefaultCount(ExpertKind kind);

// Whether they see sequences; the others see single rows.
bool SeesSequences(ExpertKind kind);

// Whether they can be fitted each on its own.
bool CanFitApart(ExpertKind kind);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_EXPERT_KINDS_H_
