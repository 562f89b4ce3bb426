// Answers of poe.v1 as tensors of the Open Inference Protocol, and what tensors
// a model has.
#ifndef POE_SERVER_CODEC_OPEN_INFERENCE_OUTPUTS_H_
#define POE_SERVER_CODEC_OPEN_INFERENCE_OUTPUTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "inference/open_inference.pb.h"
#include "poe/model.h"
#include "poe/v1/scoring.pb.h"

namespace poe::server {

// What ModelInfer is asked to do.
enum class InferTask { kScore, kReconstruct, kSample };

// "score", "reconstruct" or "sample".
std::string TaskName(InferTask task);

// The names of the outputs that a request asks for, in its order, or of all
// that the model has for the task. InvalidArgument for a name that is not one
// of those, or is there twice.
absl::StatusOr<std::vector<std::string>> AskedOutputs(
    const inference::ModelInferRequest& request, const Model& model,
    InferTask task);

// FailedPrecondition for a model of sequences: the protocol's tensors have one
// length for all.
absl::Status CheckNotSequential(const Model& model);

// Inputs and outputs of the task "score", the protocol having but one list for
// a model. The mask is left out: clients that make up data would fill it in.
// Not for models of sequences.
void EncodeTensorMetadata(const Model& model,
                          inference::ModelMetadataResponse* response);
void EncodeTensorMetadata(const Model& model, inference::ModelConfig* config);

// Model, id, seed where there is one, and for each of `outputs`, which
// AskedOutputs has returned, a tensor with raw contents.
void EncodeAnswer(const inference::ModelInferRequest& request,
                  const std::vector<std::string>& outputs,
                  v1::ScoreResponse answer,
                  inference::ModelInferResponse* response);
void EncodeAnswer(const inference::ModelInferRequest& request,
                  const std::vector<std::string>& outputs,
                  v1::ReconstructResponse answer,
                  inference::ModelInferResponse* response);
void EncodeAnswer(const inference::ModelInferRequest& request,
                  const std::vector<std::string>& outputs,
                  v1::SampleResponse answer,
                  inference::ModelInferResponse* response);

}  // namespace poe::server

#endif  // POE_SERVER_CODEC_OPEN_INFERENCE_OUTPUTS_H_
