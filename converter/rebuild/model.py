"""Blueprint → a functional `keras.Model` whose weights are the file's."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from converter.blueprints.specs import Blueprint, LayerSpec
from converter.errors import MissingBackend, ShapeDisagreement
from converter.extras import how_to_install
from converter.ops import records
from converter.ops.forms import Value, Weight
from converter.rebuild.depth import deep_graph

if TYPE_CHECKING:
    import keras

# Called after each layer with (layers done, layers in all).
Progress = Callable[[int, int], None]


@contextmanager
def uncollected() -> Iterator[None]:
    """Without Python's garbage collector, around what makes many objects and drops few.

    It would look through all of them again and again: an eighth of what importing TensorFlow takes, and a third of what
    building or loading a model does.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@uncollected()
def rebuild(plan: Blueprint, progress: Progress | None = None) -> "keras.Model":
    """Instantiate every layer of a blueprint and give it its weights.

    Args:
        plan: What to build.
        progress: Called after every layer.

    Returns:
        A functional model: float32 inputs [N, …] with N free, outputs in the file's order (one alone is not
        wrapped in a list), every weight a variable of a layer named as in the blueprint.

    Raises:
        MissingBackend: Keras, or the back end that it is set to, is not installed.
        ShapeDisagreement: Keras refuses a layer that the blueprint has.
    """
    keras = import_keras()
    values: dict[Value, Any] = {
        Value(index): keras.Input(plan.graph.tensors[index].shape[1:], name=name) for name, index in plan.inputs.items()
    }
    inputs = list(values.values())
    for done, spec in enumerate(plan.specs, start=1):
        operands = [values[value] for value in spec.inputs]
        try:
            layer = make_layer(spec)
            with _weights_as_initializers(layer, spec, plan):
                made = layer(operands[0] if len(operands) == 1 else operands)
        except (TypeError, ValueError) as error:
            raise ShapeDisagreement(f"{spec.op}: Keras refuses layer {spec.name!r}: {error}") from error
        values.update(zip(spec.outputs, made if isinstance(made, (list, tuple)) else [made], strict=True))
        if progress:
            progress(done, len(plan.specs))
    outputs = [values[value] for value in plan.outputs.values()]
    with deep_graph(len(plan.specs)):
        return keras.Model(
            inputs if len(inputs) > 1 else inputs[0], outputs if len(outputs) > 1 else outputs[0], name=plan.name
        )


@uncollected()
def import_keras() -> Any:
    """Import Keras and its back end, together with our own layers.

    Raises:
        MissingBackend: One of them is not installed; the message says how to get it.
    """
    try:
        import keras

        import converter.layers  # noqa: F401 - registers them
    except (ImportError, ValueError) as error:
        raise MissingBackend(
            f"Keras cannot start: {error}",
            hint=f"{how_to_install('tensorflow')} (or [jax], [torch] with KERAS_BACKEND=jax or torch)",
        ) from None
    return keras


def make_layer(spec: LayerSpec) -> Any:
    """One layer without weights: ours if we have a class of that name, else Keras's."""
    import keras

    from converter import layers

    cls = getattr(layers, spec.layer) if spec.layer in layers.__all__ else getattr(keras.layers, spec.layer)
    return cls(name=spec.name, **spec.config)


@contextmanager
def _weights_as_initializers(layer: Any, spec: LayerSpec, plan: Blueprint) -> Iterator[None]:
    """Let a layer be built with its weights: drawing random numbers first takes longer than all the rest.

    Afterwards the layer has its own initializers again, so that its configuration is an ordinary one.
    """
    own = {}
    for attribute, weight in spec.weights.items():
        name = records.layer(spec.layer).initializers.get(attribute, f"{attribute}_initializer")
        own[name] = getattr(layer, name)
        setattr(layer, name, _initializer(weight, spec, plan))
    yield
    for name, initializer in own.items():
        setattr(layer, name, initializer)


def _initializer(weight: Weight, spec: LayerSpec, plan: Blueprint) -> Callable[..., Any]:
    tensor, array = plan.graph.tensors[weight.tensor], weight.values(plan.graph)

    def initialize(shape: tuple[int, ...], dtype: Any = None) -> Any:
        if tuple(shape) != array.shape:
            raise ShapeDisagreement(f"{spec.op}: {tensor} has shape {array.shape}, {spec.name} needs {tuple(shape)}")
        from keras import backend, ops

        value = ops.convert_to_tensor(array, dtype=dtype)
        # PyTorch shares memory with numpy: without a copy, training would write into the mapped file.
        return ops.copy(value) if backend.backend() == "torch" else value

    return initialize
