"""Training on all devices that there are: Keras's and TensorFlow's own data parallelism."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from parity.runners.runtimes import graph_optimizer


@contextmanager
def on_devices(head: Any, batch: int) -> Iterator[Any]:
    """Within it, a model trains on several devices at once, each with a part of every batch.

    With JAX these are all of Keras's `list_devices`, with TensorFlow all accelerators, or all logical processors where
    there are no others; with PyTorch, Keras trains on one. Of more devices than a batch can be divided among, fewer are
    taken.

    Args:
        head: A `keras.Model`. Its weights are what they became when the context ends.
        batch: Rows in one step.

    Yields:
        What to compile and train: the model itself where there is one device; otherwise a copy of it.
    """
    with graph_optimizer(remapping=False), _everywhere(head, batch) as copy:
        yield copy


@contextmanager
def _everywhere(head: Any, batch: int) -> Iterator[Any]:
    import keras

    found = devices()
    taken = found[: max(count for count in range(1, len(found) + 1) if batch % count == 0)]
    if len(taken) == 1:
        yield head
        return
    with _scope(taken):
        # Variables are where they were made.
        copy = keras.models.clone_model(head)
        copy.set_weights(head.get_weights())
        try:
            yield copy
        finally:
            weights = copy.get_weights()
    head.set_weights(weights)


def devices() -> list[str]:
    """Names of the devices that Keras can train on together, as its back end knows them; at least one."""
    import keras

    backend = keras.backend.backend()
    if backend == "jax":
        return list(keras.distribution.list_devices())
    if backend == "tensorflow":
        import tensorflow as tf

        names = {kind: [device.name for device in tf.config.list_logical_devices(kind)] for kind in ("GPU", "CPU")}
        return names["GPU"] or names["CPU"]
    return [backend]


def _scope(names: list[str]) -> AbstractContextManager[Any]:
    import keras

    if keras.backend.backend() == "jax":
        scope: AbstractContextManager[Any] = keras.distribution.DataParallel(devices=names).scope()
        return scope
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(names).scope()  # type: ignore[no-any-return]
