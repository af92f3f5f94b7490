"""Real models for tests: fetched once, converted once per process."""

from functools import cache
from pathlib import Path
from typing import Any

import converter
from converter import zoo
from converter.graph import Model

NAMES = sorted(zoo.known())


@cache
def path(name: str) -> Path:
    """The file, from the cache or the package index; a test that needs it fails when it cannot be had."""
    return zoo.fetch(name)


@cache
def original(name: str) -> Model:
    """The model as read."""
    return converter.read(path(name))


def converted(name: str) -> Any:
    """A fresh Keras model, for the test to do with as it likes."""
    return converter.convert(original(name))
