"""Costs, against numbers computed by hand."""

import struct

import numpy as np
import pytest

import converter
from converter.blueprints.cost import Cost, per_op, total
from fixtures.builder import Builder, one
from tests.converter.ops.cases import floats, ints, two
from tests.tools.models import original

FLOAT, INT = 4, 4


def cost(data: bytes) -> Cost:
    return total(converter.read(data).graph)


def test_convolution() -> None:
    data = one("CONV_2D", (1, 5, 7, 3), (1, 3, 4, 6), floats(6, 3, 2, 3), floats(6), strideH=2, strideW=2)
    made = cost(data)
    assert made == Cost(3 * 4 * 6 * (3 * 2 * 3), FLOAT * (6 * 3 * 2 * 3 + 6), FLOAT * (5 * 7 * 3 + 3 * 4 * 6))
    assert made.bytes == made.weight_bytes + made.activation_bytes
    assert made.as_dict()["multiply_adds"] == 1296


GROUPED = one("CONV_2D", (1, 5, 7, 4), (1, 5, 7, 6), floats(6, 1, 1, 2), None, strideH=1, strideW=1)
DEPTHWISE = one("DEPTHWISE_CONV_2D", (1, 5, 7, 3), (1, 5, 7, 6), floats(1, 3, 2, 6), None, strideH=1, strideW=1)
OPTIONS = struct.pack("<3i", 1, 2, 2)
WEIGHTS = (floats(4, 3, 2, 5), floats(4))
MEDIAPIPES = one("Convolution2DTransposeBias", (1, 5, 7, 5), (1, 10, 14, 4), *WEIGHTS, custom=OPTIONS)


@pytest.mark.parametrize(
    ("data", "multiply_adds"),
    [
        pytest.param(GROUPED, 5 * 7 * 6 * 2, id="grouped_convolution_sums_over_the_channels_of_its_group"),
        pytest.param(DEPTHWISE, 5 * 7 * 6 * (3 * 2), id="depthwise_convolution"),
        pytest.param(MEDIAPIPES, 5 * 7 * 5 * (3 * 2 * 4), id="mediapipes_transposed_convolution"),
        pytest.param(one("FULLY_CONNECTED", (1, 5), (1, 3), floats(3, 5), floats(3)), 5 * 3, id="dense"),
        pytest.param(two("BATCH_MATMUL", (2, 3, 5), (2, 5, 7), (2, 3, 7)), 2 * 3 * 7 * 5, id="matrices"),
    ],
)
def test_multiply_adds(data: bytes, multiply_adds: int) -> None:
    assert cost(data).multiply_adds == multiply_adds


def test_transposed_convolution() -> None:
    kernel = floats(4, 3, 2, 5)
    data = one("TRANSPOSE_CONV", (1, 5, 7, 5), (1, 10, 14, 4), first=(ints(1, 10, 14, 4), kernel), strideH=2, strideW=2)
    assert cost(data) == Cost(5 * 7 * 5 * (3 * 2 * 4), FLOAT * kernel.size + INT * 4, FLOAT * (5 * 7 * 5 + 10 * 14 * 4))


def test_what_is_done_once_per_element_costs_its_bytes() -> None:
    data = one("PRELU", (1, 5, 7, 3), (1, 5, 7, 3), floats(1, 1, 3))
    assert cost(data) == Cost(0, FLOAT * 3, 2 * FLOAT * 5 * 7 * 3)


def test_float16_weights_are_float32_when_they_are_read() -> None:
    """And what unpacks them does not run each time."""
    graph = Builder()
    half = graph.constant(np.ones((6, 1, 1, 3), np.float16))
    (kernel,) = graph.op("DEQUANTIZE", [half], [(6, 1, 1, 3)], version=3)
    made = graph.op("CONV_2D", [graph.input((1, 5, 7, 3)), kernel, -1], [(1, 5, 7, 6)], strideH=1, strideW=1)
    read = converter.read(graph.build(made))
    assert total(read.graph).weight_bytes == FLOAT * 6 * 3
    assert set(per_op(read.graph)) == {1}


def test_the_palm_detector() -> None:
    """Its heads' convolutions by hand, and the sum over all operators."""
    graph = original("palm_detection_full").graph
    costs = per_op(graph)
    assert sum(costs.values(), Cost()) == total(graph)
    assert costs[264].multiply_adds == 24 * 24 * 2 * 128  # the classification branch at stride 8
    assert costs[269].multiply_adds == 24 * 24 * 36 * 128
    assert total(graph).weight_bytes > FLOAT * 1_136_248  # the parameters, and a few shapes
