"""Whole commands as processes: seconds and peak memory, from the operating system's own accounting."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

# A process of its own, and a small one: right after the fork a child counts its parent's memory as its own.
LAUNCHER = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
seconds = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process.

    Attributes:
        seconds: From start to end.
        processor_seconds: Of all its threads, in the program and in the system: what else runs on the machine changes
            little about them.
        peak_mb: The most memory that it had at once, the pages of mapped files included.
    """

    seconds: float
    processor_seconds: float
    peak_mb: float


def run(command: Sequence[str]) -> Run:
    """Run a Python command line, e.g. `["-c", "import keras"]`, without its output.

    Raises:
        RuntimeError: It failed: its time would mean nothing.
    """
    line = [sys.executable, "-c", LAUNCHER, sys.executable, *command]
    # With compiled modules kept, as everywhere outside containers: without, importing Keras takes three times as long.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    launched = subprocess.run(line, check=True, capture_output=True, text=True, env=environment)
    code, *measured = json.loads(launched.stdout)
    if code:
        raise RuntimeError(f"{' '.join(command)} exited with {code}")
    return Run(*measured)
