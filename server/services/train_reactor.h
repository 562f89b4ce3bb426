// One Train call: a window on a job.
#ifndef POE_SERVER_SERVICES_TRAIN_REACTOR_H_
#define POE_SERVER_SERVICES_TRAIN_REACTOR_H_

#include "grpcpp/grpcpp.h"
#include "poe/v1/training.pb.h"
#include "server/executor.h"
#include "server/training_jobs.h"

namespace poe::server {

// Answers a Train call; deletes itself when done. `executor` must outlive the
// call, and `jobs` the executor.
//
// Chunks are checked and written to disk in a thread of the executor, one at a
// time; the next is read only then, so that a client is held back by the disk
// and not buffered. A job is started and its data are closed there too: a disk
// that stalls holds no thread of gRPC's.
grpc::ServerBidiReactor<v1::TrainRequest, v1::TrainResponse>* NewTrainReactor(
    TrainingJobs& jobs, Executor& executor,
    grpc::CallbackServerContext* context);

}  // namespace poe::server

#endif  // POE_SERVER_SERVICES_TRAIN_REACTOR_H_
