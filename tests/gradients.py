"""The gradient of a scalar loss, on whichever back end Keras runs."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


def loss_of(outputs: Any) -> Any:
    """A scalar in which every element of every output counts: the sum of each output's mean square."""
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return sum(ops.mean(ops.square(output)) for output in outputs)


def gradients(model: Any, inputs: Sequence[Any]) -> dict[str, Any]:
    """Path of every trainable variable → d loss / d variable as an array, or None where it is not reached."""
    compute = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
    found = compute(model, inputs if len(inputs) > 1 else inputs[0])
    return {
        variable.path: None if gradient is None else np.asarray(ops.convert_to_numpy(gradient))
        for variable, gradient in zip(model.trainable_variables, found, strict=True)
    }


def _tensorflow(model: Any, inputs: Any) -> list[Any]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = loss_of(model(inputs, training=True))
    return list(tape.gradient(loss, [variable.value for variable in model.trainable_variables]))


def _jax(model: Any, inputs: Any) -> list[Any]:
    import jax

    def loss(trainable: list[Any]) -> Any:
        fixed = [variable.value for variable in model.non_trainable_variables]
        return loss_of(model.stateless_call(trainable, fixed, inputs, training=True)[0])

    return list(jax.jit(jax.grad(loss))([variable.value for variable in model.trainable_variables]))


def _torch(model: Any, inputs: Any) -> list[Any]:
    model.zero_grad()
    loss_of(model(inputs, training=True)).backward()
    return [variable.value.grad for variable in model.trainable_variables]
