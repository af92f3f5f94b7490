"""What whole commands take, in times of `import keras`: `python -m benchmarks.commands [MODEL]`.

Every command is a process of its own; all run in turn, round by round, and each ratio is within a round: a busy machine
makes all of them slower, and the ratios little.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.process import Run, run
from tests.tools.models import path
from unlite.cost.latency import Spread, spread

MODEL = "palm_detection_full"
UNIT = "import keras"
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command takes.

    Attributes:
        command: Its name.
        runs: Round by round.
        units: `import keras` in the same rounds.
    """

    command: str
    runs: tuple[Run, ...]
    units: tuple[Run, ...]

    @property
    def wall(self) -> Spread:
        """Times of `import keras`, by the wall's clock."""
        return spread([own.seconds / unit.seconds for own, unit in zip(self.runs, self.units, strict=True)])

    @property
    def processor(self) -> Spread:
        """As `wall`, of processor time, that of all cores together."""
        pairs = zip(self.runs, self.units, strict=True)
        return spread([own.processor_seconds / unit.processor_seconds for own, unit in pairs])

    def __str__(self) -> str:
        seconds = median(run.seconds for run in self.runs)
        processor_seconds = median(run.processor_seconds for run in self.runs)
        peak = max(run.peak_mb for run in self.runs)
        wall, processor = self.wall, self.processor
        return (
            f"{self.command:22} {seconds:6.2f} s wall, {processor_seconds:6.2f} s processor, {peak:5.0f} MB peak; "
            f"{wall.median:.3f}x ({wall.low:.3f} to {wall.high:.3f}) wall, "
            f"{processor.median:.3f}x ({processor.low:.3f} to {processor.high:.3f}) processor"
        )


def commands(name: str, folder: Path) -> Mapping[str, Sequence[str]]:
    """Name → a Python command line; each of them can be run again and again."""
    file, converted, written = str(path(name)), str(folder / "model.keras"), str(folder / "written.tflite")
    unlite = ["-m", "unlite"]
    export = [*unlite, "export", converted, "--like", file, "-o", written]
    return {
        UNIT: ["-c", "import keras"],
        "inspect": [*unlite, "inspect", file],
        "convert --no-verify": [*unlite, "convert", file, "--no-verify", "-o", converted],
        "convert": [*unlite, "convert", file, "-o", converted],
        "export --no-verify": [*export, "--no-verify"],
        "export": export,
    }


def costs(name: str = MODEL, rounds: int = ROUNDS) -> Iterator[Cost]:
    """Of every command that there is, on a known model."""
    with tempfile.TemporaryDirectory() as folder:
        lines = commands(name, Path(folder))
        for line in lines.values():
            run(line)  # warms the file system's cache, and is in no number
        taken: dict[str, list[Run]] = {command: [] for command in lines}
        for _ in range(rounds):
            for command, line in lines.items():
                taken[command].append(run(line))
    for command, runs in taken.items():
        yield Cost(command, tuple(runs), tuple(taken[UNIT]))


def main(name: str = MODEL) -> None:
    """Print a row for each."""
    for cost in costs(name):
        print(cost)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
