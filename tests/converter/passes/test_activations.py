"""Fused activations: split off and fused again, a file is what it was."""

from typing import Any

import pytest

import converter
from converter.ops import OPERATORS
from converter.passes.activations import fuse_activations, split_activations
from converter.tflite.edit import Editable
from converter.tflite.model import Graph
from fixtures.builder import Builder
from tests.tools import models

FUSED = {name: operator.fused_as for name, operator in OPERATORS.items() if operator.fused_as}


def steps(graph: Graph) -> list[tuple[str, Any]]:
    return [(op.kind, op.options.get("fused_activation_function", "NONE")) for op in graph.ops]


@pytest.mark.parametrize("name", ["pose_detection", "hand_landmark_lite"])
def test_split_and_fused_again(name: str) -> None:
    original = models.original(name)
    data, split = split_activations(original.data)
    apart = converter.read(data)
    assert {function for _, function in steps(apart.graph)} == {"NONE"}
    assert len(apart.graph.ops) == len(original.graph.ops) + len(split) > len(original.graph.ops)
    file = Editable(memoryview(data))
    fuse_activations(file)
    assert steps(converter.read(file.pack()).graph) == steps(original.graph)


@pytest.mark.parametrize("function", sorted(FUSED))
def test_only_what_takes_an_activation_gets_one(function: str) -> None:
    """A sum does; a maximum would as well, but XNNPACK and the int8 kernels leave it alone."""
    graph = Builder()
    x = graph.input((1, 4, 4, 3))
    (total,) = graph.op("ADD", [x, x], [(1, 4, 4, 3)])
    (largest,) = graph.op("MAX_POOL_2D", graph.op(function, [total], [(1, 4, 4, 3)]), [(1, 4, 4, 3)], **WINDOW)
    file = Editable(memoryview(graph.build(graph.op(function, [largest], [(1, 4, 4, 3)]))))
    fuse_activations(file)
    assert steps(converter.read(file.pack()).graph) == [("ADD", function), ("MAX_POOL_2D", "NONE"), (function, "NONE")]


WINDOW: dict[str, Any] = {"filterHeight": 1, "filterWidth": 1, "strideH": 1, "strideW": 1}
