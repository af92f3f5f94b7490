"""Constants as the file stores them (fp16, sparse, quantized) → dense arrays of the type that operators see."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.errors import MalformedModel, UnsupportedModel
from converter.tflite.model import Dimension, Quantization, Sparsity, Storage, Tensor

_NAMES = ("BOOL", "INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "UINT64")
DTYPES = {name: np.dtype(name.lower()) for name in (*_NAMES, "FLOAT16", "FLOAT32", "FLOAT64")}


def decode(tensor: Tensor) -> NDArray[np.generic]:
    """The value of a constant: dense, in the file's axis order, as the type that operators see.

    A view on the file where it is stored that way; else (fp16, sparse, quantized) a new array.

    Raises:
        MalformedModel: It is no constant, its sparse layout contradicts its shape, or it lacks a scale.
        UnsupportedModel: Its storage type has no numpy equivalent.
    """
    storage = tensor.storage
    if storage is None:
        raise MalformedModel(f"{tensor} is not a constant")
    if storage.dtype not in DTYPES or tensor.dtype not in DTYPES:
        raise UnsupportedModel(f"{tensor} is stored as {storage.dtype}, which numpy does not have")
    values: NDArray[Any] = _values(storage, tensor)
    # A float constant may carry a scale that some exporter left behind: it means nothing.
    if values.dtype.kind in "iu" and np.issubdtype(DTYPES[tensor.dtype], np.floating):
        if storage.quantization is None:
            raise MalformedModel(f"{tensor} is stored as {storage.dtype}, but no scale says what that means")
        values = _dequantize(values, storage.quantization)
    return values.astype(DTYPES[tensor.dtype], copy=False)


def _values(storage: Storage, tensor: Tensor) -> NDArray[Any]:
    if len(storage.data) % DTYPES[storage.dtype].itemsize:
        raise MalformedModel(f"{tensor}: {len(storage.data)} bytes are no whole number of {storage.dtype} values")
    flat: NDArray[Any] = np.frombuffer(storage.data, DTYPES[storage.dtype])
    if storage.sparsity is None:
        return flat.reshape(tensor.shape)
    return densify(flat, tensor.shape, storage.sparsity, str(tensor))


def _dequantize(values: NDArray[Any], quantization: Quantization) -> NDArray[np.float32]:
    shape = [1] * values.ndim
    if len(quantization.scale) > 1:
        shape[quantization.axis] = -1
    scale = np.asarray(quantization.scale, np.float32).reshape(shape)
    zero = np.asarray(quantization.zero_point or [0], np.float32).reshape(shape if quantization.zero_point else [1])
    return scale * (values.astype(np.float32) - zero)


def densify(values: NDArray[Any], shape: tuple[int, ...], sparsity: Sparsity, who: str) -> NDArray[Any]:
    """Expand a sparse tensor in TFLite's layout.

    The tensor is a tree: one level per entry of the traversal order, which lists the axes (in blocks where
    `block_map` says so) and then the axes within a block. A dense level has every child, a compressed one
    lists those that it has, as in CSR. The leaves, in order, are `values`. Source: the comments on
    `SparsityParameters` in TensorFlow Lite's schema.fbs.

    Args:
        values: The stored leaves, flat.
        shape: The dense shape.
        sparsity: The layout.
        who: What errors call the tensor.

    Raises:
        MalformedModel: The levels contradict each other, the shape or the number of values.
    """
    rank = len(shape)
    block_sizes = _block_sizes(sparsity, rank)
    extents = [*shape, *block_sizes]
    for axis, size in zip(sparsity.block_map, block_sizes, strict=True):
        if size < 1 or extents[axis] % size:
            raise MalformedModel(f"{who}: blocks of {size} do not divide axis {axis} of shape {shape}")
        extents[axis] //= size

    # places[axis][node]: where on that axis the node lies; block axes come after the tensor's own.
    places: list[NDArray[np.int64]] = [np.zeros(1, np.int64)] * len(extents)
    nodes = 1
    for axis, level in zip(sparsity.traversal_order, sparsity.dimensions, strict=True):
        parents, children = _expand(level, nodes, extents[axis], who)
        places = [place[parents] for place in places]
        places[axis] = children
        nodes = len(children)
    if nodes != len(values):
        raise MalformedModel(f"{who}: its sparse layout has {nodes} places for {len(values)} values")

    index = places[:rank]
    for axis, size, within in zip(sparsity.block_map, block_sizes, places[rank:], strict=True):
        index[axis] = index[axis] * size + within
    dense = np.zeros(shape, values.dtype)
    dense[tuple(index)] = values
    return dense


def _block_sizes(sparsity: Sparsity, rank: int) -> list[int]:
    """Per entry of the block map; its level is wherever the traversal order has it."""
    sizes = dict(zip(sparsity.traversal_order, (level.dense_size for level in sparsity.dimensions), strict=True))
    return [sizes[rank + i] for i in range(len(sparsity.block_map))]


def _expand(level: Dimension, nodes: int, extent: int, who: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Parent and own coordinate of every node of the next level."""
    if level.segments is None or level.indices is None:
        if level.dense_size != extent:
            raise MalformedModel(f"{who}: a dense level has size {level.dense_size}, the shape says {extent}")
        return np.repeat(np.arange(nodes), extent), np.tile(np.arange(extent), nodes)
    segments, indices = (np.asarray(part, np.int64) for part in (level.segments, level.indices))
    counts = np.diff(segments)
    if len(segments) != nodes + 1 or segments[0] != 0 or segments[-1] != len(indices) or (counts < 0).any():
        raise MalformedModel(f"{who}: the segments of a compressed level do not fit its {nodes} parents")
    if len(indices) and not 0 <= indices.min() <= indices.max() < extent:
        raise MalformedModel(f"{who}: a compressed level has an index outside 0..{extent - 1}")
    return np.repeat(np.arange(nodes), counts), indices
