// Requests of the Open Inference Protocol as those of poe.v1, which are decoded
// and answered from there on. docs/open-inference.md lists tensors and
// parameters.
#ifndef POE_SERVER_CODEC_OPEN_INFERENCE_CODEC_H_
#define POE_SERVER_CODEC_OPEN_INFERENCE_CODEC_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "inference/open_inference.pb.h"
#include "poe/model.h"
#include "poe/v1/scoring.pb.h"
#include "server/codec/open_inference_outputs.h"

namespace poe::server {

// What the parameter "task" says, kScore where there is none. InvalidArgument
// for any other word.
absl::StatusOr<InferTask> FindTask(const inference::ModelInferRequest& request);

// How long the answer is wanted, by the parameter "timeout": for ever where
// there is none, or 0. InvalidArgument for what is no number of microseconds.
absl::StatusOr<absl::Duration> FindTimeout(
    const inference::ModelInferRequest& request);

// An empty version is the default one, digits are a number, and anything else
// is a label. InvalidArgument for a number of more than 64 bits; `field` is the
// version's path in the request.
absl::StatusOr<v1::ModelSelector> SelectModel(
    absl::string_view name, absl::string_view version,
    absl::string_view field = "version");

// Tensors and parameters of a request for that task, all but the ModelSelector.
// FailedPrecondition for a model of sequences. InvalidArgument for what the
// protocol forbids, for tensors and parameters that the task does not have, and
// for contents that do not fit shape and datatype. Values and counts are
// checked where poe.v1 is decoded, whose errors name the fields there.
absl::StatusOr<v1::ScoreRequest> ToScoreRequest(
    const inference::ModelInferRequest& request, const Model& model);
absl::StatusOr<v1::ReconstructRequest> ToReconstructRequest(
    const inference::ModelInferRequest& request, const Model& model);
absl::StatusOr<v1::SampleRequest> ToSampleRequest(
    const inference::ModelInferRequest& request, const Model& model);

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_OPEN_INFERENCE_CODEC_H_
