// Why: the experts that object to a row, each against what it usually says.
#ifndef POE_CLIENT_CPP_COMMAND_EXPLANATION_H_
#define POE_CLIENT_CPP_COMMAND_EXPLANATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/cpp/command/experts.h"
#include "client/cpp/command/json.h"
#include "client/cpp/command/scores.h"
#include "client/cpp/io/picture.h"
#include "poe/v1/tensor.pb.h"

namespace poe::client {

// An expert that says less than usual of a row.
struct Objector {
  // As `poe show` knows it: one entry, or one for each of its states.
  absl::Span<const Expert> states;
  double log_score;
  // Of what it says of rows of the class, of sequences as long as this one.
  double median;
  double quartile;  // the lower one
  // (median - log_score) / max(median - quartile, 1), above 0.
  double objection;
};

struct Explanation {
  // The class whose experts are asked; -1: none, as for a row out of support.
  int32_t c = -1;
  // The greatest objection first.
  std::vector<Objector> objectors;
};

// What `most` experts object most to each row: those of class `class_name`, or
// if that is empty of the row's label or the only class. `lengths` has the
// length of each sequence and is empty for dense rows; `experts` are those of
// the lowest layer of all classes, which the result refers to.
//
// FAILED_PRECONDITION if the model does not know what its experts usually say,
// or gives no labels and no class is named; a usage error for the name of no
// class; INTERNAL if scores and experts do not fit.
absl::StatusOr<std::vector<Explanation>> Explain(
    const Scores& scores, absl::Span<const int64_t> lengths,
    absl::Span<const Expert> experts, const std::string& class_name, int most);

// --- The explanations of the first rows, which are numbered from `first_row`
// on, in each form ---

// One line for each objector, rows under the heading `noun`.
std::string ExplanationTable(absl::Span<const Explanation> explanations,
                             const std::vector<std::string>& class_names,
                             int64_t first_row, const std::string& noun);

// Adds to each row of a ScoreJson what objects to it.
void AddExplanations(absl::Span<const Explanation> explanations,
                     const std::vector<std::string>& class_names,
                     Json& document);

// A CSV file of numbers, one line for each objector; classes count from 0.
absl::Status WriteExplanations(const std::string& path,
                               absl::Span<const Explanation> explanations,
                               int64_t first_row, const std::string& noun);

// On each line a row's image (N x D values in all) and its objectors: weights
// of units, where grey is 0, light is positive and dark negative; means of
// Gaussians, of a mixture the one that is nearest to the image.
// FAILED_PRECONDITION for data that are no images and other kinds of expert.
absl::StatusOr<Picture> ExplanationPicture(
    absl::Span<const Explanation> explanations,
    const std::vector<float>& images, const v1::DataSpec& spec);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_EXPLANATION_H_
