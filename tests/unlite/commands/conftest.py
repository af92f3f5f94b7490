"""Where commands run."""

from pathlib import Path

import pytest

from tests.tools.files import siblings_file

MODULE = """
import keras
from keras import layers

def build(filters=2, activation=None, names=("left", "right"), size=8, pool=None, end=None):
    inputs = keras.Input((size, size, 3))
    both = [layers.Conv2D(4, 3, padding="same", name=name)(inputs) for name in names]
    end = end or layers.Conv2D(filters, 1, activation=activation, name="end")
    return keras.Model(inputs, end(layers.Add()(both)))

def right(): return build()
def nameless(): return build(names=("a", "b"))
def seven(): return build(filters=7)
def with_relu(): return build(activation="relu")
def large(): return build(size=16)
def dense(): return build(end=layers.Dense(2, name="end"))
def number(): return 3
def raises(): raise RuntimeError("out of luck")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a file and a module."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MODULE)
    Path("file.tflite").write_bytes(siblings_file("left", "right"))
    return tmp_path
