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

# The array of a slot, in Keras's axis order; None where it is not known.
Read = Callable[[Slot], NDArray[Any] | None]


def kernel_digests(network: Network, read: Read) -> dict[Node, Hashable]:
    """Node → a digest of its largest weight in float32, for the nodes with a kernel."""
    return dict(_digests(network, read))


def file_weight(plan: Blueprint, slot: Slot) -> NDArray[Any]:
    """A weight of a file, in Keras's axis order."""
    array: NDArray[Any] = slot.holder.layout.to_keras(decode(plan.graph.tensors[slot.holder.tensor]))
    return array


def _digests(network: Network, read: Read) -> Iterator[tuple[Node, Hashable]]:
    for node in network.all_nodes():
        if not has_kernel(node):
            continue
        slots = [slot for name, slot in node.weights.items() if not name.startswith("batch_norm/")]
        array = read(max(slots, key=_size))
        if array is not None:
            yield node, blake2b(np.asarray(array, np.float32).tobytes(), digest_size=16).digest()


def _size(slot: Slot) -> int:
    return prod(slot.shape)
