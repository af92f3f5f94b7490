"""A parity report as one HTML page that needs no network: plots, findings, and where each tensor differs."""

import base64
import gzip
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from converter.extras import importing
from converter.files import check_output, whole_file
from parity.runners.runtimes import Array

SUFFIX = ".html"
TEMPLATE = Path(__file__).parent / "templates" / "parity.html.j2"
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
    with importing("html", "an HTML report"):
        import jinja2
        from plotly.offline import get_plotlyjs

    check_output(path, SUFFIX)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text("utf-8"))
    maps = {
        tensor: {mode: _cells(values) for mode, values in modes.items() if np.any(values)}
        for tensor, modes in heat_maps.items()
    }
    data = json.dumps(_finite(dict(report) | {"maps": maps}), allow_nan=False)
    page = template.render(report=report, data=_packed(data), plotly=_packed(get_plotlyjs()), levels=LEVELS)
    with whole_file(path) as whole:
        whole.write_text(page, encoding="utf-8")


def _packed(text: str) -> str:
    """Less than half as long, and in letters that nothing in a page can be taken for a tag."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


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


def _finite(value: Any) -> Any:
    """JSON has neither NaN nor infinity."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
