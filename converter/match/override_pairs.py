"""Rows of an override table → pairs of layers and weights, or an error that quotes the row."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from converter.blueprints.specs import Blueprint
from converter.match.matching import Evidence, match
from converter.match.network import Network
from converter.match.overrides import Override
from converter.ops.layouts import LAYOUT_NAMES, Layout, named
from converter.ops.node import Node, Slot
from converter.ops.steps import Weight


class _End(NamedTuple):
    node: Node
    attribute: str
    slot: Slot


@dataclass
class Given:
    """What the rows say.

    Attributes:
        nodes: Pairs of layers.
        assignments: id of a variable → (the file's weight with its layout, the variable's slot).
    """

    nodes: list[tuple[Node, Node]] = field(default_factory=list)
    assignments: dict[int, tuple[Weight, Slot]] = field(default_factory=dict)


def resolve(overrides: Sequence[Override], ours: Network, theirs: Network, blueprint: Blueprint) -> Given:
    """Find what every row names.

    Raises:
        BadOverride: A row names something unknown, fits nothing, contradicts another row, or does nothing.
    """
    given = Given()
    if not overrides:
        return given
    rows: dict[int, Override] = {}  # id of a node of either side → the row that pairs it
    by_name = {
        (id(pair.ours), id(pair.theirs)) for pair in match(ours, theirs).matches if pair.evidence is Evidence.NAME
    }
    for row in overrides:
        left, right = _tensor(row, ours, blueprint), _variable(row, theirs)
        weight = Weight(left.slot.holder.tensor, _layout(row, left, right, blueprint))
        earlier = rows.get(id(left.node)) or rows.get(id(right.node))
        if id(right.slot.holder) in given.assignments:
            raise row.error(f"gives a variable a second value; {earlier.place if earlier else 'another row'} has it")
        if earlier and (left.node, right.node) not in given.nodes:
            raise row.error(f"contradicts {earlier.place} ({earlier.tensor!r} → {earlier.variable!r})")
        is_own_name = left.attribute == right.attribute and row.layout in (None, left.slot.holder.layout.name)
        if is_own_name and (earlier or (id(left.node), id(right.node)) in by_name):
            reason = f"it follows from {earlier.place}" if earlier else "both are matched by name already"
            raise row.error(f"does nothing: {reason}", hint="delete the row")
        rows[id(left.node)] = rows[id(right.node)] = row
        given.nodes.append((left.node, right.node))
        given.assignments[id(right.slot.holder)] = (weight, right.slot)
    return given


def _tensor(row: Override, network: Network, blueprint: Blueprint) -> _End:
    names: dict[str, list[_End]] = {}
    for node in network.all_nodes():
        for attribute, slot in node.weights.items():
            name = blueprint.graph.tensors[slot.holder.tensor].name
            names.setdefault(name, []).append(_End(node, attribute, slot))
    ends = names.get(row.tensor, [])
    if not ends:
        raise row.error(
            f"names tensor {row.tensor!r}, which the file does not have as a weight", _similar(row.tensor, names)
        )
    if len(ends) > 1:
        layers = ", ".join(end.node.name for end in ends)
        raise row.error(f"names a tensor that {len(ends)} layers share: {layers}", "name the layer's kernel instead")
    return ends[0]


def _variable(row: Override, network: Network) -> _End:
    ends = {
        path: _End(node, attribute, slot)
        for node in network.all_nodes()
        for attribute, slot in node.weights.items()
        for path in (slot.holder.path, f"{node.name}/{attribute}")
    }
    if row.variable not in ends:
        raise row.error(f"names variable {row.variable!r}, which the model does not have", _similar(row.variable, ends))
    return ends[row.variable]


def _layout(row: Override, left: _End, right: _End, blueprint: Blueprint) -> Layout:
    own: Layout = left.slot.holder.layout
    file_shape = blueprint.graph.tensors[left.slot.holder.tensor].shape
    layout = named(row.layout, file_shape, right.slot.shape) if row.layout else own
    if layout is None or layout.keras_shape(file_shape) != right.slot.shape:
        fitting = [name for name in LAYOUT_NAMES if named(name, file_shape, right.slot.shape)]
        raise row.error(
            f"does not fit: the tensor has shape {file_shape}, the variable {right.slot.shape}",
            hint=f"layouts that would fit: {', '.join(fitting)}" if fitting else "no layout makes one of the other",
        )
    return layout


def _similar(name: str, known: dict[str, object] | dict[str, _End] | dict[str, list[_End]]) -> str:
    close = difflib.get_close_matches(name, list(known), 3, cutoff=0.4)
    return f"did you mean {' or '.join(close)}?" if close else ""
