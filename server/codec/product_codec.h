// One product of experts to its stored form and back: the one place of the
// server that knows the kinds of experts and bases.
#ifndef POE_SERVER_CODEC_PRODUCT_CODEC_H_
#define POE_SERVER_CODEC_PRODUCT_CODEC_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "poe/model.h"
#include "poe/v1/model.pb.h"

namespace poe::server {

v1::Product EncodeProduct(const Product<float>& product);

// `spec` must have passed DecodeDataSpec as part of a stored model. Shapes are
// checked before anything is allocated for them. InvalidArgument naming the
// field below `field`.
absl::StatusOr<Product<float>> DecodeProduct(const v1::Product& product,
                                             const DataSpec& spec,
                                             absl::string_view field);

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_PRODUCT_CODEC_H_
