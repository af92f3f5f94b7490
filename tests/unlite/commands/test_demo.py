"""`unlite demo`: what it prints and draws, and which exit code."""

from pathlib import Path

import pytest
from PIL import Image

from tests.tools import models
from tests.tools.commands import output
from unlite.commands.demo import find_hands


def test_demo_ends_with_both_models_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    out = output(capsys, "demo", "-o", "demo")
    assert out.count("palm with score 0.") == out.count("same: 1 found by both") == 3
    with Image.open("demo/hands.png") as drawn:
        assert drawn.height > drawn.width > 900


def test_demo_says_when_the_models_differ() -> None:
    lite, full = (models.path(name) for name in ("palm_detection_lite", "palm_detection_full"))
    text, is_same = find_hands(lite, full, Path("hands.png"))
    assert not is_same
    assert "differs: " in text
