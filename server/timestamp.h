// Moments as messages hold them.
#ifndef POE_SERVER_TIMESTAMP_H_
#define POE_SERVER_TIMESTAMP_H_

#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"

namespace poe::server {

inline google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return google::protobuf::util::TimeUtil::NanosecondsToTimestamp(
      absl::ToUnixNanos(time));
}

}  // namespace poe::server

#endif  // POE_SERVER_TIMESTAMP_H_
