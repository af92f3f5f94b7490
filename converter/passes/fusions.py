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

    Zeros around a picture that several kernels read become part of each, as they are where only one reads them:
    which of the two it is depends on the rest of the network, not on the step.

    Args:
        nodes: In execution order.
        ends: Values that are read from outside.
    """
    nodes, ends = list(nodes), set(ends)
    readers: dict[Value, list[Node]] = {}
    for node in nodes:
        for value in dict.fromkeys(node.inputs):
            readers.setdefault(value, []).append(node)

    def only_for(maker: Node, value: Value) -> bool:
        """Whether nothing is left that would need the value by itself."""
        reading = readers[value]
        return value not in ends and (
            len(reading) == 1 or all(len(node.inputs) == 1 and _padding(maker, node) for node in reading)
        )

    kept: dict[Value, Node] = {}  # by the first of its results
    taken: set[Value] = set()
    for node in nodes:
        made = None
        for value in node.inputs if len(node.inputs) == 1 else ():
            maker = kept.get(value)
            made = join(maker, node) if maker and only_for(maker, value) else None
            taken |= {value} if made else set()
        kept[node.outputs[0]] = made or node
    return [node for value, node in kept.items() if value not in taken]


def unfuse(nodes: Iterable[Node]) -> Iterator[Node]:
    """The opposite of `fuse`: the layers' own nodes, as they were, each once."""
    return iter(dict.fromkeys(_apart(nodes)))


def _apart(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        yield from _apart(node.joined) if node.joined else (node,)
