#ifndef POE_CLIENT_CPP_COMMAND_UNIT_PRODUCTS_H_
#define POE_CLIENT_CPP_COMMAND_UNIT_PRODUCTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "client/cpp/command/reproduction.h"
#include "poe/v1/training.pb.h"

namespace poe::client {

// How the experiments on digits and clothes learn images.
struct UnitProducts {
  std::string model_name;
  std::vector<std::string> class_names = {};
  // Of Bernoulli units, each with as many.
  int layers = 1;
  int units = 100;
  // Of each layer: contrastive divergence in batches of 100 rows, with momentum
  // 0.9 and a rate that falls linearly to 0.
  int epochs = 40;
  double rate = 0.1;
  double weight_decay = 0;
};

// A product for each class, its layers trained one after the other. The
// separator is left to the caller.
v1::TrainStart StartOf(const UnitProducts& products, const ImageRows& images,
                       uint64_t seed);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_UNIT_PRODUCTS_H_
