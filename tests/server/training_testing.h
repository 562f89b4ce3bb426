// Trainings that take no time, and one that takes for ever.
#ifndef POE_TESTS_SERVER_TRAINING_TESTING_H_
#define POE_TESTS_SERVER_TRAINING_TESTING_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "poe/v1/training.pb.h"
#include "server/training_job.h"

namespace poe::server {

// Two classes, "left" and "right", of rows of kDimension bits.
inline constexpr std::int64_t kDimension = 4;
v1::TrainStart QuickStart(absl::string_view model_name);
// The same with so many updates that only cancelling ends it.
v1::TrainStart EndlessStart(absl::string_view model_name);

// A training that takes a while, so that it can be caught on its way.
v1::TrainStart LongStart(absl::string_view model_name);

// The same, but that parameters stop being finite.
v1::TrainStart DivergingStart(absl::string_view model_name);

// Rows [offset, offset + rows) of the training data: even rows are of class 0
// and have their first half set, odd rows of class 1 and the second.
v1::TrainChunk Chunk(std::int64_t offset, std::int64_t rows);

// Rows 0 to `rows` - 1 of it as files: a row a line, and a label a line.
std::string CsvRows(std::int64_t rows);
std::string CsvLabels(std::int64_t rows);

// Waits until the job has ended, or is in `state`; a minute at most. The state.
v1::Job::State WaitForEnd(const TrainingJob& job);
v1::Job::State WaitForState(const TrainingJob& job, v1::Job::State state);

}  // namespace poe::server

#endif  // POE_TESTS_SERVER_TRAINING_TESTING_H_
