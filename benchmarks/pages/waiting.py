"""How long one waits for `unlite heads` in a terminal: until its first table, and until it is done."""

import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.commands import MODEL
from benchmarks.process import environment, run
from unlite.cost.latency import Spread, spread

# Of the head of the table, and said nowhere else.
MARK = "unchanged"
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds.

    Attributes:
        unit: What `import keras` took just before.
        first: Until the first table.
        done: Until the end.
    """

    unit: float
    first: float
    done: float


def waits(name: str = MODEL, rounds: int = ROUNDS) -> Iterator[Wait]:
    """Round by round."""
    for _ in range(rounds):
        unit = run(["-c", "import keras"]).seconds
        yield Wait(unit, *watched(["-m", "unlite", "heads", name]))


def watched(command: list[str], mark: str = MARK) -> tuple[float, float]:
    """Seconds until a Python command line, run in a terminal of its own, shows a mark, and until it ends.

    Raises:
        RuntimeError: It failed, or never showed it.
    """
    ours, its = pty.openpty()
    start, shown, text = time.perf_counter(), 0.0, ""
    environ = environment() | {"TERM": "xterm", "COLUMNS": "160", "LINES": "60"}
    with subprocess.Popen([sys.executable, *command], stdin=its, stdout=its, stderr=its, env=environ) as process:
        os.close(its)
        while part := _read(ours):
            text += part
            if not shown and mark in text:
                shown = time.perf_counter() - start
    os.close(ours)
    if process.returncode or not shown:
        raise RuntimeError(f"{' '.join(command)} exited with {process.returncode}: {text[-200:]}")
    return shown, time.perf_counter() - start


def _read(terminal: int) -> str:
    """What is there; nothing once the program has closed it, which Linux says by an error."""
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except OSError:
        return ""


def ratios(measured: Sequence[Wait]) -> tuple[Spread, Spread]:
    """Both, in times of `import keras` in the same round."""
    return spread([wait.first / wait.unit for wait in measured]), spread([wait.done / wait.unit for wait in measured])
