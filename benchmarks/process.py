"""Whole commands as processes: seconds and peak memory, from the operating system's own accounting."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process."""

    seconds: float
    peak_mb: float


def run(command: Sequence[str]) -> Run:
    """Run a Python command line, e.g. `["-c", "import keras"]`, without its output.

    Raises:
        RuntimeError: It failed: its time would mean nothing.
    """
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} exited with {process.returncode}")
    return Run(seconds, usage.ru_maxrss / 1024)
