"""The build in the Dockerfile finds all it reads in what .dockerignore lets in."""

import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

import programs


class ImageContextTest(unittest.TestCase):
    def test_what_the_image_is_built_from_can_be_configured(self):
        lines = (programs.ROOT / ".dockerignore").read_text().splitlines()
        self.assertEqual(lines[0], "*")
        dockerfile = (programs.ROOT / "docker/Dockerfile").read_text()
        configure = re.search(r"cmake --preset .*?(?=&&)", dockerfile, re.DOTALL)[0]
        with tempfile.TemporaryDirectory() as folder:
            for line in lines[1:]:
                self.assertTrue(line.startswith("!"), line)
                source = programs.ROOT / line[1:]
                target = pathlib.Path(folder) / line[1:]
                target.parent.mkdir(parents=True, exist_ok=True)
                if source.is_dir():
                    shutil.copytree(source, target)
                else:
                    shutil.copy(source, target)
            done = subprocess.run(
                shlex.split(configure.replace("\\\n", "")),
                cwd=folder,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
