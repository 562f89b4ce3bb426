"""A poe-server of a test's own, and messages and stubs made for it by protoc."""

import atexit
import pathlib
import signal
import subprocess
import sys
import tempfile

import grpc

PROTOS = [
    "inference/open_inference.proto",
    "poe/v1/model.proto",
    "poe/v1/registry.proto",
    "poe/v1/scoring.proto",
    "poe/v1/tensor.proto",
    "poe/v1/training.proto",
]


def generate(protoc, plugin, protos):
    """Makes modules of all PROTOS, which can be imported from then on."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    subprocess.run(
        [protoc, f"--plugin=protoc-gen-grpc={plugin}", f"--proto_path={protos}",
         f"--python_out={folder.name}", f"--grpc_out={folder.name}", *PROTOS],
        check=True)
    sys.path.insert(0, folder.name)


class Server:
    """poe-server on free ports of this machine, with an empty repository."""

    def __init__(self, binary, *flags):
        self._folder = tempfile.TemporaryDirectory()
        models = pathlib.Path(self._folder.name, "models")
        self._process = subprocess.Popen(
            [binary, f"--repository={models}", "--listen=localhost:0",
             "--http=localhost:0", "--log_level=error", *flags],
            stdout=subprocess.PIPE, text=True)
        self.channel = grpc.insecure_channel(self._read("listening on "))
        # HOST:PORT.
        self.http = self._read("http on ")

    def _read(self, prefix):
        line = self._process.stdout.readline().strip()
        if not line.startswith(prefix):
            self.kill()
            raise RuntimeError(f"poe-server did not start: {line!r}")
        return line[len(prefix):]

    def terminate(self):
        self._process.send_signal(signal.SIGTERM)

    def wait(self):
        """The exit status."""
        status = self._process.wait(timeout=60)
        self._close()
        return status

    def kill(self):
        """Ends it at once if it still runs."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self):
        self._process.stdout.close()
        self._folder.cleanup()
