"""Layers → `Network`: the same few kinds of node for both sides, those that are one step folded into one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from converter.blueprints.specs import Blueprint
from converter.match.ends import End
from converter.match.network import Network
from converter.ops.forms import Node, Part, Shape, Slot, Value, View, parts
from converter.passes.fusions import fuse


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer on its way into a network.

    Attributes:
        name: What it is called.
        view: What it is.
        inputs: Its operands.
        outputs: Its results.
        slots: The layer's own names for its weights → where they are.
        origin: What the nodes shall refer to.
    """

    name: str
    view: View
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    slots: Mapping[str, Slot]
    origin: Any


class NetworkBuilder:
    """Collects layers in execution order.

    Args:
        inputs: Name → value.
        shapes: Extents of the inputs, without the batch axis.
    """

    def __init__(self, inputs: Mapping[str, Value], shapes: Mapping[Value, Shape]) -> None:
        self._shapes = dict(shapes)
        self._inputs = self._ends(inputs.items())
        self._nodes: list[Node] = []
        self._same: dict[Value, Value] = {}  # outputs of layers that hand on what they get

    def add(self, layer: Layer) -> None:
        """Add a layer."""
        inputs = tuple(map(self.same, layer.inputs))
        made = parts(layer.view)
        if not made:
            self._same[layer.outputs[0]] = inputs[0]
            return
        known = {attribute for part in made for attribute in part.weights.values()}
        for part in made:
            is_last = part is made[-1]
            outputs = layer.outputs if is_last else (layer.outputs[0].inner(part.kind),)
            weights = {ours: layer.slots[theirs] for ours, theirs in part.weights.items() if theirs in layer.slots}
            if is_last:
                weights |= {attribute: slot for attribute, slot in layer.slots.items() if attribute not in known}
            weights |= {name: weights[name].seen_as(shape) for name, shape in part.shapes.items() if name in weights}
            self._nodes.append(Node(layer.name, part.kind, part.config, weights, inputs, outputs, layer.origin))
            shapes = layer.view.outputs if is_last else (_inner_shape(layer.view, part),)
            self._shapes |= dict(zip(outputs, shapes, strict=True))
            inputs = outputs

    def same(self, value: Value) -> Value:
        """The value itself, or the one that layers without effect have handed on."""
        return self._same.get(value, value)

    def build(self, outputs: Iterable[tuple[str, Value]], loose: tuple[Node, ...] = ()) -> Network:
        """The network with these outputs."""
        ends = self._ends((name, self.same(value)) for name, value in outputs)
        nodes = fuse(self._nodes, (end.value for end in ends))
        return Network(tuple(nodes), self._shapes, self._inputs, ends, loose)

    def _ends(self, named: Iterable[tuple[str, Value]]) -> tuple[End, ...]:
        return tuple(End(at, name, value, self._shapes.get(value)) for at, (name, value) in enumerate(named))


def _inner_shape(view: View, part: Part) -> Shape:
    """What lies between the steps of one layer has its result's shape, except for the channels."""
    shape = view.outputs[0]
    return shape if part.channels is None else (*shape[:-1], part.channels)


def network_of_blueprint(plan: Blueprint) -> Network:
    """What the file computes."""
    tensors = plan.graph.tensors
    builder = NetworkBuilder({name: Value(index) for name, index in plan.inputs.items()}, plan.shapes)
    for spec in plan.specs:
        operands, results = (tuple(plan.shapes[value] for value in each) for each in (spec.inputs, spec.outputs))
        slots = {
            attribute: Slot(weight.layout.keras_shape(tensors[weight.tensor].shape), weight)
            for attribute, weight in spec.weights.items()
        }
        view = View(spec.layer, spec.config, operands, results)
        builder.add(Layer(spec.name, view, spec.inputs, spec.outputs, slots, spec))
    return builder.build(plan.outputs.items())
