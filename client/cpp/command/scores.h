#ifndef POE_CLIENT_CPP_COMMAND_SCORES_H_
#define POE_CLIENT_CPP_COMMAND_SCORES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/v1/scoring.pb.h"

namespace poe::client {

// A v1::ScoreResponse with its tensors decoded: N rows, C classes, L layers.
// What the model does not give is empty.
struct Scores {
  v1::ModelVersion model;
  std::vector<std::string> class_names;
  int64_t rows = 0;
  int64_t classes = 0;
  int64_t layers = 0;
  // N x C x L.
  std::vector<double> log_scores;
  // N each.
  std::vector<int32_t> labels;
  std::vector<double> margins;
  std::vector<bool> out_of_support;
  // N x C each.
  std::vector<double> probabilities;
  std::vector<double> percentiles;
  std::vector<double> log_probabilities;
  std::vector<double> standard_errors;
  // For each class N x M.
  std::vector<std::vector<double>> expert_scores;
  // What log_probabilities rest on.
  google::protobuf::RepeatedPtrField<v1::LogPartition> log_partitions;
  google::protobuf::RepeatedPtrField<v1::LogPartitionDifference>
      log_partition_differences;
  // For each of these classes M x 2 and N x M, or nothing where the model does
  // not know what its experts usually say.
  std::vector<std::vector<double>> expert_quantiles;
  std::vector<std::vector<double>> objections;

  // Summed over layers.
  double LogScore(int64_t row, int64_t c) const;

  // The class that a row is told about: its label, or the only class; else -1.
  int32_t Subject(int64_t row) const;

  bool IsOutOfSupport(int64_t row) const;
};

// INTERNAL if the response's fields do not fit together.
absl::StatusOr<Scores> ReadScores(const v1::ScoreResponse& response);

// The expert of one class whose log score of a row is least: the one that
// objects most.
struct Objection {
  int64_t expert;
  double log_score;
};
Objection LeastExpert(const Scores& scores, int64_t row, int64_t c);

// How the labels compare with the true classes.
struct ErrorCounts {
  struct Class {
    int64_t rows = 0;
    int64_t errors = 0;
    // What it is most often taken for, -1 for nothing, and how often.
    int32_t taken_for = -1;
    int64_t taken_for_rows = 0;
  };
  int64_t rows = 0;
  int64_t errors = 0;
  std::vector<Class> classes;
};

// `truth` has a class for each row. A row out of support counts as an error.
ErrorCounts CountErrors(const Scores& scores, absl::Span<const int32_t> truth);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_SCORES_H_
