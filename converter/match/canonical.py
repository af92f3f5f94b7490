"""Layers → `Network`: normal form, then everything folded away that is not a step of its own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from converter.blueprints.specs import Blueprint
from converter.match.network import Network
from converter.ops import records
from converter.ops.forms.layer import Part, View, parts
from converter.ops.node import Node, Ref, Shape, Slot


class NetworkBuilder:
    """Collects layers in execution order.

    Args:
        inputs: Name → value.
        shapes: Extents of the inputs, without the batch axis.
    """

    def __init__(self, inputs: Mapping[str, Ref], shapes: Mapping[Ref, Shape]) -> None:
        self._inputs = dict(inputs)
        self._shapes = dict(shapes)
        self._nodes: list[Node] = []
        self._same: dict[Ref, Ref] = {}  # outputs of layers that hand on what they get

    def add(
        self,
        view: View,
        name: str,
        ends: tuple[tuple[Ref, ...], tuple[Ref, ...]],
        slots: Mapping[str, Slot],
        origin: Any,
    ) -> None:
        """Add a layer.

        Args:
            view: What it is.
            name: What it is called.
            ends: Its operands and its results.
            slots: The layer's own names for its weights → where they are.
            origin: What the nodes shall refer to.
        """
        inputs, outputs = tuple(map(self.same, ends[0])), ends[1]
        steps = parts(view)
        if not steps:
            self._same[outputs[0]] = inputs[0]
            return
        known = {attribute for step in steps for attribute in step.weights.values()}
        for number, step in enumerate(steps):
            is_last = number == len(steps) - 1
            made: tuple[Ref, ...] = outputs if is_last else (f"{outputs[0]}:{step.kind}",)
            weights = {ours: slots[theirs] for ours, theirs in step.weights.items() if theirs in slots}
            if is_last:
                weights |= {attribute: slot for attribute, slot in slots.items() if attribute not in known}
            self._nodes.append(Node(name, step.kind, step.config, weights, inputs, made, (name,), origin))
            self._shapes |= dict(zip(made, view.outputs if is_last else [_inner_shape(view, step)], strict=True))
            inputs = made

    def same(self, value: Ref) -> Ref:
        """The value itself, or the one that layers without effect have handed on."""
        return self._same.get(value, value)

    def build(self, outputs: tuple[tuple[str, Ref], ...], loose: tuple[Node, ...] = ()) -> Network:
        """The network with these outputs."""
        ends = tuple((name, self.same(ref)) for name, ref in outputs)
        nodes = _fold(self._nodes, {ref for _, ref in ends})
        return Network(tuple(nodes), self._shapes, self._inputs, ends, loose)


def _inner_shape(view: View, step: Part) -> Shape:
    """What lies between the steps of one layer has its result's shape, except for the channels."""
    shape = view.outputs[0]
    return shape if step.channels is None else (*shape[:-1], step.channels)


def network_of_blueprint(plan: Blueprint) -> Network:
    """What the file computes."""
    tensors = plan.graph.tensors
    shapes: dict[Ref, Shape] = {tensor.index: tensor.shape[1:] for tensor in tensors if tensor.storage is None}
    builder = NetworkBuilder(plan.inputs, shapes)
    for spec in plan.specs:
        results = tuple(shapes.get(ref, ()) for ref in spec.outputs)
        if isinstance(spec.outputs[0], str):  # between the layers of one operator: as its result, as far as it counts
            results = (shapes[spec.op.outputs[0]],)
            shapes[spec.outputs[0]] = results[0]
        view = View(spec.layer, spec.config, tuple(shapes.get(ref, ()) for ref in spec.inputs), results)
        slots = {
            attribute: Slot(weight.layout.keras_shape(tensors[weight.tensor].shape), weight)
            for attribute, weight in spec.weights.items()
        }
        builder.add(view, spec.name, (spec.inputs, spec.outputs), slots, spec)
    return builder.build(tuple(plan.outputs.items()))


def _fold(nodes: list[Node], ends: set[Ref]) -> list[Node]:
    """Join nodes that are one step: padding with a kernel, a kernel with cropping or batch normalization."""
    readers: dict[Ref, int] = dict.fromkeys(ends, 1)
    for node in nodes:
        for ref in node.inputs:
            readers[ref] = readers.get(ref, 0) + 1
    kept: list[Node] = []
    by_output: dict[Ref, int] = {}
    for node in nodes:
        place = by_output.get(node.inputs[0]) if len(node.inputs) == 1 else None
        joined = _join(kept[place], node) if place is not None and readers[node.inputs[0]] == 1 else None
        if joined and place is not None:
            kept[place] = joined
        else:
            kept.append(node)
            place = len(kept) - 1
        by_output[node.outputs[0]] = place
    return kept


def _is_foldable(kernel: Node, batch_norm: Node) -> bool:
    return "batch_norm" not in kernel.config and batch_norm.config["axis"] == -1


def _join(first: Node, second: Node) -> Node | None:
    config: dict[str, Any] = {}
    main, weights = first, dict(first.weights)
    if first.kind == "pad" and second.kind in ("conv", "depthwise") and not any(map(any, second.config["padding"])):
        pads = first.config["paddings"]
        if len(first.config) > 1 or len(pads) != 3 or any(pads[2]):
            return None
        main, weights, config = second, dict(second.weights), {"padding": pads[:2]}
    elif first.kind == "conv_transpose" and second.kind == "cropping":
        both = zip(first.config["cropping"], second.config["cropping"], strict=True)
        config = {"cropping": tuple((a[0] + b[0], a[1] + b[1]) for a, b in both)}
    elif records.kind(first.kind).scaled_axes and second.kind == "batch_norm" and _is_foldable(first, second):
        config = {"batch_norm": second.name, "epsilon": second.config["epsilon"]}
        weights |= {f"batch_norm/{attribute}": slot for attribute, slot in second.weights.items()}
    else:
        return None
    layers = tuple(dict.fromkeys((*first.layers, *second.layers)))
    return replace(
        main,
        config=dict(main.config) | config,
        weights=weights,
        inputs=first.inputs,
        outputs=second.outputs,
        layers=layers,
    )
