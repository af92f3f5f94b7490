"""Loading `.keras` archives: nothing is drawn that would be lost."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import converter
from converter.errors import MalformedModel
from converter.rebuild.loading import DRAWING
from tests.tools.lazy import keras, layers

pytestmark = pytest.mark.one_setting


def saved(path: Path) -> Any:
    inputs = keras.Input((4, 4, 2))
    made = layers.Conv2D(3, 2, kernel_initializer="orthogonal")(layers.BatchNormalization()(inputs))
    model = keras.Model(inputs, layers.Dense(2)(made))
    converter.save(model, path)
    return model


def test_no_random_numbers_and_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = saved(tmp_path / "out.keras")
    for draw in ("uniform", "normal", "truncated_normal"):
        monkeypatch.setattr(keras.random, draw, lambda *_, **__: pytest.fail("random numbers were drawn"))
    made = converter.load(tmp_path / "out.keras")
    assert [layer.get_config() for layer in made.layers] == [layer.get_config() for layer in model.layers]
    for own, other in zip(made.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)


def test_initializers_are_themselves_again(tmp_path: Path) -> None:
    before = [getattr(keras.initializers, name).__call__ for name in DRAWING]
    saved(tmp_path / "out.keras")
    converter.load(tmp_path / "out.keras")
    (tmp_path / "bad.keras").write_bytes(b"no archive")
    with pytest.raises(MalformedModel, match=r"bad.keras cannot be loaded"):
        converter.load(tmp_path / "bad.keras")
    assert [getattr(keras.initializers, name).__call__ for name in DRAWING] == before
    assert np.ptp(keras.ops.convert_to_numpy(keras.initializers.GlorotUniform(1)((3, 3)))) > 0


def test_other_threads_draw_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path / "out.keras")
    load, drawn = keras.saving.load_model, []

    def loading(*arguments: Any, **settings: Any) -> Any:
        with ThreadPoolExecutor(1) as pool:
            drawn.append(pool.submit(keras.initializers.RandomNormal(seed=1), (3, 3)).result())
        return load(*arguments, **settings)

    monkeypatch.setattr(keras.saving, "load_model", loading)
    converter.load(tmp_path / "out.keras")
    assert np.ptp(keras.ops.convert_to_numpy(drawn[0])) > 0
