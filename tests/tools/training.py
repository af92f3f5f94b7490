"""One step of training, on whichever back end Keras runs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.tools.lazy import keras, ops


def loss_of(outputs: Any) -> Any:
    """A scalar in which every element of every output counts: the sum of each output's mean square."""
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return sum(ops.mean(ops.square(output)) for output in outputs)


def train_step(model: Any, inputs: Sequence[Any], optimizer: Any) -> dict[str, Any]:
    """Compute gradients, let the optimizer change the variables.

    Returns:
        Path of every trainable variable → d loss / d variable as an array, or None where it is not reached.
    """
    step = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
    found = step(model, inputs if len(inputs) > 1 else inputs[0], optimizer)
    return {
        variable.path: None if gradient is None else np.array(ops.convert_to_numpy(gradient))
        for variable, gradient in zip(model.trainable_variables, found, strict=True)
    }


def _tensorflow(model: Any, inputs: Any, optimizer: Any) -> list[Any]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = loss_of(model(inputs, training=True))
    found = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    optimizer.apply(found, model.trainable_variables)
    return list(found)


def _jax(model: Any, inputs: Any, optimizer: Any) -> list[Any]:
    import jax

    optimizer.build(model.trainable_variables)
    fixed = [variable.value for variable in model.non_trainable_variables]

    def loss(trainable: list[Any]) -> Any:
        return loss_of(model.stateless_call(trainable, fixed, inputs, training=True)[0])

    # In one piece: compiling every operation of its own takes five times as long.
    @jax.jit  # type: ignore[untyped-decorator, unused-ignore]
    def step(state: list[Any], trainable: list[Any]) -> Any:
        found = jax.grad(loss)(trainable)
        return found, optimizer.stateless_apply(state, found, trainable)[0]

    trainable = [variable.value for variable in model.trainable_variables]
    found, updated = step([variable.value for variable in optimizer.variables], trainable)
    for variable, value in zip(model.trainable_variables, updated, strict=True):
        variable.assign(value)
    return list(found)


def _torch(model: Any, inputs: Any, optimizer: Any) -> list[Any]:
    loss_of(model(inputs, training=True)).backward()
    found = [variable.value.grad for variable in model.trainable_variables]
    optimizer.apply(found, model.trainable_variables)
    return found


def gradient(function: Any, x: Any) -> Any:
    """d of a function's sum / d x, an array, as the back end derives it."""
    back_end = keras.backend.backend()
    if back_end == "jax":
        import jax

        return np.asarray(jax.grad(lambda value: ops.sum(function(value)))(ops.convert_to_tensor(x)))
    if back_end == "torch":
        value = ops.convert_to_tensor(x).detach().requires_grad_()
        ops.sum(function(value)).backward()
        return value.grad.cpu().numpy()
    import tensorflow as tf

    value = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(value)
        made = ops.sum(function(value))
    return tape.gradient(made, value).numpy()
