"""Somebody's Keras model → `Network`: every layer call inside it, however the model was written.

Functional and Sequential models, models within models, and layers of one's own that hold other layers are all
entered; what cannot be traced symbolically (a `call` that needs real numbers) stays closed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from operator import is_
from typing import Any
from unittest import mock

from converter.errors import UnsupportedModel
from converter.match.canonical import Layer, NetworkBuilder
from converter.match.network import Network
from converter.ops.forms import Node, Slot, Value, View, parts
from converter.rebuild.model import import_keras

# Wrappers that call what they hold several times, or in a loop.
CLOSED = ("RNN", "Bidirectional", "TimeDistributed", "Wrapper")
# Where Keras's layers keep their weights; a variable's own name may be another (`DepthwiseConv2D`: `kernel`).
ATTRIBUTES = ("kernel", "depthwise_kernel", "pointwise_kernel", "bias", "alpha", "gamma", "beta")
UNKNOWN = (None, None, None)


@dataclass(frozen=True, eq=False, slots=True)
class Call:
    """One layer (or `keras.ops` operation) called once; equal only to itself.

    Attributes:
        name: Path through the models and layers that hold it, e.g. `backbone/conv2d_3`.
        layer: What is called.
        args: Its arguments, with symbolic tensors in place of values.
        kwargs: As `args`.
        inputs: The symbolic tensors among the arguments, in order.
        outputs: What it gave.
        holders: The layers that hold it, outermost first.
    """

    name: str
    layer: Any
    args: tuple[Any, ...] = field(repr=False)
    kwargs: dict[str, Any] = field(repr=False)
    inputs: tuple[Any, ...] = field(repr=False)
    outputs: tuple[Any, ...] = field(repr=False)
    holders: tuple[Any, ...] = field(default=(), repr=False)

    def with_operands(self, of: Callable[[Any], Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Its arguments with something else in place of each of its inputs."""
        from keras import tree

        # How nearly every layer is called, without taking anything apart: one value, or a list of them.
        if not self.kwargs and len(self.args) == 1:
            (given,) = self.args
            if len(self.inputs) == 1 and given is self.inputs[0]:
                return (of(given),), {}
            if type(given) is list and len(given) == len(self.inputs) and all(map(is_, given, self.inputs)):
                return ([of(each) for each in given],), {}
        kinds = tuple({type(each) for each in self.inputs})
        args, kwargs = tree.map_structure(lambda x: of(x) if isinstance(x, kinds) else x, (self.args, self.kwargs))
        return args, kwargs


@dataclass(frozen=True, slots=True)
class KerasNetwork:
    """A traced model.

    Attributes:
        network: In canonical form.
        calls: In execution order.
        values: Symbolic tensor → the network's value.
        slots: One per variable of the model.
        model: What was traced.
        arguments: Symbolic inputs as the model takes them: alone, as a list or as a dictionary.
        returned: Symbolic outputs as the model returns them.
    """

    network: Network
    calls: tuple[Call, ...]
    values: dict[Any, Value]
    slots: tuple[Slot, ...]
    model: Any
    arguments: Any
    returned: Any

    @property
    def has_named_outputs(self) -> bool:
        """Whether it returns a dictionary, whose order says nothing."""
        return isinstance(self.returned, dict)


def keras_network(model: Any) -> KerasNetwork:
    """Trace a model.

    Args:
        model: A built `keras.Model` with fixed input shapes.

    Raises:
        UnsupportedModel: It has no fixed inputs, or cannot be called.
    """
    keras = import_keras()
    inputs, arguments = _inputs(model)
    tracer = _Tracer(keras)
    with tracer.recording():
        try:
            made = model.call(arguments)
        except Exception as error:  # whatever a user's `call` does with what is no number
            raise UnsupportedModel(
                f"model {model.name!r} cannot be traced: {error}",
                hint="a layer of yours that uses TensorFlow directly has to use keras.ops instead",
            ) from error
    symbol = keras.KerasTensor  # also for what it returns without having computed it
    returned = keras.tree.map_structure(
        lambda x: x if isinstance(x, symbol) else symbol(tuple(getattr(x, "shape", ()))), made
    )
    outputs = keras.tree.flatten(returned)
    names = list(getattr(model, "output_names", ())) or [f"output_{i}" for i in range(len(outputs))]
    every = (*inputs, *(t for call in tracer.calls for t in (*call.inputs, *call.outputs)), *outputs)
    values = {tensor: Value(number) for number, tensor in enumerate(dict.fromkeys(every))}
    builder = NetworkBuilder(
        {tensor.name: values[tensor] for tensor in inputs},
        {values[tensor]: tuple(tensor.shape[1:]) for tensor in inputs},
    )
    for call in tracer.calls:
        view = View(_class_name(call.layer), _settings(call), _shapes(call.inputs), _shapes(call.outputs))
        operands, results = (tuple(values[t] for t in tensors) for tensors in (call.inputs, call.outputs))
        builder.add(Layer(call.name, view, operands, results, _slots_of(call.layer), call))
    loose = tuple(_loose(model, {call.layer for call in tracer.calls}))
    network = builder.build(zip(names, (values[tensor] for tensor in outputs), strict=True), loose)
    values = {tensor: builder.same(value) for tensor, value in values.items()}
    every_slot = tuple(map(_slot_of, model.weights))
    return KerasNetwork(network, tuple(tracer.calls), values, every_slot, model, arguments, returned)


def _class_name(layer: Any) -> str:
    """The class, with its module where it is somebody's own: then it may do anything, whatever its name is."""
    cls = type(layer)
    is_known = cls.__module__.partition(".")[0] in ("keras", "converter")
    return cls.__name__ if is_known else f"{cls.__module__}.{cls.__name__}"


def _settings(call: Call) -> dict[str, Any]:
    """The layer's own, and what an operation of `keras.ops` takes when it is called."""
    import keras

    called = () if isinstance(call.layer, keras.Layer) else call.kwargs.items()
    return config_of(call.layer) | {
        name: value for name, value in called if value is not None and not isinstance(value, keras.KerasTensor)
    }


def config_of(layer: Any) -> dict[str, Any]:
    """The settings of a layer, or of an operation of `keras.ops`, which has only attributes."""
    import keras

    if isinstance(layer, keras.Layer):
        try:
            return dict(layer.get_config())
        except NotImplementedError:  # a layer of one's own without `get_config`
            return {}
    return {name: value for name, value in vars(layer).items() if not name.startswith("_")}


def _inputs(model: Any) -> tuple[list[Any], Any]:
    """Symbolic inputs like the model's own: all of them in order, and as it takes them (alone, list, dictionary)."""
    import keras

    if not isinstance(model, keras.Model):
        raise UnsupportedModel(f"expected a keras.Model, got {type(model).__name__}")
    try:
        structure = model.input
    except (AttributeError, ValueError):  # subclassed: nothing says what it takes but what it was built with
        structure = _built_shapes(model)
    given = keras.tree.flatten(structure)
    if not given or any(extent is None for tensor in given for extent in tensor.shape[1:]):
        raise UnsupportedModel(
            f"model {model.name!r} has no fixed input shape",
            hint="build it first: model.build((None, height, width, channels)), or use keras.Input",
        )
    named = {layer.output: layer.name for layer in model.layers if isinstance(layer, keras.layers.InputLayer)}
    made = [keras.KerasTensor(tuple(x.shape), getattr(x, "dtype", "float32"), name=named.get(x, x.name)) for x in given]
    return made, keras.tree.pack_sequence_as(structure, made)


def _built_shapes(model: Any) -> Any:
    import keras

    config = model.get_build_config() if model.built else None
    shape: Any = (config or {}).get("input_shape")
    is_one = bool(shape) and not isinstance(shape[0], (list, tuple, dict))
    return keras.KerasTensor(tuple(shape), name="input") if is_one else []


class _Tracer:
    """Records the calls of all layers that hold no other layers."""

    def __init__(self, keras: Any) -> None:
        self.calls: list[Call] = []
        self._keras = keras
        self._holders: list[Any] = []

    @contextmanager
    def recording(self) -> Iterator[None]:
        """While this is open, symbolic calls enter layers that hold layers, and are recorded."""
        with ExitStack() as patches:
            for cls in (self._keras.Layer, self._keras.Operation):
                patches.enter_context(mock.patch.object(cls, "symbolic_call", self._recorder(cls.symbolic_call)))
            yield

    def _recorder(self, symbolic_call: Any) -> Any:
        def record(operation: Any, *args: Any, **kwargs: Any) -> Any:
            if _holds_layers(operation):
                before = len(self.calls)
                self._holders.append(operation)
                try:
                    return operation.call(*args, **kwargs)
                except Exception:  # noqa: BLE001 - whatever a user's `call` does with what is no number
                    del self.calls[before:]
                finally:
                    self._holders.pop()
            made = symbolic_call(operation, *args, **kwargs)
            self._append(operation, args, kwargs, made)
            return made

        return record

    def _append(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], made: Any) -> None:
        flatten = self._keras.tree.flatten
        inputs = tuple(t for t in flatten((args, kwargs)) if isinstance(t, self._keras.KerasTensor))
        holders = tuple(self._holders)
        name = "/".join(holder.name for holder in (*holders, operation))
        self.calls.append(Call(name, operation, args, kwargs, inputs, tuple(flatten(made)), holders))


def _sublayers(operation: Any) -> list[Any]:
    return list(getattr(operation, "_layers", ()))


def _holds_layers(operation: Any) -> bool:
    """Whether it is entered. Keras's own layers with weights are not: what they hold is an activation."""
    own = getattr(operation, "_trainable_variables", ()) and type(operation).__module__.startswith("keras.")
    return bool(_sublayers(operation)) and not _is_closed(operation) and not own


def _is_closed(operation: Any) -> bool:
    return any(cls.__name__ in CLOSED for cls in type(operation).__mro__)


def _shapes(tensors: Sequence[Any]) -> tuple[tuple[int | None, ...], ...]:
    return tuple(tuple(tensor.shape[1:]) for tensor in tensors)


def _slot_of(variable: Any) -> Slot:
    return Slot(tuple(variable.shape), variable)


def _slots_of(layer: Any) -> dict[str, Slot]:
    """The layer's own weights under the names of its attributes, or else of its variables."""
    if _holds_layers(layer):
        return {}  # they belong to the layers inside
    slots: dict[str, Slot] = {}
    for variable in getattr(layer, "weights", ()):
        named = [name for name in ATTRIBUTES if getattr(layer, name, None) is variable]
        attribute = named[0] if named else variable.name
        slots[variable.path if attribute in slots else attribute] = _slot_of(variable)
    return slots


def _loose(holder: Any, placed: set[Any], path: str = "") -> Iterator[Node]:
    """Layers with weights inside what could not be entered: they have a name, but no place in the graph."""
    for layer in _sublayers(holder):
        inner = _holds_layers(layer)
        if inner:
            yield from _loose(layer, placed, f"{path}{layer.name}/")
        elif layer not in placed and layer.weights:
            view = View(_class_name(layer), config_of(layer), (UNKNOWN,), (UNKNOWN,))
            own = _slots_of(layer)
            part = next((part for part in parts(view) if part.weights), None)
            weights = {ours: own[theirs] for ours, theirs in part.weights.items()} if part else own
            yield Node(path + layer.name, part.kind if part else view.layer, {}, weights, (), (), layer)
