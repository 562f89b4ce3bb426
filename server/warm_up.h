// Makes a stored model ready to answer, before anybody waits for it.
#ifndef POE_SERVER_WARM_UP_H_
#define POE_SERVER_WARM_UP_H_

#include "absl/status/statusor.h"
#include "poe/model.h"
#include "poe/v1/model.pb.h"

namespace poe::server {

// The model, after it has scored rows made up for it, in the middle of its
// data: memory is touched, and a model that cannot answer is found out. The
// thread yields meanwhile. Errors of DecodeModel and Score.
absl::StatusOr<Model> DecodeAndWarmUp(const v1::Model& stored);

}  // namespace poe::server

#endif  // POE_SERVER_WARM_UP_H_
