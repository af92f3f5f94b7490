"""Models that look at several pictures at once see what each of them sees alone."""

from pathlib import Path

import pytest
from PIL import Image

from fixtures.pictures import picture
from tests.tools import models
from unlite.detection.finder import load_finder
from unlite.detection.landmarks import load_landmarks
from unlite.detection.looking.look import Models, look, most_threads

pytestmark = pytest.mark.one_setting

PALM, HAND = models.REPRESENTATIVES[0], "hand_landmark_full"


def test_threads_change_nothing(tmp_path: Path) -> None:
    for name in ("far_40", "far_25", "none", "two_hands"):
        Image.fromarray(picture(name)).save(tmp_path / f"{name}.png")
    sources = 3 * [str(path) for path in sorted(tmp_path.iterdir())]
    finder, landmarks = load_finder(models.path(PALM)), load_landmarks(models.path(HAND))
    one, other = (
        [seen.as_dict(finder) for seen in look(sources, Models(finder, finder, landmarks, threads=threads))]
        for threads in (1, 3)
    )
    assert one == other
    assert sum(len(seen["hands"]) for seen in one if "hands" in seen) >= 6


def test_keras_models_see_one_picture_after_the_other() -> None:
    assert most_threads([Path("a.tflite"), Path("b.keras")]) == 1
    assert 1 <= most_threads([Path("a.tflite")]) <= 4
