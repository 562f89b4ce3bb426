// Requests decoded and, if they are good, answered: what passes the decoders
// must not harm the core.
#ifndef POE_TESTS_FUZZ_ANSWERS_H_
#define POE_TESTS_FUZZ_ANSWERS_H_

#include <optional>

#include "poe/model.h"
#include "poe/v1/scoring.pb.h"
#include "server/codec/observations.h"
#include "server/codec/request_codec.h"

namespace poe::fuzz {

// Little enough to be done at once.
inline constexpr server::RequestLimits kLimits = {.rows = 16,
                                                  .steps = 8,
                                                  .chains = 4,
                                                  .work = 256'000,
                                                  .expert_score_bytes = 3072};

// Ends the process unless the parts fit each other, the spec, and the limit of
// rows.
void RequireRows(const server::DecodedRows& rows, const DataSpec& spec,
                 std::int64_t limit);

// Nothing if the request or the core refuses. Of samples the last.
std::optional<v1::ScoreResponse> Answer(const v1::ScoreRequest& request,
                                        const Model& model);
std::optional<v1::ReconstructResponse> Answer(
    const v1::ReconstructRequest& request, const Model& model);
std::optional<v1::SampleResponse> Answer(const v1::SampleRequest& request,
                                         const Model& model);

}  // namespace poe::fuzz

#endif  // POE_TESTS_FUZZ_ANSWERS_H_
