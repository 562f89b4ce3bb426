#ifndef POE_CLIENT_CPP_COMMAND_TRAIN_START_H_
#define POE_CLIENT_CPP_COMMAND_TRAIN_START_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cpp/command/data_set.h"
#include "client/cpp/command/expert_kinds.h"
#include "poe/v1/training.pb.h"

namespace poe::client {

// The options of `poe train`. What is absent, 0 or empty is left to the data
// or to the server.
struct TrainOptions {
  std::string model;
  DataOptions data;
  // As AddMask reads it.
  std::string mask;
  // Instead of them: files that the server reads, and values in a row.
  std::string server_file, server_labels;
  int64_t dimension = 0;
  std::vector<std::string> class_names;
  // Version that kept_classes are taken from; 0: none.
  int64_t base_version = 0;
  std::vector<std::string> kept_classes;
  double held_out = 0.1;

  // What a row is.
  std::string family;
  bool sequences = false;
  int symbols = 0;
  std::string inputs;
  bool real_inputs = false;
  int image_width = 0;
  int image_height = 0;
  std::optional<bool> standardize;
  bool unit_interval = false;
  double box_margin = 0;

  // The experts of each class.
  std::vector<ExpertChoice> kinds;
  int experts = 0;
  int components = 0;
  int states = 0;
  int latent = 0;
  int trees = 0;
  bool uniform = false;
  std::optional<double> weight_scale;
  bool circular = false;
  std::optional<double> initial_deviation;
  std::optional<bool> gaussian_factor;
  // Units of each further layer.
  std::vector<int> next_layers;

  // Each on its own, and together by contrastive divergence.
  bool fit_apart = false;
  int unlearn = 0;  // updates; 0: no
  int unlearn_chains = 0, unlearn_steps = 0;
  double fit_rows = 1, fit_coordinates = 1, soften = 1;
  bool no_together = false;
  bool pool = false;  // instead
  bool exact = false;
  int epochs = 0;
  int64_t updates = 0;
  int batch = 0;
  int steps = 0;
  double rate = 0;
  std::optional<double> momentum;
  std::optional<bool> adam;
  std::string schedule;
  double final_rate = 0;
  double weight_decay = 0;
  double average = 0;
  std::optional<int> early_stopping;  // patience; absent: to the end

  // Estimates of log Z; 0: the server's default.
  bool normalizer = false;
  int normalizer_chains = 0;
  int normalizer_temperatures = 0;

  // The rest.
  std::string separator;
  std::optional<double> separator_cost;
  std::optional<uint64_t> seed;
  bool detach = false;
};

// How the options say that the data are to be read.
DataForm FormOf(const TrainOptions& options);

// The request that the options mean for these data. Where they leave it open,
// the kinds of expert say what the data are, or else the data themselves; and
// what the data are says which kind the experts are. A usage error if width and
// height do not give the dimension, for inputs that there are not, where
// symbols and family do not fit, and for options that mean nothing to the kinds
// of expert.
absl::StatusOr<v1::TrainStart> MakeTrainStart(
    const TrainOptions& options, const DataSet& data,
    const std::vector<std::string>& class_names);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_TRAIN_START_H_
