"""How far two tensors are apart, without arrays as large as they are."""

import numpy as np

from parity.runners.runtimes import Array

# Elements at a time: what fits into a processor's cache is read once, and the system need not find fresh memory.
BLOCK = 2**16


def distance(a: Array, b: Array) -> float:
    """The largest difference; NaN or infinite where one of them is, with numpy's warnings."""
    if a.size <= BLOCK:
        return float(np.abs(a - b).max(initial=0))
    a, b = a.reshape(-1), b.reshape(-1)
    buffer, largest = np.empty(BLOCK, np.result_type(a, b)), []
    for start in range(0, a.size, BLOCK):
        block = buffer[: min(BLOCK, a.size - start)]
        np.subtract(a[start : start + BLOCK], b[start : start + BLOCK], out=block)
        largest.append(np.abs(block, out=block).max())
    return float(np.max(largest))
