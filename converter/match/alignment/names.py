"""Nodes that belong together by their names.

Names come in two strengths. `regressor_16` says what it is. `conv2d_42` only counts, and counts differently after
every change: such names decide between candidates that the graph leaves open, never against the graph.
"""

import re
from collections import Counter

from converter.match.network import Network, Pair
from converter.ops.forms import Node

# Names that Keras (and the exporters) give by themselves: they count, they do not tell.
_COUNTED = re.compile(
    r"^(conv2d|depthwise_conv2d|conv2d_transpose|separable_conv2d|dense|p_re_lu|prelu|batch_normalization|conv|"
    r"depthwise|layer|re_lu|activation|add|max_pooling2d|average_pooling2d|concatenate|reshape|tf_?\w*)(_\d+)?$"
)
_NUMBER = re.compile(r"_?(\d+)$")


def telling_names(ours: Network, theirs: Network) -> list[Pair[Node]]:
    """Pairs of nodes with weights whose names agree and say more than a number."""
    left, right = _by_name(ours), _by_name(theirs)
    return [
        Pair(left[name][0], right[name][0])
        for name in left
        if len(left[name]) == len(right.get(name, ())) == 1
        and not _COUNTED.match(name)
        and fits(left[name][0], right[name][0])
    ]


def counted_names(ours: Network, theirs: Network) -> list[Pair[Node]]:
    """Pairs of nodes with weights that are the n-th of their name on both sides.

    The numbers themselves need not agree: Keras goes on counting from one model to the next. As far as the shapes
    agree, the order of the numbers counts.
    """
    pairs = []
    left, right = _counted(ours), _counted(theirs)
    for key in left:
        for a, b in zip(left[key], right.get(key, ()), strict=False):
            if not fits(a, b):
                break
            pairs.append(Pair(a, b))
    return pairs


def same_counts(ours: Network, theirs: Network) -> list[Pair[Node]]:
    """Pairs of nodes whose names agree to the number, however little that says."""
    left, right = _unique(ours), _unique(theirs)
    return [Pair(node, right[name]) for name, node in left.items() if name in right and fits(node, right[name])]


def _unique(network: Network) -> dict[str, Node]:
    counts = Counter(_last(node.name) for node in network.all_nodes())
    named = ((_last(node.name), node) for node in network.all_nodes())
    return {name: node for name, node in named if counts[name] == 1 and _COUNTED.match(name)}


def fits(left: Node, right: Node) -> bool:
    """Same family, and the weights that both have are of the same shape."""
    if left.family != right.family:
        return False
    if left.family == "activation":  # which one it is, and what it shares, is for the audit to say
        return True
    both = left.weights.keys() & right.weights.keys()
    return all(left.weights[name].shape == right.weights[name].shape for name in both)


def _by_name(network: Network) -> dict[str, list[Node]]:
    names: dict[str, list[Node]] = {}
    for node in network.all_nodes():
        if node.weights:
            names.setdefault(_last(node.name), []).append(node)
    return names


def _last(name: str) -> str:
    return name.rpartition("/")[2].lower()


def _counted(network: Network) -> dict[tuple[str, str], list[Node]]:
    groups: dict[tuple[str, str], list[Node]] = {}
    for node in network.all_nodes():
        if node.weights and _COUNTED.match(_last(node.name)):
            groups.setdefault((_NUMBER.sub("", _last(node.name)), node.kind), []).append(node)
    for nodes in groups.values():
        nodes.sort(key=_number)
    return groups


def _number(node: Node) -> int:
    found = _NUMBER.search(_last(node.name))
    return int(found[1]) if found else 0
