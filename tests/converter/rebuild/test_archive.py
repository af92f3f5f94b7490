"""The `.keras` archive that is written without Keras, beside the one that Keras writes."""

import importlib.util
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import h5py
import numpy as np
import pytest

import converter
from converter.blueprints.specs import Blueprint
from converter.detectors.labels import Labels, read_labels
from converter.rebuild import archive
from converter.rebuild.archive import write_archive
from fixtures.builder import Builder
from tests.converter.ops.cases import CASES
from tests.tools.lazy import keras
from tests.tools.models import NAMES, most_in_parity, original
from tests.tools.spread import assert_bit_equal


def plan_of(name: str) -> Blueprint:
    return converter.blueprint(original(name).graph, name)


def assert_as_keras_writes_it(plan: Blueprint, folder: Path) -> None:
    """Equal member by member; but for the time, and the number by which Keras calls an object that layers share."""
    converter.convert(plan).save(folder / "theirs.keras")
    write_archive(plan, folder / "ours.keras")
    with ZipFile(folder / "theirs.keras") as expected, ZipFile(folder / "ours.keras") as made:
        assert sorted(made.namelist()) == sorted(expected.namelist())
        theirs, ours = (json.loads(each.read("metadata.json")) for each in (expected, made))
        assert ours | {"date_saved": theirs["date_saved"]} == theirs
        theirs, ours = (each.read("config.json").decode() for each in (expected, made))
        assert ours == re.sub(r'(?<="shared_object_id": )\d+', str(archive.SHARED), theirs)
        assert tree(made.read("model.weights.h5")) == tree(expected.read("model.weights.h5"))


def tree(data: bytes) -> dict[str, tuple[Any, ...]]:
    """Everything that an HDF5 file has: attributes, types, layout, numbers."""
    found: dict[str, tuple[Any, ...]] = {}

    def visit(name: str, item: Any) -> None:
        found[name] = (type(item).__name__, tuple(item.attrs.items()))
        if isinstance(item, h5py.Dataset):
            found[name] += (item.dtype, item.shape, item.chunks, item.compression, item[()].tobytes())

    with h5py.File(io.BytesIO(data)) as file:
        visit("/", file)
        file.visititems(visit)
    return found


@pytest.mark.one_setting
@pytest.mark.parametrize("name", most_in_parity(NAMES))
def test_model_as_keras_writes_it(name: str, tmp_path: Path) -> None:
    assert_as_keras_writes_it(plan_of(name), tmp_path)


@pytest.mark.one_setting
@pytest.mark.parametrize("kind", CASES)
def test_operator_as_keras_writes_it(kind: str, tmp_path: Path) -> None:
    for case in CASES[kind]:
        assert_as_keras_writes_it(converter.blueprint(converter.read(case.data).graph), tmp_path)


@pytest.mark.parametrize("name", most_in_parity(NAMES))
def test_comes_back_bit_equal(name: str, tmp_path: Path) -> None:
    """On whatever back end: settings, weights, what is trainable, outputs."""
    plan = plan_of(name)
    write_archive(plan, tmp_path / "ours.keras")
    expected, made = converter.convert(plan), converter.load(tmp_path / "ours.keras")
    paths = [[variable.path for variable in model.trainable_variables] for model in (made, expected)]
    assert paths[0] == paths[1]
    assert [layer.get_config() for layer in made.layers] == [layer.get_config() for layer in expected.layers]
    assert_bit_equal(made.get_weights(), expected.get_weights())
    inputs = [np.random.default_rng(0).random((2, *x.shape[1:]), np.float32) for x in made.inputs]
    given = inputs if len(inputs) > 1 else inputs[0]
    ends = [map(keras.ops.convert_to_numpy, keras.tree.flatten(model(given))) for model in (made, expected)]
    assert_bit_equal(*map(list, ends))


@pytest.mark.one_setting
def test_several_inputs_one_of_which_is_not_needed(tmp_path: Path) -> None:
    graph = Builder()
    a, b, _ = (graph.input((1, 3), name) for name in "abc")
    (joined,) = graph.op("ADD", [b, a], [(1, 3)])
    (end,) = graph.op("TANH", [joined], [(1, 3)])
    plan = converter.blueprint(converter.read(graph.build([end, joined])).graph)
    assert_as_keras_writes_it(plan, tmp_path)


@pytest.mark.one_setting
def test_the_installed_keras_writes_what_is_known() -> None:
    """Fails where a new version of Keras writes something else: `python -m fixtures.derive_keras_layers`."""
    from fixtures import derive_keras_layers as derive

    version, known = archive.settings_of_installed()
    assert version == keras.version()
    written = {name: derive.written(name) for name in known if name != archive.MODEL}
    assert written | {archive.MODEL: derive.written_around()} == known


@pytest.mark.one_setting
@pytest.mark.parametrize(
    ("version", "about"),
    [
        ("3.8.0", {"wraps_one": True}),
        ("3.10.0", {"wraps_one": True, "compile_config": {}}),
        ("3.11.0", {"wraps_one": False, "compile_config": {}}),
        ("4.1.dev0", {"wraps_one": False, "compile_config": {}}),
        (None, {"wraps_one": True}),
    ],
)
def test_every_version_gets_what_it_writes(
    version: str | None, about: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "installed_keras", lambda: version)
    archive.settings_of_installed.cache_clear()
    try:
        found, known = archive.settings_of_installed()
    finally:
        archive.settings_of_installed.cache_clear()
    assert found == version or (found, version) == ("3.8.0", None)
    assert {name: known[archive.MODEL].get(name) for name in ("wraps_one", "compile_config")} == {
        "compile_config": None,
        **about,
    }


@pytest.mark.one_setting
def test_keras_that_is_not_installed_or_says_it_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec("keras")
    assert archive.installed_keras() == keras.version()
    monkeypatch.setattr(archive, "find_spec", lambda _: None)
    assert archive.installed_keras() is None
    monkeypatch.setattr(archive, "find_spec", lambda _: found)
    monkeypatch.setattr(archive, "_VERSION", re.compile("no such line"))
    assert archive.installed_keras() is None


@pytest.mark.one_setting
def test_neither_keras_nor_a_back_end_is_imported(tmp_path: Path) -> None:
    (tmp_path / "file.tflite").write_bytes(CASES["CONV_2D"][0].data)
    code = (
        "import sys, converter; converter.save(converter.blueprint(converter.read('file.tflite').graph), 'out.keras');"
    )
    code += "print([name for name in ('keras', 'tensorflow', 'jax', 'torch') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert converter.load(tmp_path / "out.keras").count_params() > 0


@pytest.mark.one_setting
def test_labels(tmp_path: Path) -> None:
    labels = Labels(("fist", "palm"), 0.4)
    converter.save(plan_of("palm_detection_full"), tmp_path / "out.keras", labels)
    assert read_labels(tmp_path / "out.keras") == labels
    assert {path.name for path in tmp_path.iterdir()} == {"out.keras"}
