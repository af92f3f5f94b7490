"""Rows of an override table → pairs of layers and weights, or an error that quotes the row."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from converter.blueprints.specs import Blueprint
from converter.match.alignment.evidence import Evidence
from converter.match.matching import match
from converter.match.network import Network, Pair
from converter.match.overrides import Override
from converter.ops.forms import Node, Slot, Weight
from converter.ops.forms.layouts import LAYOUT_NAMES, Layout, named


class _Place(NamedTuple):
    node: Node
    attribute: str
    slot: Slot


@dataclass
class Given:
    """What the rows say.

    Attributes:
        nodes: Pairs of layers.
        weights: The variable's slot → the file's weight with its layout.
    """

    nodes: list[Pair[Node]] = field(default_factory=list)
    weights: dict[Slot, Weight] = field(default_factory=dict)


def resolve(overrides: Sequence[Override], ours: Network, theirs: Network, blueprint: Blueprint) -> Given:
    """Find what every row names.

    Raises:
        BadOverride: A row names something unknown, fits nothing, contradicts another row, or does nothing.
    """
    given = Given()
    if not overrides:
        return given
    rows: dict[Node, Override] = {}  # node of either side → the row that pairs it
    by_name = {(pair.ours, pair.theirs) for pair in match(ours, theirs).matches if pair.evidence is Evidence.NAME}
    for row in overrides:
        left, right = _tensor(row, ours, blueprint), _variable(row, theirs)
        pair = Pair(left.node, right.node)
        weight = Weight(left.slot.holder.tensor, _layout(row, left, right, blueprint))
        earlier = rows.get(left.node) or rows.get(right.node)
        if right.slot in given.weights:
            raise row.error(f"gives a variable a second value; {earlier.place if earlier else 'another row'} has it")
        if left.attribute == "bias" and left.node.family != right.node.family:
            given.weights[right.slot] = weight  # a bias that is a layer of its own does not take the kernel along
            continue
        if earlier and pair not in given.nodes:
            raise row.error(f"contradicts {earlier.place} ({earlier.tensor!r} → {earlier.variable!r})")
        is_own_name = left.attribute == right.attribute and row.layout in (None, left.slot.holder.layout.name)
        if is_own_name and (earlier or (left.node, right.node) in by_name):
            reason = f"it follows from {earlier.place}" if earlier else "both are matched by name already"
            raise row.error(f"does nothing: {reason}", hint="delete the row")
        rows[left.node] = rows[right.node] = row
        given.nodes.append(pair)
        given.weights[right.slot] = weight
    return given


def _tensor(row: Override, network: Network, blueprint: Blueprint) -> _Place:
    names: dict[str, list[_Place]] = {}
    for node in network.all_nodes():
        for attribute, slot in node.weights.items():
            name = blueprint.graph.tensors[slot.holder.tensor].name
            names.setdefault(name, []).append(_Place(node, attribute, slot))
    places = names.get(row.tensor, [])
    if not places:
        raise row.error(
            f"names tensor {row.tensor!r}, which the file does not have as a weight", _similar(row.tensor, names)
        )
    if len(places) > 1:
        layers = ", ".join(place.node.name for place in places)
        raise row.error(f"names a tensor that {len(places)} layers share: {layers}", "name the layer's kernel instead")
    return places[0]


def _variable(row: Override, network: Network) -> _Place:
    places = {
        path: _Place(node, attribute, slot)
        for node in network.all_nodes()
        for attribute, slot in node.weights.items()
        for path in (getattr(slot.holder, "path", ""), f"{node.name}/{attribute}")
    }
    if row.variable not in places:
        raise row.error(
            f"names variable {row.variable!r}, which the model does not have", _similar(row.variable, places)
        )
    return places[row.variable]


def _layout(row: Override, left: _Place, right: _Place, blueprint: Blueprint) -> Layout:
    own: Layout = left.slot.holder.layout
    file_shape = blueprint.graph.tensors[left.slot.holder.tensor].shape
    if row.layout in (None, own.name) and left.slot.shape == right.slot.shape:
        return own
    shape = tuple(right.slot.holder.shape)  # people know the variable's own, which the node may see as another
    made = ((name, named(name, file_shape, each)) for each in (shape, right.slot.shape) for name in LAYOUT_NAMES)
    fitting = {name: layout for name, layout in made if layout}
    layout = fitting.get(row.layout or "")
    if layout is None:
        raise row.error(
            f"does not fit: the tensor has shape {file_shape}, the variable {shape}",
            hint=f"layouts that would fit: {', '.join(fitting)}" if fitting else "no layout makes one of the other",
        )
    return layout


def _similar(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 3, cutoff=0.4)
    return f"did you mean {' or '.join(close)}?" if close else ""
