// What httplib has read of a request, checked, and errors as its answers.
#ifndef POE_SERVER_HTTP_EXCHANGE_H_
#define POE_SERVER_HTTP_EXCHANGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "grpcpp/support/status.h"
#include "httplib.h"
#include "server/byte_budget.h"

namespace poe::server {

inline constexpr char kJsonType[] = "application/json";
inline constexpr char kLinesType[] = "application/x-ndjson";
inline constexpr char kBytesType[] = "application/octet-stream";
// Of a body that begins with JSON and goes on with bytes: how long the JSON is.
inline constexpr char kJsonLength[] = "Inference-Header-Content-Length";

// The errors of HTTP itself, whose statuses are not those of their codes: 405,
// and 413 with `what` has more than `most` bytes.
absl::Status WrongMethod(absl::string_view text);
absl::Status TooLarge(absl::string_view what, std::int64_t most);

// Makes the error the answer: below /v2 as the Open Inference Protocol wants
// it, anywhere else with its details.
void Fail(const grpc::Status& status, int http_status,
          const httplib::Request& request, httplib::Response& response);
void Fail(const grpc::Status& status, const httplib::Request& request,
          httplib::Response& response);
void Fail(const absl::Status& status, const httplib::Request& request,
          httplib::Response& response);

// An error for requests that nothing may be done for, whatever they ask: with
// an unclear end, an unclear URL, or from a web page.
absl::Status CheckForm(const httplib::Request& request);

// The header; none if it is not there, empty if it comes more than once.
std::optional<std::string> AuthorizationIn(const httplib::Request& request);

// Whether the type is one of those; "" stands for none at all.
absl::Status CheckContentType(const httplib::Request& request,
                              absl::Span<const absl::string_view> allowed);

// Reads the body, of the connection that this thread answers, piece by piece
// until `take` returns false. InvalidArgument if it does not come as its
// headers say.
absl::Status ReadPieces(const httplib::ContentReader& content,
                        const httplib::ContentReceiver& take);

struct HttpBody {
  std::string text;
  // Of its bytes, for as long as they, or what is read from them, are there.
  ByteBudget::Hold hold;
};

// The whole body, taken from the budget as it comes; empty if the request has
// none. TooLarge, and errors of CheckContentType and of the budget.
absl::StatusOr<HttpBody> ReadBody(const httplib::Request& request,
                                  const httplib::ContentReader& content,
                                  absl::Span<const absl::string_view> types,
                                  std::int64_t most, ByteBudget& budget);

// How many bytes of a body are JSON: all, without the header kJsonLength.
// InvalidArgument if it says anything else than a number of these bytes.
absl::StatusOr<std::size_t> JsonLengthIn(const httplib::Request& request,
                                         absl::string_view body);

}  // namespace poe::server

#endif  // POE_SERVER_HTTP_EXCHANGE_H_
