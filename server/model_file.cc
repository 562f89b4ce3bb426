#include "server/model_file.h"

#include "absl/strings/str_cat.h"
#include "server/files.h"
#include "server/version_store.h"

namespace poe::server {

absl::Status WriteModelFile(const v1::Model& model, const std::string& path) {
  std::string bytes;
  if (!model.SerializeToString(&bytes)) {
    return absl::ResourceExhaustedError("the model is too large to be stored");
  }
  return WriteDurably(path, bytes);
}

absl::StatusOr<v1::Model> ReadModelFile(const std::string& path) {
  const absl::StatusOr<std::string> bytes = ReadFile(path, kMostModelBytes);
  if (!bytes.ok()) return bytes.status();
  v1::Model model;
  if (!model.ParseFromString(*bytes)) {
    return absl::DataLossError(absl::StrCat(path, " holds no model"));
  }
  return model;
}

}  // namespace poe::server
