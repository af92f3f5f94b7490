"""The promise: every known model converts, agrees, can be trained and survives being saved, on every back end."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import converter
import parity
from parity.inputs import seeded_inputs
from parity.runners.runtimes import keras_runner
from tests.tools.lazy import keras
from tests.tools.models import NAMES, fresh, original, path, shared
from tests.tools.training import train_step

# What a user's own program would do: nothing of unlite but the layers is imported to load.
RELOAD = """
import sys, pathlib
import numpy as np
import keras
import converter.layers
models = {path: keras.saving.load_model(path, safe_mode=True) for path in map(pathlib.Path, sys.argv[1:])}
from parity.runners.runtimes import keras_runner
for path, model in models.items():
    np.savez(path.with_suffix(".out.npz"), *keras_runner(model)([np.load(path.with_suffix(".in.npy"))]))
"""


def batch(name: str) -> list[Any]:
    """Two seeded inputs as one batch, one array per input of the model."""
    return [np.concatenate(values) for values in zip(*seeded_inputs(original(name).graph, seeds=1), strict=True)]


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_the_original(name: str) -> None:
    verification = parity.verify(original(name), shared(name))
    assert verification.inputs >= 5
    assert verification.ok, verification.as_dict()


@pytest.mark.one_setting
@pytest.mark.parametrize("name", NAMES)
def test_looks_like_the_original(name: str) -> None:
    model, graph = shared(name), original(name).graph
    outputs = [graph.tensors[index] for index in graph.outputs]
    assert model.output_names == [tensor.name for tensor in outputs]
    assert [tuple(output.shape) for output in model.outputs] == [(None, *tensor.shape[1:]) for tensor in outputs]
    assert [tuple(value.shape) for value in model.inputs] == [(None, *graph.tensors[i].shape[1:]) for i in graph.inputs]
    assert "Lambda" not in {type(layer).__name__ for layer in model.layers}


@pytest.mark.one_setting
@pytest.mark.parametrize("name", NAMES)
def test_every_variable_can_be_trained(name: str) -> None:
    model, inputs = fresh(name), batch(name)
    before = keras_runner(model)(inputs)
    found = train_step(model, inputs, keras.optimizers.Adam(1e-3))
    assert [path for path, gradient in found.items() if gradient is None] == []
    assert [path for path, gradient in found.items() if not np.isfinite(gradient).all()] == []
    # None of the 14 has a layer that these inputs leave dead: every variable gets something to learn from.
    assert [path for path, gradient in found.items() if not gradient.any()] == []
    after = keras_runner(model)(inputs)
    for old, new in zip(before, after, strict=True):
        assert np.isfinite(new).all()
        assert not np.array_equal(old, new)


@pytest.mark.one_setting
def test_training_leaves_the_file_alone() -> None:
    """Weights that the file has as float32 must not stay views on it."""
    name = "hand_recrop"
    data = path(name).read_bytes()
    model = converter.convert(data)
    for variable in model.trainable_variables:
        variable.assign(variable * 2)
    train_step(model, batch(name), keras.optimizers.SGD(1e-3))
    assert data == path(name).read_bytes()


@pytest.mark.one_setting
@pytest.mark.parametrize("name", NAMES)
def test_only_fixed_numbers_are_not_trainable(name: str) -> None:
    fixed = {variable.path.split("/")[0] for variable in shared(name).non_trainable_variables}
    expected = {f"multiply_by_constant{suffix}" for suffix in ("", "_1", "_2", "_3", "_4", "_5")}
    assert fixed == (expected if name == "face_landmark_with_attention" else set())


@pytest.fixture(scope="module")
def reloaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[Any], list[Any]]]:
    """All models: their outputs here, and those of their files in a fresh process."""
    folder = tmp_path_factory.mktemp("saved")
    here = {}
    for name in NAMES:
        model, inputs = shared(name), batch(name)
        converter.save(model, folder / f"{name}.keras")
        np.save(folder / f"{name}.in.npy", inputs[0])
        here[name] = keras_runner(model)(inputs)
    files = [str(folder / f"{name}.keras") for name in NAMES]
    subprocess.run([sys.executable, "-c", RELOAD, *files], check=True)
    there = {}
    for name in NAMES:
        with np.load(folder / f"{name}.out.npz") as stored:
            there[name] = list(stored.values())
    return {name: (here[name], there[name]) for name in NAMES}


@pytest.mark.one_setting
@pytest.mark.parametrize("name", NAMES)
def test_reloads_bit_equal(name: str, reloaded: dict[str, tuple[list[Any], list[Any]]]) -> None:
    here, there = reloaded[name]
    assert len(here) == len(there)
    for mine, theirs in zip(here, there, strict=True):
        assert mine.tobytes() == theirs.tobytes()


@pytest.mark.one_setting
def test_load_gives_the_same_model(tmp_path: Path) -> None:
    name = "face_landmark_with_attention"
    model, inputs = shared(name), batch(name)
    converter.save(model, tmp_path / "model.keras")
    loaded = converter.load(tmp_path / "model.keras")
    for mine, theirs in zip(keras_runner(model)(inputs), keras_runner(loaded)(inputs), strict=True):
        assert mine.tobytes() == theirs.tobytes()
