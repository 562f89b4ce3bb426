#ifndef POE_CLIENT_CPP_COMMAND_TRAIN_PRODUCT_H_
#define POE_CLIENT_CPP_COMMAND_TRAIN_PRODUCT_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/command/expert_kinds.h"
#include "client/cpp/command/train_start.h"
#include "poe/v1/tensor.pb.h"
#include "poe/v1/training.pb.h"

namespace poe::client {

// A usage error if the kinds do not go together, or if an option is given that
// means nothing to any of them.
absl::Status CheckKindOptions(const TrainOptions& options,
                              const std::vector<ExpertChoice>& kinds);

// The product of these kinds over data of such a spec: a group of experts for
// each. A usage error if columns are named that are not there.
absl::StatusOr<v1::ProductSettings> MakeProduct(
    const TrainOptions& options, const std::vector<ExpertChoice>& kinds,
    const v1::DataSpec& spec);

// Makes a group's experts Bernoulli units.
void SetUnits(const TrainOptions& options, v1::GroupSettings& group);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_TRAIN_PRODUCT_H_
