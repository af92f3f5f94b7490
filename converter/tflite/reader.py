"""Bytes → `Model`: every index, shape and buffer size is checked here, so that nobody after this has to."""

import mmap
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

from converter.errors import MalformedModel, ModelNotFound
from converter.tflite.flatbuffer import Fields, FlatBuffer, enum_names, schema
from converter.tflite.model import BITS, Dimension, Graph, Model, Op, Quantization, Signature, Sparsity, Storage, Tensor

IDENTIFIER = b"TFL3"
CUSTOM = 32
# A path, which is memory-mapped, or the bytes themselves.
Source = str | os.PathLike[str] | bytes | bytearray | memoryview
# Beyond this no runtime addresses a tensor: larger products come from damaged shapes.
MAX_BYTES = 2**40
LARGE = 2**25
# Which enum an option's number belongs to; the flatbuffer schema compiled for Python does not keep it.
ENUM_OPTIONS = {"padding": "Padding", "fused_activation_function": "ActivationFunctionType"}


def read(source: Source) -> Model:
    """Read a `.tflite` file.

    Args:
        source: A path, which is memory-mapped, or the bytes themselves.

    Raises:
        ModelNotFound: There is no such file, or it cannot be opened.
        MalformedModel: It is not a valid `.tflite` file.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return parse(memoryview(source).cast("B"), "model")
    path = Path(source)
    mapped = _map(path)
    # The tables lie among the weights: with what the system reads ahead around each of them, all of a file of 504 MB
    # with 480 kernels came from the disk.
    _advise(mapped, "MADV_RANDOM")
    # And what Linux maps around each page that is read, up to two megabytes of what it has in its cache, would be most
    # of the same file. Small ones are spared the calls.
    forget = partial(_advise, mapped, "MADV_DONTNEED") if len(mapped) > LARGE else None
    model = parse(memoryview(mapped), path.stem, forget)
    _advise(mapped, "MADV_NORMAL")  # weights are read from one end to the other
    return model


def _advise(mapped: mmap.mmap, advice: str) -> None:
    with suppress(AttributeError):  # Windows takes none
        mapped.madvise(getattr(mmap, advice))


def _map(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise MalformedModel(f"{path} is empty")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise ModelNotFound(f"no such file: {path}", hint="`unlite zoo` lists the models known by name") from None
    except (OSError, ValueError) as error:
        raise ModelNotFound(f"cannot read {path}: {error}") from None


def parse(data: memoryview, name: str, forget: Callable[[], object] | None = None) -> Model:
    """Decode and check one flatbuffer; `name` is what messages call it; for `forget` see `FlatBuffer`."""
    if bytes(data[4:8]) != IDENTIFIER:
        found = bytes(data[:8]).hex(" ") or "nothing"
        hint = "a .tflite file has TFL3 at byte 4; a .task or .zip bundle has to be unpacked first"
        raise MalformedModel(f"{name} is not a .tflite file (it starts with {found})", hint=hint)
    fields = FlatBuffer(data, forget=forget).root("Model")
    buffers = [_buffer(buffer, data, i) for i, buffer in enumerate(fields["buffers"] or ())]
    codes = [_kind(code) for code in fields["operator_codes"] or ()]
    graphs = tuple(_graph(graph, codes, buffers, data) for graph in fields["subgraphs"] or ())
    if not graphs:
        raise MalformedModel(f"{name} has no subgraph")
    return Model(
        name=name,
        data=data,
        version=fields["version"],
        description=fields["description"] or "",
        graphs=graphs,
        signatures=tuple(_signature(entry, graphs) for entry in fields["signature_defs"] or ()),
        metadata={
            entry["name"] or "": _at(buffers, entry["buffer"], f"metadata {entry['name']!r}", "buffer")
            for entry in fields["metadata"] or ()
        },
    )


def _at(items: Any, index: int, who: object, what: str) -> Any:
    if not 0 <= index < len(items):
        raise MalformedModel(f"{who} refers to {what} {index}, but there are {len(items)}")
    return items[index]


def _buffer(fields: Fields, data: memoryview, index: int) -> memoryview:
    behind = _behind(data, fields["offset"], fields["size"], f"buffer {index} lies")
    if behind is not None:
        return behind
    return fields["data"] if fields["data"] is not None else data[:0]


def _behind(data: memoryview, start: int, size: int, what: str) -> memoryview | None:
    """Files over 2 GB keep their data behind the flatbuffer; offsets 0 and 1 mean "not so"."""
    if start > 1 and start + size > len(data):
        raise MalformedModel(f"{what} outside the file")
    return data[start : start + size] if start > 1 else None


def _kind(fields: Fields) -> tuple[str, int, bool]:
    # Older writers fill only the deprecated 8-bit code; newer ones put 127 there when it does not fit.
    code = max(fields["deprecated_builtin_code"], fields["builtin_code"])
    if code == CUSTOM:
        return fields["custom_code"] or "CUSTOM", fields["version"], True
    return enum_names("BuiltinOperator").get(code, f"BUILTIN_{code}"), fields["version"], False


def _graph(fields: Fields, codes: list[tuple[str, int, bool]], buffers: list[memoryview], data: memoryview) -> Graph:
    tensors = tuple(_tensor(i, tensor, buffers) for i, tensor in enumerate(fields["tensors"] or ()))
    ops = tuple(_op(i, op, codes, data) for i, op in enumerate(fields["operators"] or ()))
    inputs, outputs = (tuple(fields[side] or ()) for side in ("inputs", "outputs"))
    graph = Graph(fields["name"] or "", tensors, ops, inputs, outputs)
    _check_order(graph)
    return graph


def _check_order(graph: Graph) -> None:
    """Every operand exists before the op that reads it, and nothing is computed twice."""
    for index in graph.inputs:
        _at(graph.tensors, index, "the list of inputs", "tensor")
    ready = set(graph.inputs) | {t.index for t in graph.tensors if t.storage or t.is_variable or not t.size}
    for op in graph.ops:
        _check_op(op, graph, ready)
    for index in graph.outputs:
        if _at(graph.tensors, index, "the list of outputs", "tensor").index not in ready:
            raise MalformedModel(f"output {graph.tensors[index]} is never computed")


def _check_op(op: Op, graph: Graph, ready: set[int]) -> None:
    """Check one op's operands and results; the results are added to `ready`."""
    for index in op.inputs:
        if index is not None and _at(graph.tensors, index, op, "tensor").index not in ready:
            raise MalformedModel(f"{op} reads {graph.tensors[index]}, which nothing has computed yet")
    for index in op.outputs:
        # A tensor without elements is ready from the start, whether something computes it or not.
        if _at(graph.tensors, index, op, "tensor").size and index in ready:
            raise MalformedModel(f"{op} computes {graph.tensors[index]} once more")
        ready.add(index)


def _tensor(index: int, fields: Fields, buffers: list[memoryview]) -> Tensor:
    name = fields["name"] or f"tensor_{index}"
    who = f"tensor #{index} {name!r}"
    dtype = enum_names("TensorType").get(fields["type"], f"TYPE_{fields['type']}")
    shape = tuple(fields["shape"] or ())
    if any(extent < 0 for extent in shape) or prod(shape) * BITS.get(dtype, 8) > 8 * MAX_BYTES:
        raise MalformedModel(f"{who} has the impossible shape {shape}")
    signature = tuple(fields["shape_signature"] or shape)
    if len(signature) != len(shape):
        raise MalformedModel(f"{who}: shape {shape} and shape signature {signature} differ in rank")
    quantization = _quantization(fields["quantization"], shape, who)
    data = _at(buffers, fields["buffer"], who, "buffer")
    storage = None
    if len(data):
        sparsity = _sparsity(fields["sparsity"], shape, who)
        storage = Storage(dtype, data, quantization, sparsity)
        needed = (prod(shape) * BITS.get(dtype, 0) + 7) // 8
        if not sparsity and dtype in BITS and len(data) != needed:
            raise MalformedModel(f"{who}: its buffer has {len(data)} bytes, its shape {shape} needs {needed}")
    return Tensor(index, name, shape, signature, dtype, storage, quantization, fields["is_variable"])


def _quantization(fields: Fields | None, shape: tuple[int, ...], who: str) -> Quantization | None:
    if fields is None or not fields["scale"]:
        return None
    scale, zero_point, axis = fields["scale"], fields["zero_point"], fields["quantized_dimension"]
    expected = shape[axis] if len(scale) > 1 and 0 <= axis < len(shape) else 1
    if len(scale) != expected or (zero_point and len(zero_point) != expected):
        raise MalformedModel(f"{who}: {len(scale)} quantization scales do not fit shape {shape}, axis {axis}")
    return Quantization(scale, zero_point, axis)


def _sparsity(fields: Fields | None, shape: tuple[int, ...], who: str) -> Sparsity | None:
    if fields is None:
        return None
    order, blocks = tuple(fields["traversal_order"] or ()), tuple(fields["block_map"] or ())
    dimensions = tuple(_dimension(dimension, who) for dimension in fields["dim_metadata"] or ())
    levels = len(shape) + len(blocks)
    if sorted(order) != list(range(levels)) or len(dimensions) != levels:
        raise MalformedModel(f"{who}: sparse traversal order {order} does not cover shape {shape}, blocks {blocks}")
    if any(not 0 <= axis < len(shape) for axis in blocks):
        raise MalformedModel(f"{who}: sparse block map {blocks} names an axis that shape {shape} does not have")
    return Sparsity(order, blocks, dimensions)


def _dimension(fields: Fields, who: str) -> Dimension:
    if fields["format"] == schema()["enums"]["DimensionType"]["DENSE"]:
        if fields["dense_size"] < 0:
            raise MalformedModel(f"{who}: a dense dimension has size {fields['dense_size']}")
        return Dimension(fields["dense_size"])
    segments, indices = (fields[name] and fields[name]["values"] for name in ("array_segments", "array_indices"))
    if segments is None or indices is None:
        raise MalformedModel(f"{who}: a compressed dimension lacks its segments or indices")
    return Dimension(0, segments, indices)


def _op(index: int, fields: Fields, codes: list[tuple[str, int, bool]], data: memoryview) -> Op:
    kind, version, is_custom = _at(codes, fields["opcode_index"], f"op #{index}", "operator code")
    options = dict(fields["builtin_options"] or fields["builtin_options_2"] or {})
    options.pop("", None)
    for name, enum in ENUM_OPTIONS.items():
        if name in options:
            options[name] = enum_names(enum).get(options[name], f"{enum}_{options[name]}")
    place = fields["large_custom_options_offset"], fields["large_custom_options_size"]
    behind = _behind(data, *place, f"op #{index}: its options lie")
    return Op(
        index=index,
        kind=kind,
        # -1 is the format's way to leave an optional operand out; other negative numbers fail the range check.
        inputs=tuple(None if index == -1 else index for index in fields["inputs"] or ()),
        outputs=tuple(fields["outputs"] or ()),
        options=options,
        version=version,
        custom_options=fields["custom_options"] if behind is None else behind,
        is_custom=is_custom,
    )


def _signature(fields: Fields, graphs: tuple[Graph, ...]) -> Signature:
    key = fields["signature_key"] or ""
    graph = _at(graphs, fields["subgraph_index"], f"signature {key!r}", "subgraph")
    sides = []
    for side in ("inputs", "outputs"):
        entries = {entry["name"] or "": entry["tensor_index"] for entry in fields[side] or ()}
        for index in entries.values():
            _at(graph.tensors, index, f"signature {key!r}", "tensor")
        sides.append(entries)
    return Signature(key, fields["subgraph_index"], *sides)
