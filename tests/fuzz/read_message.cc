#include "tests/fuzz/read_message.h"

#include <string>

#include "absl/strings/match.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/stubs/logging.h"
#include "google/protobuf/text_format.h"

namespace poe::fuzz {
namespace {

class IgnoreErrors : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int, google::protobuf::io::ColumnNumber,
                const std::string&) override {}
};

}  // namespace

bool ReadMessage(absl::string_view input, google::protobuf::Message* message) {
  // Texts that are not UTF-8 would be logged.
  [[maybe_unused]] static auto* const logger =
      google::protobuf::SetLogHandler(nullptr);
  const std::string bytes(input);
  if (!absl::StartsWith(input, "#")) return message->ParseFromString(bytes);
  IgnoreErrors ignore_errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&ignore_errors);
  return parser.ParseFromString(bytes, message);
}

}  // namespace poe::fuzz
