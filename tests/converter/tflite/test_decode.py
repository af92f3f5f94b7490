"""Constants become dense float32, whatever the file stores: fp16, int8, sparse in every layout."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

import converter
from converter.errors import MalformedModel, UnsupportedModel
from converter.passes.storage import fold_storage
from converter.tflite.decode import decode, densify
from converter.tflite.model import STORAGE_OPS, Dimension, Graph, Sparsity
from fixtures.builder import Builder, pack, sparsity
from tests.tools import models

INDEX_TYPES = ("uint8", "uint16", "int32")


@dataclass(frozen=True)
class Layout:
    """How to store a tensor sparsely.

    Attributes:
        order: The traversal order: axes, then (counted on from the rank) axes within a block.
        blocks: Axis → its block size.
        compressed: Which levels, by position in `order`, list only what they have.
        index_type: Of segments and indices.
    """

    order: tuple[int, ...]
    blocks: dict[int, int]
    compressed: frozenset[int]
    index_type: str


def element(dense: NDArray[Any], layout: Layout, coordinates: dict[int, int]) -> Any:
    """The element that a leaf stands for: where it lies on each axis, and within its block."""
    place = []
    for axis in range(dense.ndim):
        size = layout.blocks.get(axis, 1)
        within = coordinates[dense.ndim + list(layout.blocks).index(axis)] if axis in layout.blocks else 0
        place.append(coordinates[axis] * size + within)
    return dense[tuple(place)]


def encode(dense: NDArray[Any], layout: Layout) -> tuple[Sparsity, list[Any]]:
    """Store `dense` as the schema describes it, one element at a time: slow, and without numpy's indexing."""
    extents = [extent // layout.blocks.get(axis, 1) for axis, extent in enumerate(dense.shape)]
    extents += layout.blocks.values()

    def is_empty(node: dict[int, int]) -> bool:
        rest = [axis for axis in layout.order if axis not in node]
        below = itertools.product(*(range(extents[axis]) for axis in rest))
        return all(element(dense, layout, node | dict(zip(rest, more, strict=True))) == 0 for more in below)

    nodes: list[dict[int, int]] = [{}]
    levels = []
    for position, axis in enumerate(layout.order):
        children: list[dict[int, int]] = []
        segments, indices = [0], []
        for node in nodes:
            for i in range(extents[axis]):
                child = node | {axis: i}
                if position in layout.compressed and is_empty(child):
                    continue
                children.append(child)
                indices.append(i)
            segments.append(len(children))
        if position in layout.compressed:
            levels.append(Dimension(0, *(np.array(v, layout.index_type).data for v in (segments, indices))))
        else:
            levels.append(Dimension(extents[axis]))
        nodes = children
    return Sparsity(layout.order, tuple(layout.blocks), tuple(levels)), [element(dense, layout, node) for node in nodes]


def random_case(seed: int) -> tuple[NDArray[np.float32], Layout]:
    """A random tensor of rank 1 to 4, in a random layout."""
    rng = np.random.default_rng(seed)
    rank = 1 + seed % 4
    blocks = {int(axis): int(rng.integers(2, 4)) for axis in rng.permutation(rank)[: rng.integers(0, min(rank, 2) + 1)]}
    shape = [int(rng.integers(1, 4)) * blocks.get(axis, 1) for axis in range(rank)]
    dense = rng.normal(size=shape).astype(np.float32)
    dense[rng.random(shape) < rng.choice([0.3, 0.9, 1.0])] = 0
    order = (*rng.permutation(rank).tolist(), *(rank + rng.permutation(len(blocks))).tolist())
    compressed = frozenset(i for i in range(rank) if rng.random() < 0.5)
    return dense, Layout(order, blocks, compressed, INDEX_TYPES[seed % 3])


@pytest.mark.parametrize("seed", range(120))
def test_sparse_tensors_in_every_layout(seed: int) -> None:
    dense, layout = random_case(seed)
    stored, values = encode(dense, layout)
    decoded = densify(np.array(values, np.float32), dense.shape, stored, "w")
    np.testing.assert_array_equal(decoded, dense)


def test_the_random_layouts_cover_what_there_is() -> None:
    cases = [random_case(seed) for seed in range(120)]
    assert {dense.ndim for dense, _ in cases} == {1, 2, 3, 4}
    assert {len(layout.blocks) for _, layout in cases} == {0, 1, 2}
    assert {layout.index_type for _, layout in cases if layout.compressed} == set(INDEX_TYPES)
    assert {bool(dense.any()) for dense, layout in cases if layout.compressed} == {True, False}
    assert sum(layout.order[: dense.ndim] != tuple(range(dense.ndim)) for dense, layout in cases) > 20
    assert sum(len(layout.compressed) > 1 for _, layout in cases) > 20


def test_blocks_that_are_small_enough_to_see() -> None:
    dense = np.zeros((4, 4), np.float32)
    dense[0:2, 2:4] = [[1, 2], [3, 4]]
    dense[2:4, 0:2] = [[5, 6], [7, 8]]
    rows, columns = np.array([0, 1, 2], np.uint8).data, np.array([1, 0], np.uint8).data
    stored = Sparsity((0, 1, 2, 3), (0, 1), (Dimension(2), Dimension(0, rows, columns), Dimension(2), Dimension(2)))
    np.testing.assert_array_equal(densify(np.arange(1, 9, dtype=np.float32), (4, 4), stored, "w"), dense)


@pytest.mark.parametrize("values", [[1], [1, 2, 3]])
def test_a_sparse_layout_with_another_number_of_values(values: list[float]) -> None:
    stored, _ = encode(np.array([0, 5, 0, 7], np.float32), Layout((0,), {}, frozenset({0}), "uint8"))
    with pytest.raises(MalformedModel, match=f"w: .* 2 places for {len(values)} values"):
        densify(np.array(values, np.float32), (4,), stored, "w")


def test_segments_that_go_back() -> None:
    segments, indices = np.array([0, 3, 2], np.uint8).data, np.array([0, 1], np.uint8).data
    stored = Sparsity((0, 1), (), (Dimension(2), Dimension(0, segments, indices)))
    with pytest.raises(MalformedModel, match="w: the segments of a compressed level do not fit"):
        densify(np.ones(2, np.float32), (2, 4), stored, "w")


def read_one(builder: Builder, constant: int, dtype: str = "FLOAT32") -> NDArray[Any]:
    """What `DEQUANTIZE` of that constant gives."""
    shape = builder.graph.tensors[constant].shape
    (made,) = builder.op("DEQUANTIZE", [constant], [shape])
    builder.graph.tensors[made].type = getattr(schema.TensorType, dtype)
    return decode(fold_storage(converter.read(builder.build([made])).graph).tensors[made])


def test_fp16() -> None:
    builder = Builder()
    values = np.array([[1.5, -0.0, 65504], [6e-8, np.inf, -2.25]], np.float16)
    decoded = read_one(builder, builder.constant(values))
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, values.astype(np.float32))


@pytest.mark.parametrize("zero_point", [None, -7])
def test_int8_per_tensor(zero_point: int | None) -> None:
    builder = Builder()
    stored = np.arange(-128, 128, dtype=np.int8).reshape(16, 16)
    constant = builder.constant(stored)
    builder.quantize(constant, [0.037], None if zero_point is None else [zero_point])
    wanted = np.float32(0.037) * (stored.astype(np.float32) - (zero_point or 0))
    np.testing.assert_array_equal(read_one(builder, constant), wanted)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("is_shifted", [False, True])
def test_int8_per_channel(axis: int, *, is_shifted: bool) -> None:
    builder = Builder()
    stored = np.arange(-60, 60, 2, dtype=np.int8).reshape(3, 4, 5)
    constant = builder.constant(stored)
    scales = [0.5, 0.25, 2.0, 1.5, 3.0][: stored.shape[axis]]
    zeros = [1, -2, 0, 7, -9][: stored.shape[axis]] if is_shifted else None
    builder.quantize(constant, scales, zeros, axis)
    decoded = read_one(builder, constant)
    for channel, scale in enumerate(scales):
        zero = zeros[channel] if zeros else 0
        wanted = scale * (np.take(stored, channel, axis).astype(np.float32) - zero)
        np.testing.assert_array_equal(np.take(decoded, channel, axis), wanted)


def test_integers_without_a_scale_mean_nothing() -> None:
    builder = Builder()
    with pytest.raises(MalformedModel, match="stored as INT8, but no scale"):
        read_one(builder, builder.constant(np.array([1, 2], np.int8)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_scale_on_floats_means_nothing(dtype: type[Any]) -> None:
    builder = Builder()
    constant = builder.constant(np.array([1, 2], dtype))
    builder.quantize(constant, [0.5], [3])
    np.testing.assert_array_equal(read_one(builder, constant), np.array([1, 2], np.float32))


def test_what_numpy_does_not_have() -> None:
    builder = Builder()
    constant = builder.constant(np.array([1, 2], np.float16), "odd")
    builder.graph.tensors[constant].type = schema.TensorType.BFLOAT16
    with pytest.raises(UnsupportedModel, match="stored as BFLOAT16"):
        decode(converter.read(pack(builder.model)).graph.tensors[constant])


def test_what_is_computed_has_no_value() -> None:
    builder = Builder()
    builder.input([1, 2])
    with pytest.raises(MalformedModel, match="tensor #0 'input' is not a constant"):
        decode(converter.read(pack(builder.model)).graph.tensors[0])


def test_chains_of_storage_ops_are_folded_and_others_kept() -> None:
    builder = Builder()
    x = builder.input([2, 3], dtype="float16")
    (fed,) = builder.op("DEQUANTIZE", [x], [[2, 3]], ["fed"])
    constant = builder.constant(np.array([5, 7, 9], np.float16), "constant", shape=[2, 3])
    builder.graph.tensors[constant].sparsity = sparsity((0, 1), 2, ((0, 1, 3), (1, 0, 2)))
    (dense,) = builder.op("DENSIFY", [constant], [[2, 3]])
    builder.graph.tensors[dense].type = schema.TensorType.FLOAT16
    (kernel,) = builder.op("DEQUANTIZE", [dense], [[2, 3]])
    (made,) = builder.op("MUL", [fed, kernel], [[2, 3]])
    graph = converter.read(builder.build([made])).graph
    folded = fold_storage(graph)
    assert [op.kind for op in folded.ops] == ["DEQUANTIZE", "MUL"]
    assert folded.tensors[fed].storage is None
    assert [t.index for t in folded.constants()] == [kernel]
    np.testing.assert_array_equal(decode(folded.tensors[kernel]), np.array([[0, 5, 0], [7, 0, 9]], np.float32))
    assert len(graph.ops) == 4, "the graph that was read has not changed"


@pytest.mark.parametrize(
    ("kind", "shape", "dtype"),
    [("DEQUANTIZE", [4, 1], "FLOAT32"), ("DEQUANTIZE", [1, 4], "INT32"), ("DENSIFY", [1, 4], "FLOAT16")],
)
def test_a_storage_op_that_gives_something_else(kind: str, shape: list[int], dtype: str) -> None:
    builder = Builder()
    builder.graph.outputs = builder.op(kind, [builder.constant(np.ones((1, 4), np.int8), "c")], [shape], ["made"])
    builder.graph.tensors[1].type = getattr(schema.TensorType, dtype)
    with pytest.raises(MalformedModel, match=f"op #0 {kind} cannot turn tensor #0 'c' .* into tensor #1 'made'"):
        fold_storage(converter.read(pack(builder.model)).graph)


@pytest.mark.parametrize("name", ["face_detection_full_range_sparse", "palm_detection_full"])
def test_constants_of_real_models_are_what_litert_computes(name: str) -> None:
    interpreter = Interpreter(
        str(models.path(name)),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    interpreter.invoke()
    graph = models.original(name).graph
    folded: Graph = fold_storage(graph)
    made = [graph.ops[op.index].outputs[0] for op in graph.ops if op.kind in STORAGE_OPS]
    assert len(made) > 100
    for index in made:
        np.testing.assert_array_equal(decode(folded.tensors[index]), interpreter.get_tensor(index), str(index))
