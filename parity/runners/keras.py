"""Keras models in their own back end."""

from collections.abc import Callable, Sequence
from typing import Any

from parity.runners.types import Array, Run


def keras_runner(model: Any) -> Run:
    """How to call a Keras model, or one layer, in inference mode.

    Args:
        model: Any `keras.Model` or `keras.layers.Layer`.

    Returns:
        A function: one array per input, with any batch → one array per output, in the model's order. It keeps
        the weights that the model has when it is first called (JAX compiles them in): make a new one after training.
    """
    import keras

    def call(inputs: list[Any]) -> Any:
        return model(inputs if len(inputs) > 1 else inputs[0], training=False)

    call = compiled(call)

    def run(inputs: Sequence[Array]) -> list[Array]:
        return [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(call(list(inputs)))]

    return run


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as the back end runs it best.

    JAX compiles every operation of its own otherwise, which takes five times as long. TensorFlow and PyTorch start
    at once as they are; compiling there costs seconds before the first result.
    """
    import keras

    if keras.backend.backend() != "jax":
        return function
    import jax

    made: Callable[..., Any] = jax.jit(function)
    return made
