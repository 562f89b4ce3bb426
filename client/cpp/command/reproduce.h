// The experiments of `poe reproduce`. Each trains and asks through the server,
// prints a table, writes pictures and, with --json, prints one JSON object as
// its last line.
#ifndef POE_CLIENT_CPP_COMMAND_REPRODUCE_H_
#define POE_CLIENT_CPP_COMMAND_REPRODUCE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "client/cpp/command/context.h"

namespace poe::client {

struct ReproduceOptions {
  // The folder of the data.
  std::string data;
  // The folder of the pictures.
  std::string out = ".";
  // Runs, with the seeds first_seed, first_seed + 1, ...
  int seeds = 1;
  int first_seed = 0;
  // `usps` only: random splits. Absent: 20, and 5 with all classes.
  std::optional<int> splits;
  // `usps` only: "2,3", the paper's pair, or "all".
  std::string classes = "2,3";
  // `pool` only: "clusters" or "digits".
  std::string on = "clusters";
  // `digits` and `usps` with all classes: layers of experts.
  int layers = 1;
};

// The paper's figures 1 and 2: clusters on a grid, fitted by unigauss experts.
absl::Status ReproduceClusters(const ReproduceOptions& options,
                               Context& context);

// The paper's figure 3: images of one edge, explained by unigauss experts.
absl::Status ReproduceEdges(const ReproduceOptions& options, Context& context);

// Sequences: a product of hidden Markov models against a single one, and the
// same of linear dynamical systems.
absl::Status ReproduceSequences(const ReproduceOptions& options,
                                Context& context);

// Overlapping Gaussian trees on patches of images against a single tree.
absl::Status ReproduceTrees(const ReproduceOptions& options, Context& context);

// The digits of USPS: the paper's twos against threes, or all ten.
absl::Status ReproduceUsps(const ReproduceOptions& options, Context& context);
absl::Status ReproduceAllUsps(const ReproduceOptions& options,
                              Context& context);

// Ten classes of images, MNIST and Fashion-MNIST.
absl::Status ReproduceDigits(const ReproduceOptions& options, Context& context);
absl::Status ReproduceFashion(const ReproduceOptions& options,
                              Context& context);

// Experts fitted apart, softened, and trained together.
absl::Status ReproducePool(const ReproduceOptions& options, Context& context);

// Modes without data, and what is left of them when they are unlearned.
absl::Status ReproduceSpurious(const ReproduceOptions& options,
                               Context& context);

// Halves of images filled in, against the mean image and the nearest one.
absl::Status ReproduceMissing(const ReproduceOptions& options,
                              Context& context);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_REPRODUCE_H_
