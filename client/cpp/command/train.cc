// poe train
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/client.h"
#include "client/cpp/command/class_labels.h"
#include "client/cpp/command/commands.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/data_set.h"
#include "client/cpp/command/job_display.h"
#include "client/cpp/command/json.h"
#include "client/cpp/command/mask.h"
#include "client/cpp/command/train_options.h"
#include "client/cpp/command/train_start.h"

namespace poe::client {
namespace {

ManPage TrainPage() {
  return {
      .summary = "train a model on the rows of a file",
      .synopsis = {"MODEL --data FILE [--labels FILE] [OPTION]...",
                   "MODEL --server-file NAME --dimension D "
                   "[--server-labels NAME --class-names NAME,...] "
                   "[OPTION]..."},
      .description =
          "Sends rows to the server, which trains on them one product of "
          "experts for each class, fits the separator that tells the classes "
          "apart and the percentiles, and publishes the result as a new "
          "version of MODEL, which then answers requests. Without labels the "
          "model has a single class, \"data\".\n\n"
          "Grey levels (files of bytes) are trained on by Bernoulli units. "
          "Other numbers are standardized and trained on by unigauss experts. "
          "The options change either, and say whether the data are symbols or "
          "sequences, and which columns are only given, not explained. Kinds "
          "of expert are mixed by giving --kind more than once; a kind says "
          "which data it needs unless the options do.\n\n"
          "Where values are missing (--mask, or NaN and empty cells in the "
          "file), they are drawn anew at every update from the product as it "
          "is, given the others. A row of which values are missing is never "
          "held out.\n\n"
          "Progress is shown on standard error. Interrupting the command "
          "cancels the training, unless --detach was given.",
      .examples = {
          "# Ten classes of images",
          "poe train fashion --data train-images-idx3-ubyte.gz \\",
          "    --labels train-labels-idx1-ubyte.gz --epochs 20",
          "",
          "# A density of measurements, to find the odd ones",
          "poe train pumps --data measurements.csv --experts 20",
          "",
          "# The same of files that lie on the server already",
          "poe train fashion --server-file train-images-idx3-ubyte.gz \\",
          "    --server-labels train-labels-idx1-ubyte.gz \\",
          "    --class-names 0,1,2,3,4,5,6,7,8,9 --family bernoulli \\",
          "    --dimension 784 --width 28 --height 28 --epochs 20",
          "",
          "# Real numbers, with Bernoulli units beside a Gaussian",
          "poe train iris --data iris.csv --label-column species \\",
          "    --kind units:10 --epochs 200",
          "",
          "# Images of which a file says, pixel by pixel, what is missing",
          "poe train fashion --data train-images-idx3-ubyte.gz \\",
          "    --mask seen.npy --epochs 20",
          "",
          "# Sequences: three hidden Markov models, multiplied",
          "poe train walks --data walks.npy --kind hmm:3 --states 5",
          "",
          "# Two kinds of expert in one product",
          "poe train mixed --data pumps.csv --kind unigauss:10 \\",
          "    --kind mixture:4 --components 3",
          "",
          "# A class more, and the first two as they are in version 1",
          "poe train iris --data more.csv --label-column species \\",
          "    --class-names setosa,versicolor,virginica \\",
          "    --base 1 --keep setosa,versicolor --kind units:10",
          "",
          "# The last of five answers from the four before it",
          "poe train survey --data answers.csv --symbols 4 \\",
          "    --inputs 0-3 --exact",
          "",
          "# One of three kinds, in the last column, from four numbers",
          "poe train iris --data iris.csv --symbols 3 --inputs 0-3 \\",
          "    --real-inputs --kind units:20 --exact"}};
}

// The class of each row, and the names of the classes.
absl::StatusOr<ClassLabels> Classes(const TrainOptions& options,
                                    const DataSet& data) {
  if (data.labels.empty()) {
    if (options.class_names.size() > 1 && options.server_labels.empty()) {
      return UsageError("more than one class needs --labels or --label-column");
    }
    return ClassLabels{.names = options.class_names, .indices = {}};
  }
  return AssignClasses(data.labels, options.class_names);
}

// Stops watching a job that goes on by itself.
bool IsUnderWay(const v1::TrainResponse& response) {
  return response.event().has_progress() ||
         response.event().state() == v1::Job::STATE_QUEUED ||
         response.event().state() == v1::Job::STATE_RUNNING;
}

absl::Status Print(const v1::Job& job, bool json) {
  if (json) return PrintJson(job);
  std::cout << Outcome(job) << "\n";
  return absl::OkStatus();
}

// Of rows that the server reads no more is known than the options say.
absl::StatusOr<DataSet> ReadRows(const TrainOptions& options) {
  if (options.server_file.empty()) {
    if (options.data.data.empty()) {
      return UsageError("--data or --server-file is required");
    }
    return ReadDataSet(options.data, FormOf(options));
  }
  DataSet data;
  data.dimension = options.dimension;
  return data;
}

absl::Status Train(const TrainOptions& options, Context& context) {
  absl::StatusOr<DataSet> data = ReadRows(options);
  if (!data.ok()) return data.status();
  const absl::StatusOr<ClassLabels> classes = Classes(options, *data);
  if (!classes.ok()) return classes.status();
  const absl::StatusOr<v1::TrainStart> start =
      MakeTrainStart(options, *data, classes->names);
  if (!start.ok()) return start.status();
  if (!options.mask.empty()) {
    const v1::DataSpec& spec = start->data_spec();
    const absl::Status masked =
        AddMask(options.mask, spec.image_height(), spec.image_width(), *data);
    if (!masked.ok()) return masked;
  }
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();

  std::string job_name;
  bool left = false;
  absl::StatusOr<v1::Job> job;
  {
    JobDisplay display(data->rows);
    const auto receive = [&](const v1::TrainResponse& response) {
      if (response.has_accepted()) job_name = response.accepted().name();
      display.Show(response);
      left = options.detach && IsUnderWay(response);
      return left ? absl::CancelledError("detached") : absl::OkStatus();
    };
    if (options.server_file.empty()) {
      job = (*client)->TrainAll(*start, data->observations, classes->indices,
                                receive, context.call_options());
    } else {
      const auto no_rows = [](int64_t, v1::TrainChunk&) { return false; };
      job = (*client)->Train(*start, no_rows, receive, context.call_options());
    }
  }
  if (left) {
    job = (*client)->GetJob(job_name, context.call_options());
    if (!job.ok()) return job.status();
    if (context.json) return PrintJson(*job);
    std::cout << job_name << " goes on; poe jobs watch " << job_name << "\n";
    return absl::OkStatus();
  }
  if (!job.ok()) return job.status();
  return Print(*job, context.json);
}

}  // namespace

void AddTrainCommand(CLI::App& app, Context& context) {
  const auto options = std::make_shared<TrainOptions>();
  CLI::App* command =
      AddCommand(app, context, "train", TrainPage(),
                 [options, &context] { return Train(*options, context); });
  AddTrainOptions(*command, *options);
}

}  // namespace poe::client
