"""What the tests of balancemoectl share."""

import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

BIN = pathlib.Path(sys.argv[1])
PROGRAM = BIN / "balancemoectl"


def trace_text(iterations=3, layers=(0, 2), experts=8, ranks=0, seed=1):
    """A small trace with skewed counts."""
    rng = random.Random(seed)
    columns = ["iteration", "layer"] + (["rank"] if ranks else [])
    lines = [",".join(columns + [f"e{e}" for e in range(experts)])]
    for iteration in range(iterations):
        for layer in layers:
            for rank in range(max(ranks, 1)):
                place = [iteration, layer] + ([rank] if ranks else [])
                counts = [rng.randrange(2000 // (e + 1)) for e in range(experts)]
                lines.append(",".join(map(str, place + counts)))
    return "\n".join(lines) + "\n"


class CtlTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="ctl_test_")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def write(self, name, content):
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes)
                         else content.encode())
        return path

    def run_ctl(self, *arguments):
        return subprocess.run([PROGRAM, *map(str, arguments)], text=True,
                              capture_output=True, timeout=60)

    def run_json(self, *arguments):
        """The one object that a successful run prints."""
        result = self.run_ctl(*arguments, "-o", "json")
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def assert_refused(self, arguments, message):
        """Exit code 2, nothing on stdout, and `message` on stderr."""
        result = self.run_ctl(*arguments)
        self.assertEqual(
            (result.returncode, result.stdout, result.stderr),
            (2, "", f"balancemoectl: {message}\n"))


def main():
    unittest.main(argv=sys.argv[:1])
