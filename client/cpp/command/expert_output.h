#ifndef POE_CLIENT_CPP_COMMAND_EXPERT_OUTPUT_H_
#define POE_CLIENT_CPP_COMMAND_EXPERT_OUTPUT_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cpp/command/experts.h"
#include "client/cpp/command/json.h"
#include "client/cpp/io/picture.h"
#include "poe/v1/tensor.pb.h"

namespace poe::client {

// A line for each of these experts of one layer (0 lowest).
std::string ExpertTable(const std::vector<Expert>& experts,
                        const v1::DataSpec& spec, int layer);

// How the latent states of those over sequences move, each table after an empty
// line; nothing for others. Of hidden states: how likely a sequence begins with
// each, and which are likely next. Of linear dynamical systems: A and Q by
// rows, C by columns.
std::string TransitionTables(const std::vector<Expert>& experts,
                             const v1::DataSpec& spec, int layer);

// Its name, or its number in brackets.
std::string CoordinateName(const v1::DataSpec& spec, int layer, size_t i);

// All that is known about one.
Json ExpertJson(const Expert& expert);

// The experts of each class and kind in a grid of so many columns, the grids
// below each other: weights of units, means of Gaussians. FAILED_PRECONDITION
// for other kinds of expert.
absl::StatusOr<Picture> ExpertPicture(const std::vector<Expert>& experts,
                                      const v1::DataSpec& spec, int columns);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_EXPERT_OUTPUT_H_
