"""Whole commands as processes: seconds and peak memory, from the operating system's own accounting."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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


def environment(python: str = sys.executable) -> dict[str, str]:
    """What a process of an interpreter has: its programs are found, as if its environment were activated.

    With compiled modules kept, as everywhere outside containers: without, importing Keras takes three times as long.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PATH": os.pathsep.join([str(Path(python).parent), kept.get("PATH", os.defpath)])}


def run(command: Sequence[str], python: str = sys.executable, folder: Path | None = None) -> Run:
    """Run a Python command line, e.g. `["-c", "import keras"]`, without its output.

    Args:
        command: What follows the interpreter.
        python: The interpreter.
        folder: Where it runs; by default here.

    Raises:
        RuntimeError: It failed: its time would mean nothing.
    """
    line = [sys.executable, "-c", LAUNCHER, python, *command]
    launched = subprocess.run(line, check=True, capture_output=True, text=True, env=environment(python), cwd=folder)
    code, *measured = json.loads(launched.stdout)
    if code:
        raise RuntimeError(f"{' '.join(command)} exited with {code}")
    return Run(*measured)
