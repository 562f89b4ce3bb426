// Tables of requests that must be refused: each spoils a good one.
#ifndef POE_TESTS_SERVER_CODEC_REFUSAL_H_
#define POE_TESTS_SERVER_CODEC_REFUSAL_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "poe/v1/tensor.pb.h"
#include "server/errors.h"

namespace poe::server {

inline constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
inline constexpr auto kUnbuilt = absl::StatusCode::kUnimplemented;

template <typename Message>
struct Refusal {
  std::function<void(Message&)> spoil;
  absl::StatusCode code;
  std::string reason;
  std::string text;  // a part of the error's text
};

// `decode` takes a message and returns a status.
template <typename Message, typename Decode>
void ExpectRefused(const Message& good,
                   const std::vector<Refusal<Message>>& refusals,
                   Decode decode) {
  ASSERT_EQ(decode(good), absl::OkStatus());
  for (const Refusal<Message>& refusal : refusals) {
    SCOPED_TRACE(refusal.text);
    Message spoiled = good;
    refusal.spoil(spoiled);
    const absl::Status status = decode(spoiled);
    EXPECT_EQ(status.code(), refusal.code) << status;
    EXPECT_EQ(ReasonOf(status), refusal.reason);
    EXPECT_THAT(std::string(status.message()),
                testing::HasSubstr(refusal.text));
  }
}

template <typename Message>
Message FromText(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

template <typename Element>
v1::Tensor MakeTensor(std::vector<std::int64_t> shape, v1::ElementType type,
                      const std::vector<Element>& elements) {
  v1::Tensor tensor;
  tensor.mutable_shape()->Assign(shape.begin(), shape.end());
  tensor.set_element_type(type);
  tensor.set_data(elements.data(), elements.size() * sizeof(Element));
  return tensor;
}

inline v1::Tensor MakeFloats(std::vector<std::int64_t> shape,
                             const std::vector<float>& elements) {
  return MakeTensor(std::move(shape), v1::ELEMENT_TYPE_FLOAT32, elements);
}

}  // namespace poe::server

#endif  // POE_TESTS_SERVER_CODEC_REFUSAL_H_
