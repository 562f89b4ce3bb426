// A model's first work, before anybody waits for it.
#ifndef POE_SERVER_WARM_UP_H_
#define POE_SERVER_WARM_UP_H_

#include "absl/status/status.h"
#include "poe/model.h"

namespace poe::server {

// Scores rows made up for the model, in the middle of its data: memory is
// touched, and a model that cannot answer is found out. The status of Score.
absl::Status WarmUp(const Model& model);

}  // namespace poe::server

#endif  // POE_SERVER_WARM_UP_H_
