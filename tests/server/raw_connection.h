// TCP connections to a port of this machine, without a client of gRPC.
#ifndef POE_TESTS_SERVER_RAW_CONNECTION_H_
#define POE_TESTS_SERVER_RAW_CONNECTION_H_

#include <string>

#include "absl/strings/string_view.h"
#include "server/files.h"

namespace poe::server {

class RawConnection {
 public:
  // To 127.0.0.1, from an address of 127.0.0.0/8.
  explicit RawConnection(int port, const std::string& from = "127.0.0.1");

  // Each waits half a minute at most. Sends bytes, or as much of them as the
  // server takes.
  void Send(absl::string_view bytes);
  // Sends what begins HTTP/2; whether the server answers with something.
  bool IsAnswered();
  // The same; whether the server resets the connection.
  bool IsReset();
  // Reads until the server closes; whether it does.
  bool IsClosed();

 private:
  // What came, 0 at the end or -1.
  long Receive();

  FileDescriptor socket_;
  // Of the first call that failed, or 0.
  int failure_ = 0;
};

}  // namespace poe::server

#endif  // POE_TESTS_SERVER_RAW_CONNECTION_H_
