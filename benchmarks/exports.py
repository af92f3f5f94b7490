"""Every way to turn a converted detector into a `.tflite` file again."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from converter import writer
from converter.graph import Model
from converter.reader import read
from parity import naive
from parity.runners import Array

OURS, KERAS = "unlite export", 'Keras: `model.export(format="litert")`'
CONSTANT = "TensorFlow: `from_concrete_functions([f])`, deprecated"
SET = "the next line's operators, with the variables set"
UNSET = "TensorFlow: `from_concrete_functions([f], model)`"


def keras_export(model: Any) -> bytes:
    """Keras's own LiteRT export."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        model.export(path, format="litert", verbose=False)
        return path.read_bytes()


def exports(original: Model, model: Any, example: list[Array]) -> dict[str, bytes]:
    """All of them, by name; the first is ours."""
    return {
        OURS: writer.write(original, model),
        KERAS: keras_export(model),
        CONSTANT: naive.export_constant(model, example),
        SET: naive.export_set(model, example),
        UNSET: naive.export_unset(model, example),
    }


def operators(data: bytes | memoryview) -> Counter[str]:
    """How many of each run; unpacking float16 weights happens once, when a file is loaded."""
    return Counter(op.kind for op in read(bytes(data)).graphs[0].ops if op.kind != "DEQUANTIZE")
