"""What the tests themselves rely on: that it fails where it should."""

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.runners.runtimes import Run
from tests.tools import models
from tests.tools.kernels import SETTINGS
from tests.tools.spread import assert_within_spread

pytestmark = pytest.mark.one_setting

TINY = "hand_recrop"
INPUTS = [[np.linspace(-1, 1, 24, dtype=np.float32)]]


def scaled(factor: float) -> Run:
    return lambda inputs: [inputs[0] * np.float32(factor)]


def test_spread_is_that_of_the_right_ones() -> None:
    right = [scaled(1), scaled(1.00001), scaled(1.0001)]
    assert_within_spread(scaled(1.0003), right, INPUTS)
    for wrong in (scaled(1.001), scaled(np.nan), lambda _: [], lambda inputs: [inputs[0][:3]]):
        with pytest.raises(AssertionError):
            assert_within_spread(wrong, right, INPUTS)


def test_right_ones_that_are_far_apart_prove_nothing() -> None:
    with pytest.raises(AssertionError):
        assert_within_spread(scaled(1), [scaled(1), scaled(2)], INPUTS)


def test_shared_model_that_was_changed_is_noticed() -> None:
    shared = models.Shared(models.fresh)
    models.LENDERS.remove(shared)  # its changes are meant
    assert shared(TINY) is shared(TINY)
    assert shared.take_back() == []
    changes: list[Any] = [
        lambda layer: layer.set_weights([values + 1 for values in layer.get_weights()]),
        lambda layer: setattr(layer, "trainable", False),
        lambda layer: setattr(layer, "strides", (7, 7)),
    ]
    for change in changes:
        model = shared(TINY)
        change(next(layer for layer in model.layers if layer.weights))
        assert shared.take_back() == [TINY]
    assert shared(TINY) is not model


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the switches are x86-64's")
def test_other_kernels_are_other_kernels() -> None:
    """If TensorFlow no longer read its switch, both settings would be one."""
    command = [sys.executable, "-c", CONVOLVE]
    runs = [subprocess.run(command, check=True, capture_output=True, env=os.environ | it) for it in SETTINGS.values()]
    assert len({run.stdout for run in runs}) == len(SETTINGS)


CONVOLVE = """
import sys
import keras
import numpy as np
rng = np.random.default_rng(0)
x, kernel = (rng.normal(size=shape).astype(np.float32) for shape in ((1, 24, 24, 64), (3, 3, 64, 64)))
sys.stdout.buffer.write(keras.ops.convert_to_numpy(keras.ops.conv(x, kernel, padding="same")).tobytes())
"""

COLLECT = """
import sys
import pytest
code = pytest.main(["--collect-only", "-qq", "-m", ""])
heavy = {"keras", "tensorflow", "jax", "torch", "tf2onnx", "mediapipe"} & sys.modules.keys()
sys.exit(code or f"collecting imports {', '.join(sorted(heavy))}" if heavy or code else 0)
"""


def test_collecting_imports_no_keras_and_fetches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNLITE_CACHE", str(tmp_path / "cache"))
    done = subprocess.run([sys.executable, "-c", COLLECT], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "cache").exists()
