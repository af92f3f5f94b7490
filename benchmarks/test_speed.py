"""What inspecting, converting, exporting, comparing and detecting take, as ratios within one run."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np
import pytest

import converter
from benchmarks.exports import OURS, exports, operators
from benchmarks.process import Run, run
from converter.detectors.table import find
from converter.write import writer
from fixtures.detection_cases import raw_tensors
from parity.inputs import seeded_inputs
from parity.layerwise.check import check
from parity.runners.runtimes import LiteRT, keras_runner
from tests.converter.write.test_writer import trained
from tests.tools.models import fresh, original, path
from unlite.cost.latency import interleave
from unlite.detection.pipeline import Floats, decode, suppress

NAME = "palm_detection_full"
DETECTORS = ("palm_detection_lite", NAME, "face_detection_short_range", "pose_detection")
PALM = find("palm")
ROUNDS = 5
# What one file's two copies differ by in one run on a busy machine.
SAME = (0.97, 1.03)


def test_convert_in_a_warm_process(benchmark: Any) -> None:
    benchmark.group = f"{NAME}, warm process, {keras.backend.backend()}"
    model = benchmark.pedantic(converter.convert, [path(NAME)], rounds=ROUNDS, warmup_rounds=1)
    assert model.output_shape == [(None, 2016, 18), (None, 2016, 1)]


def test_inspect_as_a_process(benchmark: Any, report: list[str]) -> None:
    benchmark.group = "whole process"
    runs: list[Run] = []
    command = ["-m", "unlite", "inspect", str(path(NAME))]
    run(command)  # warms the file system's cache, and is in no number
    benchmark.pedantic(lambda: runs.append(run(command)), rounds=ROUNDS)
    report.append(f"unlite inspect: median {_seconds(runs):.2f} s, peak {max(r.peak_mb for r in runs):.0f} MB")


def test_convert_as_a_process_against_import_keras(benchmark: Any, report: list[str], tmp_path: Path) -> None:
    """Interleaved, so that the machine's drift is in both."""
    benchmark.group = "whole process"
    command = ["-m", "unlite", "convert", str(path(NAME)), "--no-verify", "-o", str(tmp_path / "model.keras")]
    imports: list[Run] = []
    conversions: list[Run] = []
    run(command)  # warms the file system's cache, and is in no number
    import_keras = ["-c", "import keras"]
    benchmark.pedantic(
        lambda: conversions.append(run(command)), setup=lambda: imports.append(run(import_keras)), rounds=ROUNDS
    )
    ratios = [c.seconds / i.seconds for c, i in zip(conversions, imports, strict=True)]
    report.append(
        f"unlite convert --no-verify: median {_seconds(conversions):.2f} s; import keras ({keras.backend.backend()}): "
        f"median {_seconds(imports):.2f} s; ratio: median {median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}"
    )


def _seconds(runs: list[Run]) -> float:
    return median(r.seconds for r in runs)


@pytest.mark.parametrize("name", DETECTORS)
def test_export_and_its_latency(name: str, benchmark: Any, report: list[str]) -> None:
    """Interleaved, so that the machine's drift is in both. Sparse weights (pose_detection) come back dense."""
    benchmark.group = "export, warm process"
    old, model = original(name), trained(fresh(name))
    data = benchmark.pedantic(writer.write, [old, model], rounds=ROUNDS, warmup_rounds=1)
    assert benchmark.stats.stats.median < 1
    inputs = seeded_inputs(old.graph, 1)[0]
    before, after = (LiteRT(each, "xnnpack") for each in (old.data, data))
    timings = interleave({"before": partial(before.run, inputs), "after": partial(after.run, inputs)}, rounds=150)
    ratio = timings.ratio(["after"], ["before"])
    benchmark.extra_info["latency, times the original"] = ratio.as_dict()
    report.append(
        f"{name}: exported in {benchmark.stats.stats.median:.2f} s; LiteRT with XNNPACK, one thread: "
        f"{1000 * timings.of('before').median:.2f} ms before, {1000 * timings.of('after').median:.2f} ms after, "
        f"ratio {ratio.median:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"
    )
    assert SAME[0] <= ratio.median <= SAME[1]


def test_against_other_exports(report: list[str]) -> None:
    """Keras's export and TensorFlow's converter beside ours: who leaves weights variables is several times as slow."""
    old, model = original(NAME), fresh(NAME)
    example = seeded_inputs(old.graph, 1)[0]
    files = {"original": bytes(old.data)} | exports(old, model, example)
    runs = {name: LiteRT(data, "xnnpack") for name, data in files.items()}
    timings = interleave({name: partial(run.run, example) for name, run in runs.items()}, rounds=80, seconds=60)
    for name, data in files.items():
        ratio, counts = timings.ratio([name], ["original"]), operators(data)
        report.append(
            f"{name}: {ratio.median:.2f} times the original ({ratio.low:.2f} to {ratio.high:.2f}), "
            f"{counts.total()} operators, {counts['READ_VARIABLE']} of them READ_VARIABLE, {counts['PRELU']} PRELU"
        )
    assert SAME[0] <= timings.ratio([OURS], ["original"]).median <= SAME[1]


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compiled(model: Any) -> Callable[[Any], Any]:
    """The model as one compiled function."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        function: Callable[[Any], Any] = tf.function(lambda x: model(x, training=False))
        return function
    run = keras_runner(model)
    return lambda x: run([x])


@pytest.mark.parametrize(("inputs", "limit"), [(1, 15), (2, 10)])  # 2 without --inputs; 1 bears all matching alone
def test_parity_run(benchmark: Any, inputs: int, limit: int, report: list[str]) -> None:
    """At most ten times the sum of one plain LiteRT run and one compiled forward, per input; imports apart.

    That is a ratio within each round, which a busy machine changes little, so it may fail.
    """
    old, model = original(NAME), fresh(NAME)
    arrays = seeded_inputs(old.graph, 1)[:inputs]
    litert, forward = LiteRT(old.data, "plain"), compiled(model)
    check(old, model, inputs=arrays)  # imports
    forward(arrays[0][0])  # compiles
    ratios = []

    def once() -> None:
        once_each = seconds(lambda: litert.run(arrays[0])) + seconds(lambda: np.asarray(forward(arrays[0][0])[0]))
        whole = seconds(lambda: check(old, model, inputs=arrays))
        ratios.append(whole / inputs / once_each)

    benchmark.pedantic(once, rounds=7)  # both are warm already: every round is in the ratios
    benchmark.extra_info["times both models once, per input"] = [round(ratio, 2) for ratio in sorted(ratios)]
    spread = f"{median(ratios):.2f}x, {min(ratios):.2f} to {max(ratios):.2f}"
    report.append(f"unlite parity on {inputs} inputs, per input: {spread} of LiteRT plain + compiled Keras, once each")
    assert check(old, model, inputs=arrays).report.ok
    assert len(ratios) == 7
    assert median(ratios) <= limit


def crowded(classes: int) -> tuple[Floats, Floats]:
    """Raw tensors of 2,016 anchors with as many candidates as the random cases have at most."""
    regressors, logits = max((raw_tensors(seed) for seed in range(20)), key=lambda pair: int((pair[1] > 0).sum()))
    rng = np.random.default_rng(0)
    others = rng.uniform(-60, -40, (len(logits), classes - 1)).astype(np.float32)
    return regressors, np.concatenate([logits, others], axis=1)


@pytest.mark.parametrize(("classes", "limit_ms"), [(1, 3), (91, 10)])
def test_decoding_and_suppression(classes: int, limit_ms: float, benchmark: Any, report: list[str]) -> None:
    benchmark.group = "2,016 anchors"
    regressors, logits = crowded(classes)

    def both() -> int:
        return len(suppress(decode(regressors, logits, PALM), PALM.min_suppression_threshold))

    found = benchmark.pedantic(both, rounds=200, warmup_rounds=10)
    decoded = len(decode(regressors, logits, PALM))
    taken = 1000 * benchmark.stats.stats.median
    report.append(
        f"decoding and suppression, {classes} classes, {decoded} candidates, {found} left: median {taken:.2f} ms "
        f"(limit {limit_ms} ms)"
    )
    assert taken < limit_ms
