#ifndef POE_CLIENT_CPP_COMMAND_REPRODUCTION_H_
#define POE_CLIENT_CPP_COMMAND_REPRODUCTION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/cpp/client.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/experts.h"
#include "client/cpp/command/json.h"
#include "client/cpp/command/progress.h"
#include "client/cpp/command/scores.h"
#include "client/cpp/io/picture.h"
#include "poe/v1/scoring.pb.h"
#include "poe/v1/tensor.pb.h"
#include "poe/v1/training.pb.h"

namespace poe::client {

// Rows of images: count x dimension grey levels, one byte each.
struct ImageRows {
  std::vector<uint8_t> values;
  std::vector<int32_t> labels;
  int height = 0;
  int width = 0;

  int64_t dimension() const { return int64_t{height} * width; }
  int64_t rows() const { return static_cast<int64_t>(labels.size()); }

  // Adds a row of another set of images of the same size.
  void Add(const ImageRows& from, int64_t row);

  v1::Observations observations() const;
};

// Two files of a folder, each as it is named or with ".gz" after it: images of
// bytes and their labels. INVALID_ARGUMENT if they are not that.
absl::StatusOr<ImageRows> ReadImages(const std::string& folder,
                                     const std::string& images,
                                     const std::string& labels);

// `count` rows of `images` from row `begin` on.
ImageRows Slice(const ImageRows& images, int64_t begin, int64_t count);

// Of at least one value.
double Mean(absl::Span<const double> values);

// What all experiments do: train, ask the model that was trained, keep the
// server's repository small, write pictures. Not thread-safe.
class Reproduction {
 public:
  // Makes the folder of the pictures. Both references must outlive it.
  static absl::StatusOr<Reproduction> Begin(const std::string& folder,
                                            Context& context);

  // Trains a version of the model that `start` names and deletes the one that
  // was trained here before it. Progress shows under the name `topic`.
  absl::StatusOr<v1::Job> Train(const std::string& topic,
                                const v1::TrainStart& start,
                                const v1::Observations& observations,
                                absl::Span<const int32_t> labels);

  // --- Questions to the version trained last ---

  absl::StatusOr<Scores> Score(const v1::Observations& observations);

  // Of each row under the only class. INTERNAL if the model knows none.
  absl::StatusOr<std::vector<double>> LogProbabilities(
      const v1::Observations& observations);

  // One Gibbs step by the experts of a class; N x D means.
  absl::StatusOr<std::vector<float>> Reconstruct(
      const std::string& class_name, const v1::Observations& observations);

  // The request's model is filled in; N x D.
  absl::StatusOr<std::vector<float>> Reconstruct(
      v1::ReconstructRequest request);

  // The request's model is filled in; chains x D after the last step.
  absl::StatusOr<std::vector<float>> Sample(v1::SampleRequest request);

  // The request's model is filled in; rows may be any number.
  absl::StatusOr<v1::ScoreResponse> Ask(v1::ScoreRequest request);

  // With its parameters.
  absl::StatusOr<v1::Model> Model();

  // Of all classes.
  absl::StatusOr<std::vector<Expert>> Experts();

  // Writes a picture to the folder.
  absl::Status Write(const Picture& picture, const std::string& name);

  // Prints where the pictures are and which model is left, and the figures as
  // one line of JSON if that was asked for.
  void End(const Json& figures);

 private:
  Reproduction(const std::string& folder, Context& context, Client& client)
      : folder_(folder), context_(&context), client_(&client) {}

  v1::ModelSelector selector() const;

  std::string folder_;
  Context* context_;
  Client* client_;
  v1::ModelVersion model_;
  std::vector<std::string> pictures_;
};

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_REPRODUCTION_H_
