// Ways into a stored model for tests that change it, and what it decodes to.
#ifndef POE_TESTS_SERVER_CODEC_STORED_MODEL_PARTS_H_
#define POE_TESTS_SERVER_CODEC_STORED_MODEL_PARTS_H_

#include "absl/status/status.h"
#include "poe/v1/model.pb.h"
#include "server/codec/model_codec.h"

namespace poe::server {

inline v1::Product& FirstProductOf(v1::Model& model) {
  return *model.mutable_classes(0)->mutable_layers(0);
}

inline v1::ExpertGroup& FirstGroupOf(v1::Model& model) {
  return *FirstProductOf(model).mutable_groups(0);
}

inline absl::Status DecodeStatus(const v1::Model& model) {
  return DecodeModel(model).status();
}

}  // namespace poe::server

#endif  // POE_TESTS_SERVER_CODEC_STORED_MODEL_PARTS_H_
