"""Two nodes that are one step: joined, taken apart as they were, and joined again."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from converter.match.trace import keras_network
from converter.ops.forms import Node, Slot, Value
from converter.passes.fusions import FUSIONS, fuse, unfuse
from tests.tools.lazy import architectures

PADS, PADDED = {"paddings": ((0, 1), (0, 1), (0, 0))}, {"padding": ((0, 1), (0, 1))}
KERNEL: dict[str, Any] = {"padding": ((0, 0), (0, 0))}


def chain(*steps: tuple[str, Mapping[str, Any]]) -> list[Node]:
    """Nodes of these kinds and settings, each reading the one before."""
    return [
        Node(kind, kind, config, {"weight": Slot((1,), kind)}, (Value(place),), (Value(place + 1),))
        for place, (kind, config) in enumerate(steps)
    ]


def described(nodes: Iterable[Node]) -> list[Any]:
    return [(n.name, n.kind, n.config, n.weights, n.inputs, n.outputs, n.layers, n.origin) for n in nodes]


CASES: dict[str, tuple[list[Node], Mapping[str, Any]]] = {
    "padding": (chain(("pad", PADS), ("conv", KERNEL)), PADDED),
    "cropping": (
        chain(("conv_transpose", {"cropping": ((1, 0), (0, 0))}), ("cropping", {"cropping": ((0, 1), (2, 0))})),
        {"cropping": ((1, 1), (2, 0))},
    ),
    "batch_norm": (
        chain(("dense", {"units": 2}), ("batch_norm", {"axis": -1, "epsilon": 0.1})),
        {"units": 2, "batch_norm": "batch_norm", "epsilon": 0.1},
    ),
}


@pytest.mark.parametrize("fusion", FUSIONS)
def test_two_are_one_and_two_again(fusion: str) -> None:
    nodes, config = CASES[fusion]
    (one,) = fuse(nodes, [Value(2)])
    assert (one.config, one.layers) == (config, tuple(node.name for node in nodes))
    assert set(one.weights) == ({"weight", "batch_norm/weight"} if fusion == "batch_norm" else {"weight"})
    assert (one.inputs, one.outputs) == (nodes[0].inputs, nodes[1].outputs)
    assert list(unfuse([one])) == nodes
    assert described(fuse(unfuse([one]), [Value(2)])) == described([one])
    assert fuse(nodes, [Value(1), Value(2)]) == nodes  # somebody else reads what lies between


@pytest.mark.parametrize(
    "nodes",
    [
        chain(("pad", {"paddings": ((0, 1), (0, 1), (0, 4))}), ("conv", KERNEL)),
        chain(("pad", PADS | {"value": 1}), ("conv", KERNEL)),
        chain(("pad", PADS), ("conv", PADDED)),
        chain(("conv", KERNEL), ("cropping", {"cropping": ((0, 1), (2, 0))})),
        chain(("conv", KERNEL), ("batch_norm", {"axis": 1, "epsilon": 0.1})),
        chain(("add", {}), ("batch_norm", {"axis": -1, "epsilon": 0.1})),
    ],
)
def test_two_that_stay_two(nodes: list[Node]) -> None:
    assert fuse(nodes, [Value(2)]) == nodes


def test_zeros_that_several_kernels_read_are_part_of_each() -> None:
    pad, one, two = *chain(("pad", PADS), ("conv", KERNEL)), chain(("pad", PADS), ("depthwise", KERNEL))[1]
    two = replace(two, outputs=(Value(3),))
    made = fuse([pad, one, two], [Value(2), Value(3)])
    assert [(node.kind, node.config, node.inputs) for node in made] == [
        ("conv", PADDED, (Value(0),)),
        ("depthwise", PADDED, (Value(0),)),
    ]
    assert list(unfuse(made)) == [pad, one, two]
    other = replace(two, kind="max_pool")
    assert fuse([pad, one, other], [Value(2), Value(3)]) == [pad, one, other]


def test_network_taken_apart_and_joined_again_is_the_same() -> None:
    network = keras_network(architectures.palm_192()).network
    apart = list(unfuse(network.nodes))
    assert len(apart) > len(network.nodes) + 20
    assert described(fuse(apart, (end.value for end in network.outputs))) == described(network.nodes)
