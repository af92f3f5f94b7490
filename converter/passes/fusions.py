"""Two nodes that are one step, joined and taken apart again: what exporters fold, as named passes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from converter.ops import records
from converter.ops.forms.node import Node, Slot, Value

# A node and the only one that reads its result → the one step that both are; None if they are two.
Join = Callable[[Node, Node], Node | None]


def _padding(first: Node, second: Node) -> Node | None:
    """Zeros around a picture, and the kernel that reads it."""
    if first.kind != "pad" or second.kind not in ("conv", "depthwise") or any(map(any, second.config["padding"])):
        return None
    pads = first.config["paddings"]
    if len(first.config) > 1 or len(pads) != 3 or any(pads[2]):
        return None
    return _joined(first, second, second, {"padding": pads[:2]})


def _cropping(first: Node, second: Node) -> Node | None:
    """A transposed convolution, and what is cut off its result."""
    if first.kind != "conv_transpose" or second.kind != "cropping":
        return None
    both = zip(first.config["cropping"], second.config["cropping"], strict=True)
    return _joined(first, second, first, {"cropping": tuple((a[0] + b[0], a[1] + b[1]) for a, b in both)})


def _batch_norm(first: Node, second: Node) -> Node | None:
    """A kernel, and the batch normalization of its result."""
    if not records.kind(first.kind).scaled_axes or second.kind != "batch_norm":
        return None
    if "batch_norm" in first.config or second.config["axis"] != -1:
        return None
    weights = {f"batch_norm/{attribute}": slot for attribute, slot in second.weights.items()}
    return _joined(first, second, first, {"batch_norm": second.name, "epsilon": second.config["epsilon"]}, weights)


def _joined(
    first: Node, second: Node, main: Node, config: Mapping[str, Any], weights: Mapping[str, Slot] | None = None
) -> Node:
    return replace(
        main,
        config={**main.config, **config},
        weights={**main.weights, **(weights or {})},
        inputs=first.inputs,
        outputs=second.outputs,
        joined=(first, second),
    )


# Every pass by name. All are undone alike: a node keeps the two that it was made of.
FUSIONS: Mapping[str, Join] = {"padding": _padding, "cropping": _cropping, "batch_norm": _batch_norm}


def fuse(nodes: Iterable[Node], ends: Iterable[Value]) -> list[Node]:
    """Join all nodes that are one step.

    Args:
        nodes: In execution order.
        ends: Values that are read from outside.
    """
    nodes = list(nodes)
    readers: dict[Value, int] = dict.fromkeys(ends, 1)
    for value in (value for node in nodes for value in node.inputs):
        readers[value] = readers.get(value, 0) + 1
    kept: list[Node] = []
    places: dict[Value, int] = {}  # value → where the node that computes it is
    for node in nodes:
        place = places.get(node.inputs[0]) if len(node.inputs) == 1 else None
        made = None
        if place is not None and readers[node.inputs[0]] == 1:
            made = next(filter(None, (join(kept[place], node) for join in FUSIONS.values())), None)
        if made and place is not None:
            kept[place] = made
        else:
            kept.append(node)
            place = len(kept) - 1
        places[node.outputs[0]] = place
    return kept


def unfuse(nodes: Iterable[Node]) -> Iterator[Node]:
    """The opposite of `fuse`: the layers' own nodes, as they were."""
    for node in nodes:
        yield from unfuse(node.joined) if node.joined else (node,)
