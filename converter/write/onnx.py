"""A Keras model as ONNX; `parity.outputs.verification.verify_onnx` proves that it computes the same.

tf2onnx writes it, from the Keras model. Measured on the 14 known models: from the `.tflite` file it writes one model
less (it knows no custom ops), fixes the batch, and puts `PRelu` where ONNX Runtime is up to twice as slow with it.
Keras's own `model.export(format="onnx")` is the same conversion with the outputs' names lost.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from converter.errors import CannotExport, MissingBackend
from converter.extras import how_to_install, importing
from converter.rebuild.model import import_keras
from converter.tflite.model import Graph, Model

BATCH_AXIS = "batch"


def to_onnx(original: Model, model: Any) -> bytes:
    """Write a Keras model as ONNX: inputs and outputs with the file's names, in its order, the batch axis free.

    Args:
        original: The file that the model was made from.
        model: The `keras.Model`, on the TensorFlow back end.

    Returns:
        The `.onnx` file.

    Raises:
        MissingBackend: tf2onnx is not installed, or Keras runs on another back end.
        CannotExport: ONNX has no operator for something in the model; the message names it.
    """
    keras = import_keras()
    if keras.backend.backend() != "tensorflow":
        raise MissingBackend(
            f"ONNX is written through TensorFlow, and Keras runs on {keras.backend.backend()}",
            hint=f"{how_to_install('tensorflow', 'onnx')}, and set KERAS_BACKEND=tensorflow: saved models are the same",
        )
    graph = original.graph
    with _quiet():
        made = _converted(graph, model)
        _check_operators(made)
        _name_ends(made, graph)
        made.graph.name = model.name
    data: bytes = made.SerializeToString()
    return data


def _converted(graph: Graph, model: Any) -> Any:
    """What tf2onnx makes of it."""
    import keras

    with importing("onnx", "writing ONNX"):
        import onnx  # noqa: F401 - says at once what is missing
        import tf2onnx
    import tensorflow as tf

    def call(*inputs: Any) -> Any:
        return keras.tree.flatten(model(list(inputs) if len(inputs) > 1 else inputs[0], training=False))

    shapes = [(None, *graph.tensors[index].shape[1:]) for index in graph.inputs]
    signature = [tf.TensorSpec(shape, tf.float32, name=f"input_{place}") for place, shape in enumerate(shapes)]
    try:
        made, _ = tf2onnx.convert.from_function(tf.function(call), signature)
    except Exception as error:  # whatever tf2onnx raises on a layer that it cannot write
        raise CannotExport(f"tf2onnx cannot write the model: {type(error).__name__}: {error}") from error
    return made


def _check_operators(made: Any) -> None:
    """tf2onnx leaves what it does not know in the graph, as if it were ONNX's."""
    import onnx

    unknown = [node for node in made.graph.node if not onnx.defs.has(node.op_type, node.domain)]
    if unknown:
        listed = ", ".join(f"{node.op_type} ({node.name})" for node in unknown)
        raise CannotExport(f"ONNX has no operator for {listed}", hint="a .tflite file can be written all the same")
    try:
        onnx.checker.check_model(made, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise CannotExport(f"what tf2onnx writes is no valid ONNX model: {error}") from error


def _name_ends(made: Any, graph: Graph) -> None:
    """Give inputs and outputs the file's names; a value inside that has such a name gets another."""
    ends = [*made.graph.input, *made.graph.output]
    names = _unique([graph.tensors[index].name for index in (*graph.inputs, *graph.outputs)])
    if len(ends) != len(names):
        raise CannotExport(f"the model has {len(ends)} inputs and outputs, the file has {len(names)}")
    renamed = {value: f"{value}:inside" for value in names}
    renamed |= {end.name: name for end, name in zip(ends, names, strict=True)}
    for node in made.graph.node:
        node.input[:] = [renamed.get(value, value) for value in node.input]
        node.output[:] = [renamed.get(value, value) for value in node.output]
    for value in (*made.graph.initializer, *made.graph.value_info, *ends):
        value.name = renamed.get(value.name, value.name)
    for end in ends:
        end.type.tensor_type.shape.dim[0].dim_param = BATCH_AXIS


def _unique(names: Sequence[str]) -> list[str]:
    """ONNX knows values by their names; a file need not have any."""
    made: list[str] = []
    for place, name in enumerate(names):
        while not name or name in made:
            name = f"{name}:{place}"  # noqa: PLW2901 - until it is one of its own
        made.append(name)
    return made


@contextmanager
def _quiet() -> Iterator[None]:
    """tf2onnx logs what it cannot do; we say it ourselves."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
