"""What large files and long ones cost: `python -m benchmarks.large [OPERATORS …]`, half an hour on two cores.

Every command is a process of its own. A file of 500 MB says what the size costs; chains of operators, each ten times as
long as another one, whether the cost grows with their number, and no faster.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.process import Run, run
from fixtures.builder import Builder

LENGTHS = (1000, 5000, 10000)
# So short that what it costs is the start of the process, and of Keras.
SHORTEST = 10
# A dense layer's kernel is 1024 × 1024: 4 MB, or 2 MB as float16.
WIDTH, DENSE_LAYERS = 1024, 160
INSPECT, CONVERT, VERIFY, EXPORT = "inspect", "convert --no-verify", "convert", "export"


@dataclass(frozen=True, slots=True)
class Measured:
    """One command on one file.

    Attributes:
        file: What the file is.
        megabytes: Its size.
        operators: How many it has.
        command: One of the commands above.
        cost: What the process took.
    """

    file: str
    megabytes: float
    operators: int
    command: str
    cost: Run


@dataclass(frozen=True, slots=True)
class Growth:
    """How the cost of a command grows with the number of operators.

    Attributes:
        command: One of the commands above.
        operators: Of the shorter chain; the longer one has ten times as many.
        times: Processor seconds of the longer one in those of the shorter one, both without what the shortest takes.
    """

    command: str
    operators: int
    times: float


def heavy(path: Path, layers: int = DENSE_LAYERS) -> int:
    """Write a file of few operators and many weights, every other kernel as float16.

    Returns:
        How many operators it has.
    """
    builder, rng = Builder(), np.random.default_rng(0)
    x = builder.input((1, WIDTH))
    for number in range(layers):
        kernel = rng.standard_normal((WIDTH, WIDTH), np.float32) * np.float32(WIDTH**-0.5)
        shape, name = (WIDTH, WIDTH), f"dense_{number}"
        weights = builder.constant(kernel.astype(np.float16) if number % 2 else kernel, f"{name}/Kernel")
        if number % 2:
            (weights,) = builder.op("DEQUANTIZE", [weights], [shape], [f"{name}/Kernel_dequantize"])
        (x,) = builder.op("FULLY_CONNECTED", [x, weights, -1], [(1, WIDTH)], [name])
    path.write_bytes(builder.build([x]))
    return len(builder.graph.operators)


def chain(path: Path, operators: int) -> int:
    """Write a file of many small operators: convolutions, each added to what it reads.

    Returns:
        How many operators it has.
    """
    builder, rng = Builder(), np.random.default_rng(0)
    x = builder.input((1, 4, 4, 4))
    for number in range(operators // 2):
        square = rng.normal(0, 0.01, (4, 4)).astype(np.float32)
        # Nearly a rotation, once it is added to its input: what is computed neither grows nor fades.
        kernel, bias = (square - square.T).reshape(4, 1, 1, 4), np.zeros(4, np.float32)
        made = builder.conv(x, kernel.shape, f"conv_{number}", weights=[*map(builder.constant, (kernel, bias))])
        (x,) = builder.op("ADD", [x, made], [(1, 4, 4, 4)])
    path.write_bytes(builder.build([x]))
    return operators


def measure(folder: Path, lengths: Sequence[int] = LENGTHS) -> Iterator[Measured]:
    """Run every command on every file; all of them are made in a folder."""
    files: dict[str, Callable[[Path], int]] = {"heavy": heavy}
    files |= {f"chain of {length}": partial(chain, operators=length) for length in (SHORTEST, *lengths)}
    for number, (name, make) in enumerate(files.items()):
        path = folder / f"{number}.tflite"
        operators = make(path)
        for command, arguments in commands(path).items():
            forget(path)
            cost = run(["-m", "unlite", *arguments])
            yield Measured(name, path.stat().st_size / 1e6, operators, command, cost)


def forget(path: Path) -> None:
    """Let the file be on the disk alone, as one that nobody has touched for a while: reading it is part of the cost.

    Linux counts as a process's memory whatever lies around a page that it touches, as long as that is in the cache.
    """
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def commands(path: Path) -> Mapping[str, Sequence[str]]:
    """Command → its arguments; the last one writes back what the one before has made."""
    file, keras, written = str(path), str(path.with_suffix(".keras")), str(path.with_suffix(".out.tflite"))
    return {
        INSPECT: ["inspect", file],
        CONVERT: ["convert", file, "--no-verify", "-o", keras],
        VERIFY: ["convert", file, "-o", keras],
        EXPORT: ["export", keras, "--like", file, "-o", written],
    }


def growth(measured: Iterable[Measured]) -> Iterator[Growth]:
    """What ten times the operators cost, for all chains that there is such a pair of."""
    seconds = {(each.command, each.operators): each.cost.processor_seconds for each in measured}
    for (command, operators), taken in seconds.items():
        start, longer = seconds.get((command, SHORTEST)), seconds.get((command, 10 * operators))
        if operators > SHORTEST and start is not None and longer is not None:
            yield Growth(command, operators, (longer - start) / (taken - start))


def main(lengths: Sequence[int]) -> None:
    """Print a row for each process, and what comes of them."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for each in measure(Path(folder), lengths):
            made.append(each)
            print(row(each), flush=True)  # noqa: T201
    for grown in growth(made):
        more = f"{grown.operators} → {10 * grown.operators} operators"
        print(f"{grown.command}: {more}: {grown.times:.1f} times the processor seconds")  # noqa: T201


def row(measured: Measured) -> str:
    """One line of the table."""
    cost = measured.cost
    taken = f"{cost.seconds:8.2f} s wall {cost.processor_seconds:8.2f} s processor {cost.peak_mb:6.0f} MB peak"
    return f"{measured.file:15} {measured.megabytes:6.1f} MB  {measured.command:20} {taken}"


if __name__ == "__main__":
    main([int(length) for length in sys.argv[1:]] or LENGTHS)
