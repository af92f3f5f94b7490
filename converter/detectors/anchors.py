"""Where a single-shot detector's anchors are."""

from functools import cache
from typing import TYPE_CHECKING

from converter.detectors.table import Detector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@cache
def anchors(detector: Detector) -> "NDArray[np.float32]":
    """Centres of the anchors as shares of the input, [N, 2] (x, y); their width and height are 1.

    Read-only: the same array for whoever asks.
    """
    import numpy as np

    made = []
    for rows, columns, count in detector.grids:
        y, x = (((np.arange(n) + 0.5) / n).astype(np.float32) for n in (rows, columns))
        centres = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        made.append(np.repeat(centres, count, axis=0))
    all_ = np.concatenate(made)
    all_.flags.writeable = False
    return all_
