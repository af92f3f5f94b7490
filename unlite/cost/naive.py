"""What TensorFlow's converter makes of a Keras model when nobody tells it that the weights are constants.

Keras 3's variables are no `tf.Variable`s: a converter that is told to track the model does not find their values, and
writes a file that reads its weights as variables when it runs. XNNPACK takes convolutions with constant weights
alone, so these fall back on the portable kernels; and a PReLU whose slopes are no constant becomes six operators.
"""

import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from converter.errors import MissingRuntime
from parity.runners.types import Array


def tensorflow(what: str) -> Any:
    """TensorFlow, if Keras runs on it.

    Raises:
        MissingRuntime: It does not.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise MissingRuntime(
            f"{what} needs Keras on TensorFlow, not on {keras.backend.backend()}", hint="KERAS_BACKEND=tensorflow"
        )
    import tensorflow

    return tensorflow


def export_unset(model: Any, example: Sequence[Array]) -> bytes:
    """`from_concrete_functions`, used as its documentation says: nothing in the file ever sets its variables.

    It runs, in XNNPACK, on whatever memory holds, and computes that; the portable kernels refuse it.
    """
    tf = tensorflow("the naive export")
    made: bytes = tf.lite.TFLiteConverter.from_concrete_functions([_traced(tf, model, example)], model).convert()
    return made


def export_constant(model: Any, example: Sequence[Array]) -> bytes:
    """The same without the model to track, which is deprecated: weights become constants."""
    tf = tensorflow("the naive export")
    made: bytes = tf.lite.TFLiteConverter.from_concrete_functions([_traced(tf, model, example)]).convert()
    return made


def export_set(model: Any, example: Sequence[Array]) -> bytes:
    """The operators of `export_unset`, and a second subgraph that sets the variables: it computes what the model does.

    A function that changes the weights keeps the converter from making them constants.
    """
    tf = tensorflow("the naive export")
    module = tf.Module()
    module.weights = [getattr(variable, "value", variable) for variable in model.variables]
    module.run = tf.function(lambda *inputs: _named(_call(model, inputs)))
    module.change = tf.function(lambda factor: _change(module.weights, factor))
    signatures = {
        "model": module.run.get_concrete_function(*_specs(tf, example)),  # the first in order of the alphabet runs
        "set_weights": module.change.get_concrete_function(tf.TensorSpec((), tf.float32)),
    }
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(signatures))
        converter.experimental_enable_resource_variables = True
        made: bytes = converter.convert()
    return made


def _named(outputs: Sequence[Any]) -> dict[str, Any]:
    """By names that sort as the outputs stand."""
    return {f"output_{place}": output for place, output in enumerate(outputs)}


def _change(weights: Sequence[Any], factor: Any) -> dict[str, Any]:
    for weight in weights:
        weight.assign(weight * factor)
    return {"factor": factor}


def _call(model: Any, inputs: Sequence[Any]) -> list[Any]:
    import keras

    return list(keras.tree.flatten(model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)))


def _specs(tf: Any, example: Sequence[Array]) -> list[Any]:
    return [tf.TensorSpec(x.shape, tf.float32, name=f"input_{place}") for place, x in enumerate(example)]


def _traced(tf: Any, model: Any, example: Sequence[Array]) -> Any:
    function: Callable[..., Any] = tf.function(lambda *inputs: _call(model, inputs))
    return function.get_concrete_function(*_specs(tf, example))  # type: ignore[attr-defined]
