"""Digests of kernels: equal numbers in both networks say which layer is which, whatever it is called."""

from collections.abc import Callable, Hashable, Iterator
from hashlib import blake2b
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.blueprints.specs import Blueprint
from converter.match.alignment.signatures import has_kernel
from converter.match.network import Network
from converter.ops.forms import Node, Slot
from converter.tflite.decode import decode

# The array of a slot, in Keras's axis order.
Read = Callable[[Slot], NDArray[Any]]


def kernel_digests(network: Network, read: Read) -> dict[Node, Hashable]:
    """Node → a digest of its largest weight in float32, for the nodes with a kernel."""
    return dict(_digests(network, read))


def file_digests(network: Network, plan: Blueprint) -> dict[Node, Hashable]:
    """As `kernel_digests`, for the network of a file."""
    tensors = plan.graph.tensors
    return kernel_digests(network, lambda slot: slot.holder.layout.to_keras(decode(tensors[slot.holder.tensor])))


def _digests(network: Network, read: Read) -> Iterator[tuple[Node, Hashable]]:
    for node in network.all_nodes():
        if not has_kernel(node):
            continue
        slots = [slot for name, slot in node.weights.items() if not name.startswith("batch_norm/")]
        array: NDArray[np.float32] = np.ascontiguousarray(read(max(slots, key=_size)), np.float32)
        yield node, blake2b(array.tobytes(), digest_size=16).digest()


def _size(slot: Slot) -> int:
    return prod(slot.shape)
