"""Two nodes that are one step, joined and taken apart again: what exporters fold, as named passes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from converter.ops import records
from converter.ops.forms import Node, Value

# A node and the only one that reads its result → the first or the second with what it takes from the other; None if
# they are two steps.
Fusion = Callable[[Node, Node], Node | None]


def _padding(first: Node, second: Node) -> Node | None:
    """Zeros around a picture, and the kernel that reads it."""
    if first.kind != "pad" or second.kind not in ("conv", "depthwise") or any(map(any, second.config["padding"])):
        return None
    pads = first.config["paddings"]
    is_plain = len(first.config) == 1 and len(pads) == 3 and not any(pads[2])
    return replace(second, config={**second.config, "padding": pads[:2]}) if is_plain else None


def _cropping(first: Node, second: Node) -> Node | None:
    """A transposed convolution, and what is cut off its result."""
    if first.kind != "conv_transpose" or second.kind != "cropping":
        return None
    both = zip(first.config["cropping"], second.config["cropping"], strict=True)
    return replace(first, config={**first.config, "cropping": tuple((a[0] + b[0], a[1] + b[1]) for a, b in both)})


def _batch_norm(first: Node, second: Node) -> Node | None:
    """A kernel, and the batch normalization of its result."""
    if not records.kind(first.kind).scaled_axes or second.kind != "batch_norm" or second.config["axis"] != -1:
        return None
    if "batch_norm" in first.config:
        return None
    config = {**first.config, "batch_norm": second.name, "epsilon": second.config["epsilon"]}
    weights = {f"batch_norm/{attribute}": slot for attribute, slot in second.weights.items()}
    return replace(first, config=config, weights={**first.weights, **weights})


FUSIONS: Mapping[str, Fusion] = {"padding": _padding, "cropping": _cropping, "batch_norm": _batch_norm}


def join(first: Node, second: Node) -> Node | None:
    """The one step that two nodes are, by one of the `FUSIONS`; undone by taking what it keeps as `joined`."""
    made = next(filter(None, (fusion(first, second) for fusion in FUSIONS.values())), None)
    return made and replace(made, inputs=first.inputs, outputs=second.outputs, joined=(first, second))


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
        made = join(kept[place], node) if place is not None and readers[node.inputs[0]] == 1 else None
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
