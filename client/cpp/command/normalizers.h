#ifndef POE_CLIENT_CPP_COMMAND_NORMALIZERS_H_
#define POE_CLIENT_CPP_COMMAND_NORMALIZERS_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/cpp/command/json.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "poe/v1/model.pb.h"

namespace poe::client {

// What is known of log Z, as a server answers.
using LogPartitions = google::protobuf::RepeatedPtrField<v1::LogPartition>;
using LogPartitionDifferences =
    google::protobuf::RepeatedPtrField<v1::LogPartitionDifference>;

// Whether some are no more than estimates.
bool AreEstimated(const LogPartitions& known);

// A line for each class and length with the value of each method, then one for
// each difference; empty where nothing is known.
std::string NormalizerTable(const LogPartitions& known,
                            const LogPartitionDifferences& differences);

// Adds "log_partitions" and "log_partition_differences", lists of the messages,
// where there are any.
absl::Status AddNormalizers(const LogPartitions& known,
                            const LogPartitionDifferences& differences,
                            Json& document);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_NORMALIZERS_H_
