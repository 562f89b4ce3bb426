// A small model of each kind of expert, made without training.
#ifndef POE_TESTS_SERVER_CODEC_KIND_MODELS_H_
#define POE_TESTS_SERVER_CODEC_KIND_MODELS_H_

#include <ostream>
#include <string>
#include <vector>

#include "poe/model.h"

namespace poe::server {

struct KindModel {
  std::string name;
  Model model;
};

inline void PrintTo(const KindModel& kind, std::ostream* out) {
  *out << kind.name;
}

// Two groups each: a common one, and a softened one with parameters beyond the
// bounds that a group has by itself.
std::vector<KindModel> ModelsOfAllKinds();
// One of them.
Model ModelOfKind(const std::string& name);

}  // namespace poe::server

#endif  // POE_TESTS_SERVER_CODEC_KIND_MODELS_H_
