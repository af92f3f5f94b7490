"""Every way to turn a converted detector into a `.tflite` file again."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from converter.tflite.model import Model
from converter.tflite.reader import read
from converter.write import writer
from parity.runners.runtimes import Array
from unlite.cost import runtimes

OURS = "`unlite export`"


def exports(original: Model, model: Any, example: list[Array]) -> dict[str, bytes]:
    """All of them, by name."""
    return {
        OURS: writer.write(original, model),
        'Keras: `model.export(format="litert")`': keras_export(model),
        "TensorFlow: `from_concrete_functions([f])`, deprecated": runtimes.export_constant(model, example),
        "the same, each PReLU in four operators": runtimes.export_constant(in_pieces(model), example),
        "TensorFlow: `from_concrete_functions([f], model)`": runtimes.export_unset(model, example),
        "the same, with the variables set": runtimes.export_set(model, example),
    }


def keras_export(model: Any) -> bytes:
    """Keras's own LiteRT export."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        model.export(path, format="litert", verbose=False)
        return path.read_bytes()


def in_pieces(model: Any) -> Any:
    """The same model: what it costs that a PReLU is not recognized, by itself."""
    import keras

    class Pieces(keras.layers.PReLU):  # type: ignore[misc]
        """A PReLU that no converter recognizes."""

        def call(self, inputs: Any) -> Any:
            return keras.ops.maximum(inputs, 0.0) + self.alpha * keras.ops.minimum(inputs, 0.0)

    def again(layer: Any) -> Any:
        kind = Pieces if isinstance(layer, keras.layers.PReLU) else type(layer)
        return kind.from_config(layer.get_config())

    made = keras.models.clone_model(model, clone_function=again)
    made.set_weights(model.get_weights())
    return made


def operators(data: bytes | memoryview) -> Counter[str]:
    """How many of each run; unpacking float16 weights happens once, when a file is loaded."""
    return Counter(op.kind for op in read(bytes(data)).graphs[0].ops if op.kind != "DEQUANTIZE")
