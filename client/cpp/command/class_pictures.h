#ifndef POE_CLIENT_CPP_COMMAND_CLASS_PICTURES_H_
#define POE_CLIENT_CPP_COMMAND_CLASS_PICTURES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cpp/command/reproduction.h"

namespace poe::client {

// Pictures of the model trained last, one of several classes of images, as
// NAME-experts.png (the first experts of each class's lowest layer),
// NAME-reconstructions.png (lines of test images, each above what the experts
// of its class make of it), NAME-samples.png and NAME-chains-from-images.png
// (a line of chains for each class in its top layer, begun at random and at
// test images). `test` must have at least 40 rows, in any order, and 20 of each
// class.
absl::Status WriteClassPictures(const std::string& name,
                                const std::vector<std::string>& class_names,
                                const ImageRows& test,
                                Reproduction& reproduction);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_CLASS_PICTURES_H_
