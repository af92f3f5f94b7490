"""A parity report as one HTML page that needs no network: plots, findings, and where each tensor differs."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from parity.report.page import SHARED, write_page
from parity.runners.runtimes import Array

TEMPLATE = SHARED / "parity.html.j2"
# Edge of a heat map in cells: enough to see where, and small enough for hundreds of them in one page.
CELLS = 48
# A cell is one byte: 0 is exact agreement, LEVELS the map's largest finite difference, NOT_FINITE what has none.
LEVELS, NOT_FINITE = 254, 255


def write_html(report: Mapping[str, Any], heat_maps: Mapping[str, Mapping[str, Array]], path: Path) -> None:
    """Write the page.

    Args:
        report: `ParityReport.as_dict()`.
        heat_maps: Tensor → mode → [H, W], the largest absolute difference over channels.
        path: Where to; ends in `.html`.

    Raises:
        OutputNotWritten: It cannot be written.
        MissingBackend: Jinja or Plotly is not installed.
    """
    maps = {
        tensor: {mode: _cells(values) for mode, values in modes.items() if np.any(values)}
        for tensor, modes in heat_maps.items()
    }
    write_page(TEMPLATE, path, {**report, "maps": maps}, report=report, levels=LEVELS)


def _cells(values: Array) -> dict[str, Any]:
    """Shrunk to `CELLS` per edge: the largest of each block, rounded up to what a colour can show."""
    for axis in (0, 1):
        starts = np.linspace(0, values.shape[axis], min(CELLS, values.shape[axis]), endpoint=False).astype(int)
        values = np.maximum.reduceat(values, starts, axis=axis)
    finite = np.isfinite(values)
    peak = float(np.max(values, initial=0, where=finite))
    # Up, lest a small difference look like none.
    levels = np.ceil(np.where(finite, values, 0) / (peak or 1.0) * LEVELS).clip(0, LEVELS)
    cells = np.where(finite, levels, NOT_FINITE).astype(np.uint8)
    return {"columns": values.shape[1], "peak": peak, "levels": base64.b64encode(cells.tobytes()).decode()}
