"""The bug that this project was made for: with 5×5 pools a palm detector finds near hands and misses far ones."""

from functools import cache
from typing import Any

import numpy as np

from fixtures.detection_cases import detector_of, rows, split
from fixtures.pictures import FAR, NAMES, picture
from parity.runners.runtimes import keras_runner
from tests.tools.lazy import architectures
from tests.tools.networks import transferred
from tests.unlite.detection.test_golden import CLOSE, golden
from unlite.detection.pipeline import Detections, detect

MODEL = "palm_detection_full"
PICTURES = [f"far_{round(100 * scale):02}" for scale in FAR]


@cache
def found(pool_size: int) -> list[Detections]:
    """What the hand-written detector finds at each size."""
    right, _ = transferred("palm_192")
    model: Any = architectures.palm_192(pool_size=pool_size)
    model.set_weights(right.get_weights())
    run, detector = keras_runner(model), detector_of(MODEL)
    return [detect(run, detector, picture(name)).final for name in PICTURES]


def test_right_model_finds_what_mediapipe_finds_at_every_size() -> None:
    stored = split(golden(), f"{MODEL}/final")
    expected = [stored[NAMES.index(name)] for name in PICTURES]
    assert [len(each) for each in expected] == [1, 1, 1, 1, 1, 1, 1, 0]
    for own, theirs in zip(found(pool_size=2), expected, strict=True):
        assert np.abs(rows(own) - theirs).max(initial=0) <= CLOSE


def test_wrong_pools_miss_the_far_hands() -> None:
    sizes = {scale: (len(right), len(wrong)) for scale, right, wrong in zip(FAR, found(2), found(5), strict=True)}
    missed = [scale for scale, (right, wrong) in sizes.items() if right and not wrong]
    assert missed == [0.3, 0.25, 0.2]
    assert [scale for scale, (_, wrong) in sizes.items() if wrong] == [0.5, 0.45, 0.4, 0.35]
