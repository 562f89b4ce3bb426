// What becomes of a training job that the process does not survive.
#ifndef POE_SERVER_JOB_RESTARTS_H_
#define POE_SERVER_JOB_RESTARTS_H_

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace poe::server {

// A job that takes the process with it, by a fault or for want of memory, would
// do so again at each start. A kill from outside looks the same from within,
// but it does not wait for the job: who is killed ever again while the job
// waits has not been killed by the job. So jobs that were begun in vain a few
// times begin later and later, while the server is up and they can be
// cancelled, and hardly one that is not at fault comes as far as to be given
// up.
//
// `starts` counts how often a process has taken the job up and begun to run it
// since its last snapshot, and has not been told to end.

// How long the job waits from the start of the process on: not at all after
// fewer than 3 starts, then 10 s, 20 s, 40 s, ...
absl::Duration RestartDelay(int starts);

// Internal after 8 starts: what the job fails with.
absl::Status CheckRestart(int starts);

}  // namespace poe::server

#endif  // POE_SERVER_JOB_RESTARTS_H_
