"""Where commands run."""

from pathlib import Path

import pytest

from tests.tools.files import siblings_file

MODULE = """
import keras
from keras import layers

@keras.saving.register_keras_serializable("mine")
class Same(layers.Layer):
    def call(self, x): return x

class Unsaved(Same):
    def __init__(self, factor): super().__init__(name="odd")

def build(filters=2, activation=None, names=("left", "right"), size=8, pool=None, end=None, front=None):
    inputs = keras.Input((size, size, 3))
    x = front(inputs) if front else inputs
    both = [layers.Conv2D(4, 3, padding="same", name=name)(x) for name in names]
    end = end or layers.Conv2D(filters, 1, activation=activation, name="end")
    return keras.Model(inputs, end(layers.Add()(both)))

def right(): return build()
def nameless(): return build(names=("a", "b"))
def seven(): return build(filters=7)
def with_relu(): return build(activation="relu")
def large(): return build(size=16)
def with_lambda(): return build(front=layers.Lambda(lambda x: x, name="odd"))
def with_class(): return build(front=Same(name="odd"))
def unsaved(): return build(front=Unsaved(float))
def filled(): model = with_lambda(); model.load_weights("out.weights.h5"); return model
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
