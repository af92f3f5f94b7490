"""What decoding and suppression take in numpy, on one core."""

from typing import Any

import numpy as np
import pytest

from converter.detectors.table import find
from fixtures.detection_cases import raw_tensors
from unlite.detection.decoding import decode, suppress
from unlite.detection.sampling import Floats

PALM = find("palm")


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
    median = 1000 * benchmark.stats.stats.median
    report.append(
        f"decoding and suppression, {classes} classes, {decoded} candidates, {found} left: median {median:.2f} ms "
        f"(limit {limit_ms} ms)"
    )
    assert median < limit_ms
