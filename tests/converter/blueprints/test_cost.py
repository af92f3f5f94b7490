"""Costs, against numbers computed by hand."""

import struct

import numpy as np

import converter
from converter.blueprints.cost import Cost, per_op, total
from fixtures.builder import Builder
from tests.converter.ops.cases import floats, ints, one
from tests.models import original

FLOAT, INT = 4, 4


def cost(data: bytes) -> Cost:
    return total(converter.read(data).graph)


def test_convolution() -> None:
    data = one("CONV_2D", (1, 5, 7, 3), (1, 3, 4, 6), floats(6, 3, 2, 3), floats(6), strideH=2, strideW=2)
    made = cost(data)
    assert made == Cost(3 * 4 * 6 * (3 * 2 * 3), FLOAT * (6 * 3 * 2 * 3 + 6), FLOAT * (5 * 7 * 3 + 3 * 4 * 6))
    assert made.bytes == made.weight_bytes + made.activation_bytes
    assert made.as_dict()["multiply_adds"] == 1296


def test_grouped_convolution_sums_over_the_channels_of_its_group() -> None:
    data = one("CONV_2D", (1, 5, 7, 4), (1, 5, 7, 6), floats(6, 1, 1, 2), None, strideH=1, strideW=1)
    assert cost(data).multiply_adds == 5 * 7 * 6 * 2


def test_depthwise_convolution() -> None:
    data = one("DEPTHWISE_CONV_2D", (1, 5, 7, 3), (1, 5, 7, 6), floats(1, 3, 2, 6), None, strideH=1, strideW=1)
    assert cost(data).multiply_adds == 5 * 7 * 6 * (3 * 2)


def test_transposed_convolution() -> None:
    kernel = floats(4, 3, 2, 5)
    data = one("TRANSPOSE_CONV", (1, 5, 7, 5), (1, 10, 14, 4), first=(ints(1, 10, 14, 4), kernel), strideH=2, strideW=2)
    assert cost(data) == Cost(5 * 7 * 5 * (3 * 2 * 4), FLOAT * kernel.size + INT * 4, FLOAT * (5 * 7 * 5 + 10 * 14 * 4))


def test_mediapipes_transposed_convolution_costs_the_same() -> None:
    kernel, options = floats(4, 3, 2, 5), struct.pack("<3i", 1, 2, 2)
    data = one("Convolution2DTransposeBias", (1, 5, 7, 5), (1, 10, 14, 4), kernel, floats(4), custom=options)
    assert cost(data).multiply_adds == 5 * 7 * 5 * (3 * 2 * 4)


def test_dense() -> None:
    assert cost(one("FULLY_CONNECTED", (1, 5), (1, 3), floats(3, 5), floats(3))).multiply_adds == 5 * 3


def test_matrices() -> None:
    graph = Builder()
    left, right = graph.input((2, 3, 5), "left"), graph.input((2, 5, 7), "right")
    assert cost(graph.build(graph.op("BATCH_MATMUL", [left, right], [(2, 3, 7)]))).multiply_adds == 2 * 3 * 7 * 5


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
