"""How far two tensors are apart, without arrays as large as they are."""

from collections.abc import Iterator

import numpy as np

from parity.runners.runtimes import Array

# Elements at a time. What fits into a processor's cache is read once per pass, and the system need not find fresh
# memory for every tensor, which takes as long as the arithmetic.
BLOCK = 2**16


def differences(a: Array, b: Array) -> Iterator[Array]:
    """|a − b| flat and block by block, in one buffer: each block is valid until the next one."""
    a, b = a.reshape(-1), b.reshape(-1)
    buffer = np.empty(min(a.size, BLOCK), np.result_type(a, b))
    for start in range(0, a.size, BLOCK):
        block = buffer[: min(BLOCK, a.size - start)]
        np.subtract(a[start : start + BLOCK], b[start : start + BLOCK], out=block)
        yield np.abs(block, out=block)


def distance(a: Array, b: Array) -> float:
    """The largest difference; NaN or infinite where one of them is."""
    with np.errstate(invalid="ignore", over="ignore"):
        return float(np.max([block.max() for block in differences(a, b)], initial=0))
