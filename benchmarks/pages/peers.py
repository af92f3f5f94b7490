"""What others take to make a trainable Keras model of a `.tflite` file, and whether it is one.

All ways run in turn, round by round, each in processes of its own, in its own environment. A way that fails the first
time is not timed; why it fails is kept.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

from benchmarks.commands import UNIT, Cost
from benchmarks.pages import peer_side
from benchmarks.process import Run, environment, run
from converter.blueprints.summary import summarize
from converter.tflite.model import Model
from parity.inputs import seeded_inputs
from parity.runners.runtimes import Array, LiteRT
from tests.tools.models import original, path

# The second one has none of the operators that only some converters know.
MODELS = ("palm_detection_full", "face_detection_short_range")
PACKAGES = ("tf2onnx", "onnx2tf", "litert-tunner", "tensorflow", "tf-keras", "keras")
ROUNDS = 3  # a round takes more than a minute
IMPORT = ["-c", UNIT]
# onnx2tf runs what it made on these pictures, which it downloads unless they are here.
SAMPLES = "calibration_image_sample_data_20x128x128x3_float32.npy"
SEEDS = 1


@dataclass(frozen=True, slots=True)
class Way:
    """From a file to a model.

    Attributes:
        name: Its name.
        python: The interpreter of its environment.
        lines: Its command lines, one after the other.
        kind: Who looks at what it made, one of `peer_side.KINDS`.
        result: What that one looks at.
    """

    name: str
    python: str
    lines: tuple[Sequence[str], ...]
    kind: str
    result: Path


@dataclass(frozen=True, slots=True)
class Found:
    """What a way has made.

    Attributes:
        gives: What it is.
        megabytes: How large, without what else the way writes; zero if it is in memory.
        trainable: How many numbers can be trained.
        difference: The largest one between its outputs and the file's in LiteRT; infinite if their shapes differ.
    """

    gives: str
    megabytes: float
    trainable: int
    difference: float


@dataclass(frozen=True, slots=True)
class Peer:
    """One way with one model.

    Attributes:
        model: A known model's name.
        numbers: How many its file has as weights.
        way: The way's name.
        cost: What it takes, in times of `import keras` here; nothing if it fails.
        own: The same, in times of `import keras` in its own environment.
        found: What it made, or the first line of why it made nothing of use.
    """

    model: str
    numbers: int
    way: str
    cost: Cost | None
    own: Cost | None
    found: Found | str


def ways(file: Path, name: str, python: str, folder: Path) -> list[Way]:
    """All of them.

    Args:
        file: A `.tflite` file.
        name: Of its input.
        python: The interpreter of an environment with the others.
        folder: Where files are written.
    """
    keras, onnx, saved = (folder / made for made in ("model.keras", "model.onnx", "saved"))
    here, convert = sys.executable, ["-m", "unlite", "convert", str(file), "-o", str(keras)]
    build = f"import unlite; unlite.convert(unlite.read({str(file)!r}))"
    load = f"import litert_tunner; litert_tunner.load_model({str(file)!r})"
    through_onnx = (
        ["-m", "tf2onnx.convert", "--tflite", str(file), "--output", str(onnx)],
        # Without the last option it takes height for channels.
        ["-m", "onnx2tf", "-i", str(onnx), "-o", str(saved), "-okv3", "-kat", name],
    )
    return [
        Way("unlite convert --no-verify", here, ([*convert, "--no-verify"],), "unlite", keras),
        Way("unlite convert", here, (convert,), "unlite", keras),
        Way("unlite.convert", here, (["-c", build],), "built", file),
        Way("tf2onnx, onnx2tf", python, through_onnx, "saved_model", saved),
        Way("litert_tunner.load_model", python, (["-c", load],), "litert_tunner", file),
    ]


def peers(python: str, names: Sequence[str] = MODELS, rounds: int = ROUNDS) -> Iterator[Peer]:
    """Every way with every model.

    Args:
        python: The interpreter of an environment with the others.
        names: Known models.
        rounds: How often each way runs.
    """
    for name in names:
        model = original(name)
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            np.save(folder / SAMPLES, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
            first_input = model.graph.tensors[model.graph.inputs[0]].name
            yield from compared(model, ways(path(name), first_input, python, folder), folder, rounds)


def compared(model: Model, all_ways: Sequence[Way], folder: Path, rounds: int) -> Iterator[Peer]:
    """Every way with one model."""
    found = {way.name: tried(way, model, folder) for way in all_ways}
    able = [way for way in all_ways if isinstance(found[way.name], Found)]
    taken: dict[str, list[Run]] = {way.name: [] for way in able}
    units: dict[str, list[Run]] = {way.python: [] for way in all_ways}
    for _ in range(rounds):
        for python, runs in units.items():
            runs.append(run(IMPORT, python))
        for way in able:
            taken[way.name].append(whole([run(line, way.python, _place(way, folder)) for line in way.lines]))
    numbers = summarize(model)["parameters"]
    for way in all_ways:
        runs = taken.get(way.name, [])
        cost, own = (
            Cost(way.name, tuple(runs), tuple(units[python])) if runs else None
            for python in (sys.executable, way.python)
        )
        yield Peer(model.name, numbers, way.name, cost, own, found[way.name])


def whole(runs: Sequence[Run]) -> Run:
    """Several processes one after the other as one."""
    return reduce(
        lambda one, other: Run(
            one.seconds + other.seconds,
            one.processor_seconds + other.processor_seconds,
            max(one.peak_mb, other.peak_mb),
        ),
        runs,
    )


def tried(way: Way, model: Model, folder: Path) -> Found | str:
    """What it makes, or why it does not, in a line; it, and what looks at it, run once for that."""
    inputs, outputs = folder / "inputs.npy", folder / "outputs.npz"
    example = seeded_inputs(model.graph, SEEDS)[0]
    np.save(inputs, example[0])
    module = ["-m", peer_side.__name__] if way.python == sys.executable else [str(Path(peer_side.__file__))]
    look = [*module, way.kind, str(way.result), str(inputs), str(outputs)]
    for line in [*way.lines, look]:
        done = subprocess.run(
            [way.python, *line],
            check=False,
            capture_output=True,
            text=True,
            env=environment(way.python),
            cwd=_place(way, folder),
        )
        if done.returncode:
            return error_line(done.stderr)
    with np.load(outputs) as made:
        difference = largest_difference(LiteRT(model.data, "xnnpack").run(example), list(made.values()))
    return Found(*made_of(way.result), json.loads(done.stdout.splitlines()[-1]), difference)


def _place(way: Way, folder: Path) -> Path | None:
    """Others run where they write; this project's modules are found in the checkout."""
    return None if way.python == sys.executable else folder


def made_of(result: Path) -> tuple[str, float]:
    """What there is, and how large it is in megabytes: onnx2tf also writes `.tflite` files."""
    if result.suffix == ".tflite":
        return "model in memory", 0.0
    files = [file for file in [result, *result.rglob("*")] if file.is_file() and file.suffix != ".tflite"]
    kinds = {"Keras file": ".keras", "SavedModel": ".pb"}
    gives = ", ".join(kind for kind, suffix in kinds.items() if any(file.suffix == suffix for file in files))
    return gives, sum(file.stat().st_size for file in files) / 1e6


def error_line(text: str) -> str:
    """The first sentence of the last exception in what a program said, else its last line; a `KeyError` quotes its."""
    _, traceback, said = text.rpartition("Traceback (most recent call last):\n")
    lines = [line for line in said.splitlines() if line.strip()] or ["no message"]
    exceptions = [line for line in lines if traceback and not line.startswith(" ")]
    return re.split(r"(?<=\.) ", next(iter(exceptions), lines[-1]))[0].replace('"', "")


def largest_difference(truth: Sequence[Array], made: Sequence[Array]) -> float:
    """Between outputs of the same shape; infinite if one has no partner, or is not finite."""
    by_shape: Mapping[tuple[int, ...], Array] = {output.shape: output for output in made}
    if any(output.shape not in by_shape for output in truth):
        return float("inf")
    differences = [float(np.abs(output - by_shape[output.shape]).max()) for output in truth]
    return max(differences) if np.isfinite(differences).all() else float("inf")


def versions(python: str) -> list[str]:
    """Of the packages of an environment with the others."""
    code = f"from importlib.metadata import version; print(*map(version, {PACKAGES!r}))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.split()
