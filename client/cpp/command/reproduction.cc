#include "client/cpp/command/reproduction.h"

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <numeric>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/command/job_display.h"
#include "client/cpp/command/selector.h"
#include "client/cpp/tensor.h"
#include "core/io/data_file.h"
#include "poe/v1/registry.pb.h"

namespace poe::client {
namespace {

absl::StatusOr<DataFile> ReadBytes(const std::string& folder,
                                   const std::string& name) {
  std::filesystem::path path = std::filesystem::path(folder) / name;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) path += ".gz";
  absl::StatusOr<DataFile> file = ReadDataFile(path.string());
  if (file.ok() &&
      !std::holds_alternative<std::vector<uint8_t>>(file->values)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), " does not hold bytes"));
  }
  return file;
}

}  // namespace

void ImageRows::Add(const ImageRows& from, int64_t row) {
  const auto begin = from.values.begin() + row * from.dimension();
  values.insert(values.end(), begin, begin + from.dimension());
  labels.push_back(from.labels[row]);
}

v1::Observations ImageRows::observations() const {
  return MakeObservations(absl::MakeConstSpan(values), dimension());
}

absl::StatusOr<ImageRows> ReadImages(const std::string& folder,
                                     const std::string& images,
                                     const std::string& labels) {
  absl::StatusOr<DataFile> image_file = ReadBytes(folder, images);
  if (!image_file.ok()) return image_file.status();
  const absl::StatusOr<DataFile> label_file = ReadBytes(folder, labels);
  if (!label_file.ok()) return label_file.status();
  if (image_file->shape.size() != 3 || label_file->columns() != 1 ||
      label_file->rows() != image_file->rows()) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": ", images, " and ", labels,
                     " are not images and as many labels"));
  }
  const auto& bytes = std::get<std::vector<uint8_t>>(label_file->values);
  return ImageRows{
      .values = std::get<std::vector<uint8_t>>(std::move(image_file->values)),
      .labels = std::vector<int32_t>(bytes.begin(), bytes.end()),
      .height = static_cast<int>(image_file->shape[1]),
      .width = static_cast<int>(image_file->shape[2])};
}

ImageRows Slice(const ImageRows& images, int64_t begin, int64_t count) {
  ImageRows slice{.values = {},
                  .labels = {},
                  .height = images.height,
                  .width = images.width};
  for (int64_t row = begin; row < begin + count; ++row) slice.Add(images, row);
  return slice;
}

double Mean(absl::Span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

absl::StatusOr<Reproduction> Reproduction::Begin(const std::string& folder,
                                                 Context& context) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!std::filesystem::is_directory(folder)) {
    return absl::PermissionDeniedError(
        absl::StrCat(folder, ": cannot make this folder: ", error.message()));
  }
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  return Reproduction(folder, context, **client);
}

absl::StatusOr<v1::Job> Reproduction::Train(
    const std::string& topic, const v1::TrainStart& start,
    const v1::Observations& observations, absl::Span<const int32_t> labels) {
  ProgressDisplay display;
  const auto receive = [&](const v1::TrainResponse& response) {
    if (response.event().has_progress()) {
      const v1::Progress& progress = response.event().progress();
      ProgressView view = ViewOf(progress);
      view.detail = absl::StrCat(view.topic, view.detail.empty() ? "" : ", ",
                                 view.detail);
      view.topic = topic;
      display.Show(view);
    }
    return absl::OkStatus();
  };
  absl::StatusOr<v1::Job> job = client_->TrainAll(
      start, observations, labels, receive, context_->call_options());
  if (!job.ok()) return job;
  if (model_.version() > 0) {
    v1::DeleteModelRequest request;
    request.set_name(model_.name());
    request.set_version(model_.version());
    const absl::Status status =
        client_->DeleteModel(request, context_->call_options());
    if (!status.ok()) return status;
  }
  model_.set_name(start.model_name());
  model_.set_version(job->version());
  return job;
}

absl::StatusOr<Scores> Reproduction::Score(
    const v1::Observations& observations) {
  v1::ScoreRequest request;
  *request.mutable_observations() = observations;
  const absl::StatusOr<v1::ScoreResponse> response = Ask(std::move(request));
  if (!response.ok()) return response.status();
  return ReadScores(*response);
}

absl::StatusOr<std::vector<double>> Reproduction::LogProbabilities(
    const v1::Observations& observations) {
  absl::StatusOr<Scores> scores = Score(observations);
  if (!scores.ok()) return scores.status();
  if (scores->log_probabilities.empty()) {
    return absl::InternalError("the server gave no log probabilities");
  }
  return std::move(scores->log_probabilities);
}

absl::StatusOr<v1::ScoreResponse> Reproduction::Ask(v1::ScoreRequest request) {
  *request.mutable_model() = selector();
  return client_->ScoreAll(request, {.call = context_->call_options()});
}

absl::StatusOr<std::vector<float>> Reproduction::Reconstruct(
    const std::string& class_name, const v1::Observations& observations) {
  v1::ReconstructRequest request;
  *request.mutable_observations() = observations;
  request.set_class_name(class_name);
  request.set_seed(0);
  return Reconstruct(std::move(request));
}

absl::StatusOr<std::vector<float>> Reproduction::Reconstruct(
    v1::ReconstructRequest request) {
  *request.mutable_model() = selector();
  const absl::StatusOr<v1::ReconstructResponse> response =
      client_->Reconstruct(request, context_->call_options());
  if (!response.ok()) return response.status();
  return TensorFloats(ValuesOf(response->observations()));
}

absl::StatusOr<std::vector<float>> Reproduction::Sample(
    v1::SampleRequest request) {
  *request.mutable_model() = selector();
  absl::StatusOr<std::vector<float>> values =
      absl::InternalError("the server sent no samples");
  const absl::Status status = client_->Sample(
      request,
      [&](const v1::SampleResponse& response) {
        values = TensorFloats(ValuesOf(response.observations()));
        return values.status();
      },
      context_->call_options());
  if (!status.ok()) return status;
  return values;
}

absl::StatusOr<v1::Model> Reproduction::Model() {
  v1::GetModelRequest request;
  *request.mutable_model() = selector();
  request.set_include_parameters(true);
  const absl::StatusOr<v1::GetModelResponse> response =
      client_->GetModel(request, context_->call_options());
  if (!response.ok()) return response.status();
  return response->parameters();
}

absl::StatusOr<std::vector<Expert>> Reproduction::Experts() {
  const absl::StatusOr<v1::Model> model = Model();
  if (!model.ok()) return model.status();
  return ReadExperts(*model, /*class_name=*/"", /*layer=*/0);
}

absl::Status Reproduction::Write(const Picture& picture,
                                 const std::string& name) {
  const std::string path = (std::filesystem::path(folder_) / name).string();
  const absl::Status status = picture.WritePng(path);
  if (status.ok()) pictures_.push_back(path);
  return status;
}

void Reproduction::End(const Json& figures) {
  std::cout << "\nPictures:\n";
  for (const std::string& path : pictures_) std::cout << "  " << path << "\n";
  std::cout << "The last model stays on the server as " << FormatVersion(model_)
            << "\n";
  if (context_->json) std::cout << figures.dump() << "\n";
}

v1::ModelSelector Reproduction::selector() const {
  v1::ModelSelector selector;
  selector.set_name(model_.name());
  selector.set_version(model_.version());
  return selector;
}

}  // namespace poe::client
