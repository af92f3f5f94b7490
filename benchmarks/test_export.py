"""What writing a trained model back takes, and that the new file is as fast as the original."""

from functools import partial
from typing import Any

import pytest

from benchmarks.exports import OURS, exports, operators
from converter.write import writer
from parity.inputs.seeded import seeded_inputs
from parity.runners.litert import LiteRT
from tests.converter.write.test_writer import trained
from tests.models import fresh, original
from unlite.cost.latency import interleave

DETECTORS = ("palm_detection_lite", "palm_detection_full", "face_detection_short_range", "pose_detection")
ROUNDS = 150
# What one file's two copies differ by in one run on a busy machine.
SAME = (0.97, 1.03)


@pytest.mark.parametrize("name", DETECTORS)
def test_export_and_its_latency(name: str, benchmark: Any, report: list[str]) -> None:
    """Interleaved, so that the machine's drift is in both. Sparse weights (pose_detection) come back dense."""
    benchmark.group = "export, warm process"
    old, model = original(name), trained(fresh(name))
    data = benchmark.pedantic(writer.write, [old, model], rounds=5, warmup_rounds=1)
    assert benchmark.stats.stats.median < 1
    (inputs,) = seeded_inputs(old.graph, 1)[:1]
    before, after = (LiteRT(each, "xnnpack") for each in (old.data, data))
    timings = interleave({"before": lambda: before.run(inputs), "after": lambda: after.run(inputs)}, rounds=ROUNDS)
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
    old, model = original("palm_detection_full"), fresh("palm_detection_full")
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
