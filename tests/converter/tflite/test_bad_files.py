"""Damaged files: every one ends in a message that says what is wrong, never in another exception, never in a hang."""

import signal
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import converter
from converter.errors import MalformedModel, ModelNotFound, UnliteError
from converter.tflite.decode import decode
from fixtures.builder import Builder, pack, signature, sparsity
from tests.tools import models

pytestmark = pytest.mark.one_setting

X, KERNEL, CONVOLVED, RESULT = range(4)
FLIPPED_FILES, MEGABYTES, SECONDS = 200, 64, 10


def tiny() -> Builder:
    """A convolution and a pooling, not yet built; its tensors: input, kernel, the convolution's, the result."""
    builder = Builder()
    x = builder.input([1, 4, 6, 3])
    kernel = builder.constant(np.ones((2, 1, 1, 3), np.float32), "kernel")
    builder.op("CONV_2D", [x, kernel, -1], [[1, 4, 6, 2]], ["convolved"], strideH=1, strideW=1)
    window = {"filterHeight": 2, "filterWidth": 2, "strideH": 2, "strideW": 2}
    builder.op("MAX_POOL_2D", [CONVOLVED], [[1, 2, 3, 2]], ["result"], **window)
    builder.graph.outputs = [RESULT]
    return builder


def stored() -> Builder:
    """Constants in every form, not yet built: fp16, quantized, sparse, integers."""
    builder = Builder()
    x = builder.input([1, 4])
    half = builder.constant(np.ones((1, 4), np.float16), "half")
    whole = builder.constant(np.arange(8, dtype=np.int8).reshape(2, 4), "whole")
    builder.quantize(whole, [0.5, 2.0], [1, -3])
    (alpha,) = builder.op("DEQUANTIZE", [half], [[1, 4]])
    (kernel,) = builder.op("DEQUANTIZE", [whole], [[2, 4]])
    (dense,) = builder.op("DENSIFY", [sparse(builder)], [[1, 4]])
    (y,) = builder.op("ADD", [builder.op("MUL", [x, alpha], [[1, 4]])[0], dense], [[1, 4]])
    (y,) = builder.op("FULLY_CONNECTED", [y, kernel, -1], [[1, 2]])
    shape = builder.constant(np.array([1, 1, 2], np.int32), "shape")
    builder.graph.outputs = builder.op("RESHAPE", [y, shape], [[1, 1, 2]], ["result"])
    return builder


def sparse(builder: Builder) -> int:
    """Add the tensor `sparse` of shape [1, 4], whose elements 1 and 3 are stored."""
    index = builder.constant(np.array([5, 7], np.float32), "sparse", shape=[1, 4])
    builder.graph.tensors[index].sparsity = sparsity((0, 1), 1, ((0, 2), (1, 3)))
    return index


def decode_all(data: bytes) -> None:
    """Everything that is done with a file before Keras: read, understand, decode the weights."""
    plan = converter.blueprint(converter.read(data).graph)
    for _, _, tensor, _ in plan.weights():
        decode(tensor)


@contextmanager
def limited() -> Iterator[None]:
    """Fail on what takes long or allocates much."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"still busy after {SECONDS} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MEGABYTES * 1e6
    finally:
        tracemalloc.stop()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


@pytest.mark.parametrize("make", [tiny, stored])
def test_what_is_damaged_below_is_sound(make: Callable[[], Builder]) -> None:
    decode_all(pack(make().model))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"TFL3", "not a .tflite file"),
        (b"PK\x03\x04" + bytes(60), r"starts with 50 4b 03 04 .*\n.*unpacked first"),
        (b"\x1c\0\0\0TFL2" + bytes(60), "not a .tflite file"),
        (b"\x1c\0\0\0TFL3", "ends at byte 8"),
        (b"\xff\xff\xff\xffTFL3" + bytes(60), "ends at byte 68"),
        (bytes(4) + b"TFL3" + bytes(60), "broken field table|no subgraph|ends at byte"),
    ],
)
def test_what_is_no_model(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "some.tflite").write_bytes(content)
    with pytest.raises(MalformedModel, match=message):
        converter.read(tmp_path / "some.tflite")


@pytest.mark.parametrize("path", ["missing.tflite", ".", "file/below.tflite", "nul\0.tflite"])
def test_what_is_no_file(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ModelNotFound, match=r"no such file|cannot read"):
        converter.read(tmp_path / path)


@pytest.mark.parametrize("make", [tiny, stored])
def test_a_file_cut_off_anywhere(make: Callable[[], Builder]) -> None:
    data = pack(make().model)
    whole = converter.read(data)
    survivors = []
    for position in range(len(data)):
        try:
            cut = converter.read(data[:position])
        except MalformedModel:
            continue
        assert (cut.graphs, cut.description, cut.version) == (whole.graphs, whole.description, whole.version)
        survivors.append(position)
    assert survivors == list(range(len(data) - len(survivors), len(data)))
    assert len(survivors) < 8  # padding


def test_a_real_file_cut_off_anywhere() -> None:
    data = models.path("palm_detection_full").read_bytes()
    for position in np.linspace(0, len(data) - 256, 60, dtype=int):  # it ends with padding
        with pytest.raises(MalformedModel):
            converter.read(data[:position])


@pytest.mark.parametrize("make", [tiny, stored])
@pytest.mark.parametrize("flips", [1, 2, 5])
def test_flipped_bytes(make: Callable[[], Builder], flips: int) -> None:
    data = np.frombuffer(pack(make().model), np.uint8)
    rng = np.random.default_rng(flips)
    refused = 0
    with limited():
        for _ in range(FLIPPED_FILES):
            hurt = data.copy()
            hurt[rng.integers(8, len(data), flips)] ^= rng.integers(1, 256, flips, dtype=np.uint8)
            try:
                decode_all(hurt.tobytes())
            except UnliteError:
                refused += 1
    assert refused > FLIPPED_FILES // 10  # a flip in a weight, or in what nobody reads, does no harm


def _set(path: str, value: Any) -> Callable[[Builder], None]:
    """Assign to an attribute deep in the graph, e.g. `tensors.1.shape`."""

    def damage(builder: Builder) -> None:
        *parents, last = path.split(".")
        place: Any = builder.graph
        for part in parents:
            place = place[int(part)] if part.isdigit() else getattr(place, part)
        assert hasattr(place, last)
        setattr(place, last, value)

    return damage


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("operators.0.inputs", [0, 99, -1], "op #0 CONV_2D refers to tensor 99, but there are 4"),
        ("operators.0.inputs", [-2, 1, -1], "op #0 CONV_2D refers to tensor -2"),
        ("operators.1.outputs", [99], "op #1 MAX_POOL_2D refers to tensor 99"),
        ("operators.1.outputs", [-1], "op #1 MAX_POOL_2D refers to tensor -1"),
        ("operators.1.opcodeIndex", 2, "op #1 refers to operator code 2, but there are 2"),
        ("inputs", [0, 4], "list of inputs refers to tensor 4"),
        ("inputs", [-1], "list of inputs refers to tensor -1"),
        ("outputs", [4], "list of outputs refers to tensor 4"),
        ("outputs", [-1], "list of outputs refers to tensor -1"),
        ("tensors.1.buffer", 2, "tensor #1 'kernel' refers to buffer 2, but there are 2"),
        ("tensors.1.shape", [2, 1, -1, 3], r"tensor #1 'kernel' has the impossible shape \(2, 1, -1, 3\)"),
        ("tensors.0.shape", [2**31 - 1] * 4, "tensor #0 'input' has the impossible shape"),
        ("tensors.1.shape", [2, 1, 1, 4], "tensor #1 'kernel': its buffer has 24 bytes, .* needs 32"),
        ("tensors.1.shape", [1, 1, 1, 3], "tensor #1 'kernel': its buffer has 24 bytes, .* needs 12"),
        ("tensors.1.type", schema.TensorType.FLOAT16, "tensor #1 'kernel': its buffer has 24 bytes, .* needs 12"),
        ("tensors.0.shapeSignature", [-1, 4, 6], "tensor #0 'input': shape .* differ in rank"),
        ("operators.0.inputs", [3, 1, -1], "op #0 CONV_2D reads tensor #3 'result', which nothing has computed"),
        ("tensors.1.buffer", 0, "op #0 CONV_2D reads tensor #1 'kernel', which nothing has computed"),
        ("operators.1.outputs", [2], "op #1 MAX_POOL_2D computes tensor #2 'convolved' once more"),
        ("operators.0.outputs", [2, 2], "op #0 CONV_2D computes tensor #2 'convolved' once more"),
        ("operators.0.outputs", [0], "op #0 CONV_2D computes tensor #0 'input' once more"),
        ("operators.0.outputs", [1], "op #0 CONV_2D computes tensor #1 'kernel' once more"),
    ],
)
def test_a_graph_that_contradicts_itself(path: str, value: Any, message: str) -> None:
    builder = tiny()
    _set(path, value)(builder)
    with pytest.raises(MalformedModel, match=message):
        converter.read(pack(builder.model))


@pytest.mark.parametrize(
    ("scales", "zeros", "axis"), [(3, 3, 0), (2, 1, 0), (2, 2, 1), (2, 2, 7), (2, 2, -1), (1, 2, 0)]
)
def test_quantization_that_does_not_fit(scales: int, zeros: int, axis: int) -> None:
    builder = tiny()
    builder.quantize(KERNEL, [1.0] * scales, [0] * zeros, axis)
    with pytest.raises(MalformedModel, match=f"tensor #1 'kernel': {scales} quantization scales do not fit"):
        converter.read(pack(builder.model))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("traversalOrder", [0, 0], "traversal order"),
        ("traversalOrder", [0, 2], "traversal order"),
        ("traversalOrder", [0], "traversal order"),
        ("traversalOrder", [], "traversal order"),
        ("blockMap", [1], "traversal order"),
        ("dimMetadata", [], "traversal order"),
        ("dimMetadata.0.denseSize", -1, "dense dimension has size -1"),
        ("dimMetadata.0.denseSize", 2, "dense level has size 2"),
        ("dimMetadata.1.format", schema.DimensionType.DENSE, "dense level has size 0"),
        ("dimMetadata.0.format", schema.DimensionType.SPARSE_CSR, "lacks its segments"),
        ("dimMetadata.1.arraySegments", None, "lacks its segments or indices"),
        ("dimMetadata.1.arrayIndices.values", None, "lacks its segments or indices"),
        ("dimMetadata.1.arraySegments.values", [0, 1, 2], "segments .* do not fit its 1 parents"),
        ("dimMetadata.1.arraySegments.values", [0, 3], "segments"),
        ("dimMetadata.1.arraySegments.values", [1, 2], "segments"),
        ("dimMetadata.1.arraySegments.values", [], "segments"),
        ("dimMetadata.1.arrayIndices.values", [1, 4], "index outside 0..3"),
        ("dimMetadata.1.arrayIndices.values", [1], "segments"),
        ("traversalOrder", [1, 0], "dense level has size 1, the shape says 4"),
    ],
)
def test_a_sparse_layout_that_contradicts_itself(path: str, value: Any, message: str) -> None:
    builder = Builder()
    sparse(builder)
    _set(f"tensors.0.sparsity.{path}", value)(builder)
    with pytest.raises(MalformedModel, match=f"tensor #0 'sparse': .*{message}"):
        decode(converter.read(pack(builder.model)).graph.tensors[0])


@pytest.mark.parametrize(
    ("block_map", "size", "message"),
    [([2], 2, "names an axis"), ([-1], 2, "names an axis"), ([1], 3, "blocks of 3 do not"), ([1], 0, "blocks of 0")],
)
def test_sparse_blocks_that_do_not_fit(block_map: list[int], size: int, message: str) -> None:
    builder = Builder()
    layout = builder.graph.tensors[sparse(builder)].sparsity
    layout.traversalOrder, layout.blockMap = [0, 1, 2], block_map
    layout.dimMetadata.append(schema.DimensionMetadataT())
    layout.dimMetadata[2].denseSize = size
    with pytest.raises(MalformedModel, match=f"tensor #0 'sparse': .*{message}"):
        decode(converter.read(pack(builder.model)).graph.tensors[0])


@pytest.mark.parametrize(("subgraph", "tensor"), [(1, 0), (0, 4), (0, -1)])
def test_a_signature_that_refers_to_nothing(subgraph: int, tensor: int) -> None:
    builder = tiny()
    builder.model.signatureDefs = [signature("serve", {"x": tensor % 2**32}, {}, subgraph)]
    with pytest.raises(MalformedModel, match="signature 'serve' refers to"):
        converter.read(pack(builder.model))


def test_metadata_that_refers_to_nothing() -> None:
    builder = tiny()
    builder.model.metadata = [schema.MetadataT()]
    builder.model.metadata[0].name, builder.model.metadata[0].buffer = b"NOTE", 9
    with pytest.raises(MalformedModel, match="metadata 'NOTE' refers to buffer 9"):
        converter.read(pack(builder.model))


def test_a_file_without_a_subgraph() -> None:
    builder = tiny()
    builder.model.subgraphs = []
    with pytest.raises(MalformedModel, match="has no subgraph"):
        converter.read(pack(builder.model))
