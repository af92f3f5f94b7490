"""A small network of its own in front of new classes: what a detector's features say at one place is not enough.

Classes that differ in where fingers are, not in whether there is a hand, need to see how features lie to each
other. The tower gathers features of several resolutions on one grid, mixes them over a wide neighbourhood in a few
residual blocks (a depthwise convolution and one of 1×1), and gives logits for every anchor of every feature map. It
works on the largest of the detector's grids that has at most `LARGEST` cells on a side: finer maps get their
anchors from the same cell, four or sixteen of them side by side (depth to space), coarser ones from several cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from converter.detectors.table import Detector
from converter.errors import BadHead
from converter.match.trace import Call, KerasNetwork
from converter.surgery.head import Head
from converter.surgery.rewire import Rewiring

LARGEST = 16
# How much finer than the tower's grid features may be that it looks at: a stride of 4 reads them all.
FINEST = 4


@dataclass(frozen=True, slots=True)
class Tower:
    """Its size.

    Attributes:
        width: Channels.
        blocks: Residual blocks.
        kernel: Cells on a side that one block mixes.
    """

    width: int = 128
    blocks: int = 3
    kernel: int = 5

    def check(self) -> None:
        """Check that it can be built.

        Raises:
            BadHead: It cannot.
        """
        for name, value in (("width", self.width), ("blocks", self.blocks), ("kernel", self.kernel)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise BadHead(f"a tower whose {name} is {value!r} cannot be built", hint="1 or more")


def build(  # noqa: PLR0913, PLR0917 - where it stands, its size, and what it gives
    rewiring: Rewiring, head: Head, detector: Detector, tower: Tower, n: int, prior: float | None = None
) -> Any:
    """Logits [N, anchors, n] from features that the rewired model computes.

    Args:
        rewiring: Has run over all of the detector.
        head: Its branches.
        detector: What its outputs mean.
        tower: Its size.
        n: Number of classes.
        prior: The logit that a new tower gives about everywhere; None: all logits are zero at first.

    Raises:
        BadHead: The detector's grids are no multiples of each other.
    """
    from keras import initializers, layers

    def named(layer: type, what: str, *args: Any, **settings: Any) -> Any:
        return layer(*args, name=rewiring.free(f"tower_{what}"), **settings)

    rows, columns = _grid(detector)
    x = None
    for source in _sources(rewiring.traced, head, (rows, columns)):
        stride = source.shape[1] // rows
        layer = named(layers.Conv2D, "gather", tower.width, stride, strides=stride, use_bias=False)
        made = named(layers.BatchNormalization, "normalize")(layer(rewiring.values[source]))
        x = made if x is None else named(layers.Add, "sum")([x, made])
    x = named(layers.ReLU, "relu")(x)
    for _ in range(tower.blocks):
        mixed = named(layers.DepthwiseConv2D, "mix", tower.kernel, padding="same")(x)
        mixed = named(layers.Conv2D, "block", tower.width, 1, use_bias=False)(mixed)
        mixed = named(layers.BatchNormalization, "normalize")(mixed)
        x = named(layers.ReLU, "relu")(named(layers.Add, "add")([x, mixed]))
    start: dict[str, Any] = {"kernel_initializer": "zeros"}
    if prior is not None:
        start = {"bias_initializer": initializers.Constant(prior)}
    made = []
    for high, wide, anchors in detector.grids:
        fine, coarse = max(high // rows, 1), max(rows // high, 1)
        channels = fine * fine * anchors * n
        logits = named(layers.Conv2D, "logits", channels, coarse, strides=coarse, **start)(x)
        if fine > 1:  # [rows, columns, (dy, dx, anchor, class)] → [rows, dy, columns, (dx, anchor, class)]
            logits = named(layers.Reshape, "cells", (rows, columns, fine, fine * anchors * n))(logits)
            logits = named(layers.Permute, "cells", (1, 3, 2, 4))(logits)
        made.append(named(layers.Reshape, "anchors", (high * wide * anchors, n))(logits))
    return named(layers.Concatenate, "all", axis=1)(made) if len(made) > 1 else made[0]


def _grid(detector: Detector) -> tuple[int, int]:
    grids = sorted((rows, columns) for rows, columns, _ in detector.grids)
    fitting = [grid for grid in grids if max(grid) <= LARGEST]
    rows, columns = fitting[-1] if fitting else grids[0]
    while max(rows, columns) > LARGEST and rows % 2 == columns % 2 == 0:
        rows, columns = rows // 2, columns // 2
    for high, wide, _ in detector.grids:
        factors = {high / rows, wide / columns}
        if len(factors) != 1 or not any(f.is_integer() for f in (*factors, *(1 / f for f in factors))):
            raise BadHead(
                f"a tower has one grid, and {high}×{wide} is no multiple of {rows}×{columns}",
                hint="take another design",
            )
    return rows, columns


def _sources(traced: KerasNetwork, head: Head, grid: tuple[int, int]) -> list[Any]:
    """What the tower looks at: what the branches read, and the last of each resolution on the way down."""
    found = [call.inputs[0] for call in head.branches]
    for factor in (1, 2, FINEST):
        found += _last_before_shrinking(traced.calls, (grid[0] * factor, grid[1] * factor))
    sizes = {factor: (grid[0] * factor, grid[1] * factor) for factor in (1, 2, FINEST)}
    return [tensor for tensor in dict.fromkeys(found) if tuple(tensor.shape[1:3]) in sizes.values()]


def _last_before_shrinking(calls: Sequence[Call], size: tuple[int, int]) -> list[Any]:
    last: list[Any] = []
    for call in calls:
        for tensor in call.outputs:
            if len(tensor.shape) != 4:
                continue
            if tuple(tensor.shape[1:3]) == size:
                last = [tensor]
            elif last and tensor.shape[1] < size[0]:
                return last
    return last
