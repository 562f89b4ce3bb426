#include "server/codec/open_inference_json.h"

#include <cstddef>

#include "server/codec/open_inference_binary.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/targets.h"

namespace poe::fuzz {

// A zero byte, which JSON has none of, ends the JSON; the rest is bytes.
void FuzzOpenInferenceJson(absl::string_view input) {
  const std::size_t end = input.find('\0');
  auto request = server::ReadInferRequest(input.substr(0, end));
  if (!request.ok()) return;
  const absl::string_view bytes = end == absl::string_view::npos
                                      ? absl::string_view()
                                      : input.substr(end + 1);
  const auto wanted = server::TakeBinaryInputs(bytes, &*request);
  if (!wanted.ok()) return;
  std::size_t raw = 0;
  for (const auto& contents : request->raw_input_contents())
    raw += contents.size();
  Require(raw >= bytes.size(), "all bytes belong to inputs");
  Require(request->raw_input_contents().empty() ||
              request->raw_input_contents_size() == request->inputs_size(),
          "contents are all raw or none");
  for (const auto& one : request->inputs())
    Require(!one.parameters().contains(server::kBinaryDataSize),
            "no parameter of the extension is left");
}

}  // namespace poe::fuzz
