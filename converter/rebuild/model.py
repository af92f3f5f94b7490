"""Blueprint → a functional `keras.Model` whose weights are the file's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.blueprints.specs import Blueprint, LayerSpec
from converter.errors import MissingBackend, ShapeDisagreement
from converter.extras import how_to_install
from converter.ops import records
from converter.ops.forms import Value, Weight
from converter.rebuild.depth import deep_graph
from converter.tflite.decode import decode

if TYPE_CHECKING:
    import keras

# Called after each layer with (layers done, layers in all).
Progress = Callable[[int, int], None]


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
        ShapeDisagreement: A layer gives another shape than the file declares.
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
        results = made if isinstance(made, (list, tuple)) else [made]
        if len(results) != len(spec.outputs):
            raise ShapeDisagreement(f"{spec.op}: layer {spec.name!r} gives {len(results)} results")
        for value, tensor in zip(spec.outputs, results, strict=True):
            _check_shape(value, tuple(tensor.shape), spec, plan)
            values[value] = tensor
        if progress:
            progress(done, len(plan.specs))
    outputs = [values[value] for value in plan.outputs.values()]
    with deep_graph(len(plan.specs)):
        return keras.Model(
            inputs if len(inputs) > 1 else inputs[0], outputs if len(outputs) > 1 else outputs[0], name=plan.name
        )


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


def _check_shape(value: Value, shape: tuple[int | None, ...], spec: LayerSpec, plan: Blueprint) -> None:
    if shape[1:] == plan.shapes[value] and (value.tensor is None or plan.graph.tensors[value.tensor].shape):
        return
    declared = f"the next layer needs {(None, *plan.shapes[value])}"
    if value.tensor is not None:
        tensor = plan.graph.tensors[value.tensor]
        declared = f"the file declares {tensor.shape} for {tensor}"
    raise ShapeDisagreement(
        f"{spec.op}: layer {spec.name!r} gives {shape}, but {declared}",
        hint="the file contradicts itself, or unlite misreads it: please report it with `unlite inspect --json`",
    )


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
    tensor = plan.graph.tensors[weight.tensor]
    array = np.asarray(weight.layout.to_keras(decode(tensor)), order="C")

    def initialize(shape: tuple[int, ...], dtype: Any = None) -> Any:
        if tuple(shape) != array.shape:
            raise ShapeDisagreement(f"{spec.op}: {tensor} has shape {array.shape}, {spec.name} needs {tuple(shape)}")
        from keras import backend, ops

        value = ops.convert_to_tensor(array, dtype=dtype)
        # PyTorch shares memory with numpy: without a copy, training would write into the mapped file.
        return ops.copy(value) if backend.backend() == "torch" else value

    return initialize
