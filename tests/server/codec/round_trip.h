#ifndef POE_TESTS_SERVER_CODEC_ROUND_TRIP_H_
#define POE_TESTS_SERVER_CODEC_ROUND_TRIP_H_

#include "poe/model.h"

namespace poe::server {

// Fails the test unless the model, stored and loaded, gives the same scores to
// the bit and is stored as the same bytes.
void ExpectRoundTrip(const Model& model);

}  // namespace poe::server

#endif  // POE_TESTS_SERVER_CODEC_ROUND_TRIP_H_
