"""Programs that the tests beside this file run, as users run them.

Where PyYAML or one of the programs is not installed the test is skipped, visibly.
"""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVER = os.environ["SERVER_BINARY"]
COMMAND = os.environ["COMMAND_BINARY"]
SKIPPED = 77  # The exit status that CTest takes for that.
SECONDS = 60  # Far more than anything here takes.


def skip_without(what, is_here):
    if not is_here:
        print(f"Skipped: no {what} here; make check-deploy installs it")
        sys.exit(SKIPPED)


def need(program):
    skip_without(program, shutil.which(program) is not None)


skip_without("PyYAML", importlib.util.find_spec("yaml") is not None)


def await_result(ask, what):
    """The first answer of `ask` that is not None, asked again and again."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        answer = ask()
        if answer is not None:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"not within {SECONDS} s: {what}")


class Program:
    """A running program, whose output goes to a file."""

    def __init__(self, *arguments):
        self.arguments = [str(argument) for argument in arguments]
        with tempfile.NamedTemporaryFile(delete=False) as output:
            self.output = pathlib.Path(output.name)
            self.process = subprocess.Popen(
                self.arguments, stdout=output, stderr=output
            )

    def await_output(self, pattern):
        """The first group of the pattern, once the program has said it."""

        def find():
            said = self.output.read_text(encoding="utf-8")
            match = re.search(pattern, said)
            if match:
                return match.group(1)
            if self.process.poll() is not None:
                raise AssertionError(f"{self.arguments} has ended:\n{said}")
            return None

        try:
            return await_result(find, f"{self.arguments} says {pattern}")
        except AssertionError:
            self.end()
            raise

    def end(self):
        """Ends the program; its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(SECONDS)
        finally:
            self.process.kill()
            self.output.unlink(missing_ok=True)


class Server(Program):
    """poe-server, answering on free ports of this machine."""

    def __init__(self, *arguments):
        super().__init__(SERVER, *arguments)
        self.grpc = self.await_output(r"listening on (\S+:\d+)\n")
        self.http = self.await_output(r"http on (\S+:\d+)\n")
