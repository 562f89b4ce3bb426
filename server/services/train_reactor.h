// One Train call: a window on a job.
#ifndef POE_SERVER_SERVICES_TRAIN_REACTOR_H_
#define POE_SERVER_SERVICES_TRAIN_REACTOR_H_

#include "grpcpp/grpcpp.h"
#include "poe/v1/training.pb.h"
#include "server/training_jobs.h"

namespace poe::server {

// Answers a Train call; deletes itself when done. `jobs` must outlive the call.
//
// Chunks are checked and written to disk in the thread that gRPC calls back,
// one at a time; the next is read only then, so that a client is held back by
// the disk and not buffered. A chunk of a few MB takes some milliseconds.
grpc::ServerBidiReactor<v1::TrainRequest, v1::TrainResponse>* NewTrainReactor(
    TrainingJobs& jobs, grpc::CallbackServerContext* context);

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_TRAIN_REACTOR_H_
