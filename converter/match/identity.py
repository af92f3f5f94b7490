"""Batch normalization that changes nothing, for files that have it folded into their kernels."""

from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from converter.rebuild.model import import_keras

ULPS = 6  # tried on each side of 1; x86's estimate with one Newton step is at most 4 off


@cache
def identity_variance(epsilon: float, channels: int) -> NDArray[np.float32]:
    """The moving variance with which batch normalization multiplies by exactly 1, if gamma is 1 and the mean 0.

    Not simply 1 - epsilon: CPUs estimate reciprocal square roots, and TensorFlow on Intel makes 0.9999999 of 1. The
    same in every layer, thirty of them are off by more than all other roundings together. So this asks the back end
    itself, channel by channel, since the last few may take another path through the CPU. Exact for layers called as
    usual on this machine; another machine or XLA may round the last bit otherwise.

    Args:
        epsilon: The layer's.
        channels: Number of channels.

    Returns:
        float32 [channels]; the value for a sum of exactly 1 where nothing near it is exact.
    """
    ops = import_keras().ops
    one, zero = np.ones((1, channels), np.float32), np.zeros(channels, np.float32)
    tried = [_variance(epsilon, total) for total in _around_one()]
    found, is_open = np.full(channels, tried[0]), np.ones(channels, bool)
    for variance in tried:
        made = ops.batch_normalization(one, zero, np.full(channels, variance), axis=-1, scale=one[0], epsilon=epsilon)
        is_exact = is_open & (ops.convert_to_numpy(made)[0] == 1)
        found[is_exact] = variance
        is_open &= ~is_exact
        if not is_open.any():
            break
    return found


def _around_one() -> Iterator[np.float32]:
    below = above = np.float32(1)
    yield below
    for _ in range(ULPS):
        below, above = np.nextafter(below, np.float32(0)), np.nextafter(above, np.float32(2))
        yield from (below, above)


def _variance(epsilon: float, total: np.float32) -> np.float32:
    """The number that gives `total` when epsilon is added to it in float32; the nearest if none does."""
    small = np.float32(epsilon)
    variance = total - small
    while variance + small < total:
        variance = np.nextafter(variance, np.float32(np.inf))
    while variance + small > total:
        variance = np.nextafter(variance, np.float32(-np.inf))
    return np.float32(variance)
