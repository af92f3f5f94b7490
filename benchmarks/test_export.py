"""What writing a trained model back takes, and that the new file is as fast as the original."""

import time
from statistics import median
from typing import Any

import pytest

from converter import writer
from parity.runners import LiteRT
from parity.verification import seeded_inputs
from tests.converter.test_writer import trained
from tests.models import converted, original

DETECTORS = ("palm_detection_lite", "palm_detection_full", "face_detection_short_range", "pose_detection")
ROUNDS = 60


@pytest.mark.parametrize("name", DETECTORS)
def test_export_and_its_latency(name: str, benchmark: Any, report: list[str]) -> None:
    """Interleaved, so that the machine's drift is in both. Sparse weights (pose_detection) come back dense."""
    benchmark.group = "export, warm process"
    old, model = original(name), trained(converted(name))
    data = benchmark.pedantic(writer.write, [old, model], rounds=5, warmup_rounds=1)
    assert benchmark.stats.stats.median < 1
    (inputs,) = seeded_inputs(old.graph, 1)[:1]
    runners = [LiteRT(each, "xnnpack") for each in (old.data, data)]
    seconds: list[list[float]] = [[], []]
    for number in range(ROUNDS):
        for place in (0, 1) if number % 2 else (1, 0):
            start = time.perf_counter()
            runners[place].run(inputs)
            seconds[place].append(time.perf_counter() - start)
    before, after = (median(each) for each in seconds)
    report.append(
        f"{name}: exported in {benchmark.stats.stats.median:.2f} s; LiteRT with XNNPACK, one thread: "
        f"{1000 * before:.2f} ms before, {1000 * after:.2f} ms after, ratio {after / before:.3f}"
    )
