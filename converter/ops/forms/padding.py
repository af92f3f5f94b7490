"""What `same` padding comes to: TensorFlow's rule, in either direction."""

from collections.abc import Mapping, Sequence
from typing import Any

Pair = tuple[int, int]


def pixels(
    mode: str, extents: Sequence[int | None], window: Pair, strides: Pair, dilation: Pair = (1, 1)
) -> tuple[Pair, Pair]:
    """((top, bottom), (left, right)): how many pixels a mode adds to a picture.

    `same` has ceil(extent / stride) output positions; the odd pixel goes last.

    Args:
        mode: `same` or `valid`.
        extents: Height and width of the picture; what follows is left alone.
        window: Height and width.
        strides: As `window`.
        dilation: As `window`.
    """
    pads = []
    for extent, k, s, d in zip(extents[:2], window, strides, dilation, strict=True):
        total = max((-(-extent // s) - 1) * s + (k - 1) * d + 1 - extent, 0) if mode == "same" and extent else 0
        pads.append((total // 2, total - total // 2))
    return pads[0], pads[1]


def positions(
    config: Mapping[str, Any], window: str, extents: Sequence[int | None], dilation: Pair = (1, 1)
) -> tuple[int | None, ...]:
    """(rows, columns): how many places a window has in a picture.

    Args:
        config: A layer's settings, with `strides` and `padding`.
        window: The setting that has the window's extents.
        extents: Height and width of the picture; what follows is left alone.
        dilation: As the window.

    Raises:
        ValueError: The window has no place.
    """
    found: list[int | None] = []
    for extent, k, s, d in zip(extents[:2], config[window], config.get("strides", (1, 1)), dilation, strict=True):
        covered = 0 if config["padding"] == "same" else (k - 1) * d
        found.append(extent and -(-(extent - covered) // s))
        if extent and extent <= covered:
            raise ValueError(f"a window of {(k - 1) * d + 1} does not fit into {extent}")
    return tuple(found)


def mode_of(
    pads: tuple[Pair, Pair], extents: Sequence[int | None], window: Pair, strides: Pair, dilation: Pair
) -> str | None:
    """The inverse of `pixels`; None if no mode comes to the same."""
    modes = ("valid", "same")
    return next((mode for mode in modes if pads == pixels(mode, extents, window, strides, dilation)), None)


def cropped_in_front(before: int, after: int, window: int, stride: int) -> int:
    """What TFLite's `same` cuts off a transposed convolution in front: half of what the forward one would pad.

    Args:
        before: Extent of the operand.
        after: Extent of the result.
        window: Extent of the kernel.
        stride: Of the forward convolution.
    """
    return max((before - 1) * stride + window - after, 0) // 2
